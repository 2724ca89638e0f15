// Memory that a matcher keeps from one pair to the next.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <new>

namespace stereo {

// Bytes in all buffers of this process: a test compares them with what memory_bytes() tells.
inline std::atomic<std::size_t> bytes_in_buffers{0};

// Aligned memory that is not initialised and only ever grows.
template <class T>
class Buffer {
 public:
  static constexpr std::size_t kElementBytes = sizeof(T);

  void resize(std::size_t count) {
    if (memory_ && count <= memory_.get_deleter().count) return;
    memory_.reset();
    T* memory = static_cast<T*>(::operator new(count * sizeof(T), kAlignment));
    memory_ = std::unique_ptr<T, Free>(memory, Free{count});
    bytes_in_buffers += count * sizeof(T);
  }
  T* get() const { return memory_.get(); }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    std::size_t count = 0;
    void operator()(T* p) const {
      ::operator delete(p, kAlignment);
      bytes_in_buffers -= count * sizeof(T);
    }
  };
  std::unique_ptr<T, Free> memory_;
};

}  // namespace stereo

// Memory that a matcher keeps from one pair to the next.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace stereo {

// Aligned memory that is not initialised and only ever grows.
template <class T>
class Buffer {
 public:
  T* resize(std::size_t count) {
    if (count > capacity_) {
      memory_.reset();
      capacity_ = 0;
      memory_.reset(static_cast<T*>(::operator new(count * sizeof(T), std::align_val_t(64))));
      capacity_ = count;
    }
    return memory_.get();
  }
  T* get() const { return memory_.get(); }

 private:
  struct Free {
    void operator()(T* p) const { ::operator delete(p, std::align_val_t(64)); }
  };
  std::unique_ptr<T, Free> memory_;
  std::size_t capacity_ = 0;
};

}  // namespace stereo

// Threads for one call: tasks are handed out in order, so a task may wait for any earlier one.
#pragma once

#include <atomic>
#include <exception>
#include <limits>
#include <thread>
#include <vector>

namespace stereo {

// The first exception of several threads, kept for the one that called them: one that leaves its
// thread would end the process.
class FirstError {
 public:
  // Calls work(); false when it threw.
  template <class Work>
  bool caught(const Work& work) noexcept {
    try {
      work();
      return false;
    } catch (...) {
      if (!taken_.exchange(true)) error_ = std::current_exception();
      return true;
    }
  }
  // When all other threads are joined.
  void rethrow() const {
    if (error_) std::rethrow_exception(error_);
  }

 private:
  std::atomic<bool> taken_{false};
  std::exception_ptr error_;
};

// Calls body(task, worker) for each task in [0, tasks); worker is below `threads`. What a body
// throws, or std::system_error for a thread that cannot start, is thrown to the caller when all
// threads have ended; until then no further task begins.
template <class Body>
void parallel_for(int threads, int tasks, const Body& body) {
  std::atomic<int> next{0};
  FirstError error;
  const auto work = [&](int worker) {
    const auto all = [&] {
      for (int task; (task = next.fetch_add(1, std::memory_order_relaxed)) < tasks;)
        body(task, worker);
    };
    if (error.caught(all)) next = tasks;
  };
  std::vector<std::thread> helpers;
  const auto start = [&] {
    for (int worker = 1; worker < threads && worker < tasks; ++worker)
      helpers.emplace_back(work, worker);
  };
  if (error.caught(start)) next = tasks;
  work(0);
  for (std::thread& helper : helpers) helper.join();
  error.rethrow();
}

// A count that other threads wait for. On its own cache line: it is polled.
class alignas(64) Progress {
 public:
  void reach(int value) { value_.store(value, std::memory_order_release); }
  void wait_for(int value) const {
    for (int polls = 0; value_.load(std::memory_order_acquire) < value; ++polls)
      if (polls > 64) std::this_thread::yield();
  }

 private:
  std::atomic<int> value_{0};
};

// Lets all that wait for a task go when it ends, also by an exception.
class Reaching {
 public:
  explicit Reaching(Progress& progress) : progress_(progress) {}
  Reaching(const Reaching&) = delete;
  Reaching& operator=(const Reaching&) = delete;
  ~Reaching() { progress_.reach(std::numeric_limits<int>::max()); }

 private:
  Progress& progress_;
};

}  // namespace stereo

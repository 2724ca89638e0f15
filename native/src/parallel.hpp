// Threads for one call: tasks are handed out in order, so a task may wait for any earlier one.
#pragma once

#include <atomic>
#include <thread>
#include <vector>

namespace stereo {

// Calls body(task, worker) for each task in [0, tasks); worker is below `threads`.
template <class Body>
void parallel_for(int threads, int tasks, const Body& body) {
  std::atomic<int> next{0};
  const auto work = [&](int worker) {
    for (int task; (task = next.fetch_add(1, std::memory_order_relaxed)) < tasks;)
      body(task, worker);
  };
  std::vector<std::thread> helpers;
  for (int worker = 1; worker < threads && worker < tasks; ++worker)
    helpers.emplace_back(work, worker);
  work(0);
  for (std::thread& helper : helpers) helper.join();
}

// A count that other threads wait for. On its own cache line: it is polled.
class alignas(64) Progress {
 public:
  void reach(int value) { value_.store(value, std::memory_order_release); }
  void add(int amount) { value_.fetch_add(amount, std::memory_order_acq_rel); }
  void wait_for(int value) const {
    for (int polls = 0; value_.load(std::memory_order_acquire) < value; ++polls)
      if (polls > 64) std::this_thread::yield();
  }

 private:
  std::atomic<int> value_{0};
};

}  // namespace stereo

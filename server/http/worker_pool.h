#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace waystation::http {

// A bounded set of threads with a bounded queue. Threads are born when needed and stay.
class WorkerPool {
 public:
  // `threads` at most; `waiting` jobs beside those being done.
  WorkerPool(std::size_t threads, std::size_t waiting) : threads_(threads), waiting_(waiting) {}

  ~WorkerPool();  // does what is queued, then joins

  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // False, and the job is not taken, when the queue is full. A job must not throw.
  bool submit(std::function<void()> job);

 private:
  void work();

  const std::size_t threads_;
  const std::size_t waiting_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;  // guarded by mutex_
  std::vector<std::thread> workers_;        // guarded by mutex_
  std::size_t idle_ = 0;                    // guarded by mutex_
  bool ending_ = false;                     // guarded by mutex_
};

}  // namespace waystation::http

#include "server/http/worker_pool.h"

#include <utility>

namespace waystation::http {

WorkerPool::~WorkerPool() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

bool WorkerPool::submit(std::function<void()> job) {
  {
    const std::lock_guard lock(mutex_);
    const bool canGrow = workers_.size() < threads_;
    if (jobs_.size() >= idle_ + waiting_ && !canGrow) return false;
    jobs_.push_back(std::move(job));
    if (jobs_.size() > idle_ && canGrow) workers_.emplace_back([this] { work(); });
  }
  changed_.notify_one();
  return true;
}

void WorkerPool::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    changed_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
    --idle_;
    if (jobs_.empty()) return;
    const std::function<void()> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    job();
    lock.lock();
  }
}

}  // namespace waystation::http

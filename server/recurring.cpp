#include "server/recurring.h"

#include <utility>

namespace waystation::server {

Recurring::Recurring(std::chrono::milliseconds first, std::chrono::milliseconds every,
                     std::function<void()> action)
    : first_(first), every_(every), action_(std::move(action)) {}

Recurring::~Recurring() {
  stop();
}

void Recurring::start() {
  if (thread_.joinable()) return;
  isStopping_ = false;
  thread_ = std::thread([this] { run(); });
}

void Recurring::stop() {
  {
    const std::lock_guard lock(mutex_);
    isStopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool Recurring::isStopping() const {
  const std::lock_guard lock(mutex_);
  return isStopping_;
}

void Recurring::run() {
  std::unique_lock lock(mutex_);
  std::chrono::milliseconds wait = first_;
  while (!changed_.wait_for(lock, wait, [this] { return isStopping_; })) {
    lock.unlock();
    action_();
    lock.lock();
    wait = every_;
  }
}

}  // namespace waystation::server

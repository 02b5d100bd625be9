#include "server/mark_keeper.h"

#include <utility>

#include "crypto/failure.h"

namespace waystation::server {

MarkKeeper::~MarkKeeper() {
  stop();
}

void MarkKeeper::start() {
  if (thread_.joinable()) return;
  isStopping_ = false;
  thread_ = std::thread([this] { run(); });
}

void MarkKeeper::stop() {
  {
    const std::lock_guard lock(mutex_);
    isStopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void MarkKeeper::saved() {
  const std::lock_guard lock(mutex_);
  hasNews_ = true;
}

std::string MarkKeeper::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void MarkKeeper::run() {
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, every_, [this] { return isStopping_; })) {
    if (!std::exchange(hasNews_, false)) continue;
    lock.unlock();
    std::string failure;
    try {
      node_.raiseMark();
    } catch (const Failure& told) {
      failure = told.what();
    }
    lock.lock();
    hasNews_ = hasNews_ || !failure.empty();
    failure_ = std::move(failure);
  }
}

}  // namespace waystation::server

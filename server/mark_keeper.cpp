#include "server/mark_keeper.h"

#include <utility>

#include "crypto/failure.h"

namespace waystation::server {

void MarkKeeper::saved() {
  const std::lock_guard lock(mutex_);
  hasNews_ = true;
}

std::string MarkKeeper::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void MarkKeeper::raiseWhereSaved() {
  {
    const std::lock_guard lock(mutex_);
    if (!std::exchange(hasNews_, false)) return;
  }
  std::string failure;
  try {
    node_.raiseMark();
  } catch (const Failure& told) {
    failure = told.what();
  }
  const std::lock_guard lock(mutex_);
  hasNews_ = hasNews_ || !failure.empty();
  failure_ = std::move(failure);
}

}  // namespace waystation::server

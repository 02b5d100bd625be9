#include "storage/connection_locks.h"

#include <sqlite3.h>

namespace waystation::storage {

namespace {

constexpr int kPending = 3;  // SQLite's level between reserved and exclusive; nobody asks for it

}  // namespace

bool ConnectionLocks::lock(Holder& holder, int level) {
  const std::lock_guard lock(mutex_);
  if (holder.level >= level) return true;
  if (holder.level == SQLITE_LOCK_NONE) {
    if (pending_) return false;
    ++shared_;
    holder.level = SQLITE_LOCK_SHARED;
  }
  if (level == SQLITE_LOCK_SHARED) return true;
  if (writer_ != nullptr && writer_ != &holder) return false;
  writer_ = &holder;
  if (level == SQLITE_LOCK_RESERVED) {
    holder.level = level;
    return true;
  }
  pending_ = true;
  holder.level = shared_ > 1 ? kPending : SQLITE_LOCK_EXCLUSIVE;
  return holder.level == SQLITE_LOCK_EXCLUSIVE;
}

void ConnectionLocks::unlock(Holder& holder, int level) {
  const std::lock_guard lock(mutex_);
  if (holder.level <= level) return;
  if (writer_ == &holder) {
    writer_ = nullptr;
    pending_ = false;
  }
  if (level == SQLITE_LOCK_NONE) --shared_;
  holder.level = level;
}

bool ConnectionLocks::isReserved() {
  const std::lock_guard lock(mutex_);
  return writer_ != nullptr;
}

}  // namespace waystation::storage

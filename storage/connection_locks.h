#pragma once

#include <mutex>

namespace waystation::storage {

// SQLite's locks on a database file (none, shared, reserved, pending, exclusive) among the
// connections of this process. Other processes are kept out as a whole, by StoreFile.
class ConnectionLocks {
 public:
  // What one connection holds: a level of SQLite's, SQLITE_LOCK_NONE at first.
  struct Holder {
    int level = 0;
  };

  // As xLock: false when another connection is in the way. A refused exclusive lock leaves a
  // pending one, so that no further readers come.
  bool lock(Holder& holder, int level);
  // As xUnlock, down to shared or none.
  void unlock(Holder& holder, int level);
  bool isReserved();

 private:
  std::mutex mutex_;
  int shared_ = 0;
  const Holder* writer_ = nullptr;  // holds reserved or more
  bool pending_ = false;
};

}  // namespace waystation::storage

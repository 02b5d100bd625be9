#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace waystation::storage {

// SQLite's WAL index ("shared memory") of one database, kept in this process's memory and shared by
// its connections. On disk it would show page numbers and a checksum of plaintext.
// The memory itself is SQLite's to order, by its locks and barriers; only the tables here are
// behind the mutex.
class WalIndex {
 public:
  static constexpr int kSlots = 8;  // SQLITE_SHM_NLOCK

  // What one connection holds: a bit per slot.
  struct Holder {
    unsigned shared = 0;
    unsigned exclusive = 0;
    bool mapped = false;
  };

  // The region's memory, or null when it is not there and `extend` is false.
  volatile void* map(Holder& holder, int region, int size, bool extend);
  // Both: false when another connection's lock is in the way.
  bool lockShared(Holder& holder, int first, int count);
  bool lockExclusive(Holder& holder, int first, int count);
  void unlock(Holder& holder, int first, int count);
  void barrier();
  // Releases everything; when the last connection goes, the index does too, and the next one
  // recovers it from the log.
  void unmap(Holder& holder);

 private:
  static unsigned maskOf(int first, int count) { return ((1U << count) - 1U) << first; }
  void release(Holder& holder, unsigned mask);

  std::mutex mutex_;
  int mapped_ = 0;
  std::vector<std::unique_ptr<char[]>> regions_;
  std::array<int, kSlots> sharedHolders_{};
  unsigned exclusive_ = 0;
};

}  // namespace waystation::storage

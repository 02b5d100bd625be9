#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "tests/storage_faults/disk_record.h"

namespace waystation::testing {

// The disk's calls that can be told apart when one is to fail.
enum class DiskCall : unsigned {
  kRead = 1U << 0U,
  kWrite = 1U << 1U,
  kTruncate = 1U << 2U,
  kSync = 1U << 3U,  // of a file
  kOpen = 1U << 4U,
  kDelete = 1U << 5U,
  kRename = 1U << 6U,
  kSyncDirectory = 1U << 7U,
};

// Which calls fail, and how.
struct DiskFault {
  unsigned calls = 0;      // bits of DiskCall
  std::uint64_t from = 0;  // the first of them that fails, counted from 0
  bool forEver = false;    // or that one only
  int error = 0;           // errno; 0 on a write: half of it is written
};

// Watches what this process does to the files below a directory, by standing between the program
// and the C library: SQLite's files, our own and their directories alike. Records it, and can make
// calls fail. A sync costs nothing and keeps nothing: what it settles is in the record.
//
// One at a time. Whatever writes by a way that is not watched (mmap, FILE) is found out in
// `finish`.
class WatchedDisk {
 public:
  // `directory` must be there, and is named as the program will name it.
  explicit WatchedDisk(const std::filesystem::path& directory);
  // As above, for one who knows what stands there.
  WatchedDisk(const std::filesystem::path& directory, DiskImage start);
  ~WatchedDisk();
  WatchedDisk(const WatchedDisk&) = delete;
  WatchedDisk& operator=(const WatchedDisk&) = delete;

  void note(std::int64_t number);
  // Ends the watching. Throws std::runtime_error when the record does not lead to what stands in
  // the directory.
  DiskRecord finish();

  // From now on; the count of calls starts anew.
  void fail(const DiskFault& fault);
  // How many such calls there have been since the last fail(), or since the beginning.
  std::uint64_t callsSeen(unsigned calls) const;
  // A planted fault: every sync of a file says that it was done, and settles nothing.
  void lieAboutSyncs();

  struct State;

 private:
  std::unique_ptr<State> state_;
};

// Reads and writes a whole directory, unwatched.
DiskImage readImage(const std::filesystem::path& directory);
// `directory` is emptied first.
void writeImage(const DiskImage& image, const std::filesystem::path& directory);

}  // namespace waystation::testing

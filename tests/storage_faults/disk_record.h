#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/seeded_random.h"

namespace waystation::testing {

// The files of one directory as bytes, by path relative to it.
struct DiskImage {
  std::map<std::string, std::string> files;
  std::set<std::string> directories;  // without the top one

  bool operator==(const DiskImage&) const = default;
};

// One thing that a program did to the files of a directory. Files are told apart by number, since
// their names change; an entry with the number kNoFile is one that goes.
struct DiskOperation {
  enum class Kind { kWrite, kTruncate, kSync, kEntries, kSyncDirectory, kNote };
  static constexpr int kNoFile = -1;
  static constexpr int kDirectory = -2;

  Kind kind = Kind::kNote;
  int file = kNoFile;
  std::int64_t offset = 0;  // of a write; the size of a truncate; what a note says
  std::string bytes;        // of a write
  std::string directory;    // whose entries change, or that is synced
  std::vector<std::pair<std::string, int>> entries;  // all of them at once, or none
};

// What stood in the directory at first, and everything done to it since.
struct DiskRecord {
  DiskImage start;
  std::map<std::string, int> startNumbers;
  std::vector<DiskOperation> operations;
};

std::string parentOf(const std::string& path);

// Follows a record and says how the disk can stand when the power goes at that point.
//
// What was synced stands. Of the rest each sector of 512 bytes may have reached the disk or not, in
// any order, or reads as zeros or as noise; a truncate, a creation, a rename or a deletion may have
// happened or not, whatever came before it. Only one sector is ever whole or not at all.
class PowerCut {
 public:
  // How the choice is made for what was not synced.
  enum class Fate { kNothing, kEverything, kAnySector, kAnyOperation, kOneMissing, kTornEnd };
  static constexpr int kFates = 6;

  // Borrows the record.
  explicit PowerCut(const DiskRecord& record);

  // Takes in the next operation; false when there is none.
  bool advance();
  std::size_t position() const { return next_; }
  bool isAllOnDisk() const { return pending_.empty(); }

  DiskImage image(Fate fate, SeededRandom& random) const;

 private:
  struct Disk {
    std::vector<std::string> files;
    std::map<std::string, int> entries;
  };
  void settle(const DiskOperation& sync);
  static void apply(Disk& disk, const DiskOperation& operation);
  static void applyTorn(Disk& disk, const DiskOperation& write, SeededRandom& random,
                        std::uint64_t lossInEight);
  static DiskImage imageOf(const Disk& disk);

  const DiskRecord& record_;
  std::size_t next_ = 0;
  Disk settled_;
  std::vector<const DiskOperation*> pending_;
};

}  // namespace waystation::testing

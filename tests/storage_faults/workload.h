#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/database.h"
#include "tests/storage_faults/watched_disk.h"

namespace waystation::testing {

// What a workload has promised, and when. A change is announced before it is made and acknowledged
// once it is said to be kept; `content` is a fingerprint of all that is there after it.
class Promises {
 public:
  // Notes go into the disk's record, where there is one.
  explicit Promises(WatchedDisk* disk) : disk_(disk) {}

  // `change` is everything up to the acknowledgement; `content` is asked afterwards.
  void make(const std::function<void()>& change, const std::function<std::string()>& content);
  // What is there before the first change.
  void begin(const std::string& content) { contents_.assign(1, content); }

  // contents()[n]: after n changes.
  const std::vector<std::string>& contents() const { return contents_; }

  // A planted fault: says of each change that it is kept before it is made.
  void promiseTooEarly() { tooEarly_ = true; }

  // The notes' numbers: the change n begins, and is acknowledged.
  static std::int64_t beginning(std::size_t n) { return static_cast<std::int64_t>(2 * n); }
  static std::int64_t acknowledgement(std::size_t n) {
    return static_cast<std::int64_t>(2 * n + 1);
  }

 private:
  void note(std::int64_t number);

  WatchedDisk* disk_;
  bool tooEarly_ = false;
  std::vector<std::string> contents_;
};

// Something that a node does to its disk.
class Workload {
 public:
  virtual ~Workload() = default;
  virtual std::string name() const = 0;
  // Does it all, in an empty directory.
  virtual void run(const std::filesystem::path& directory, Promises& promises) = 0;
  // Opens what a power cut has left, as the program does at its start, and answers the fingerprint
  // of the content. Throws when anything can't be opened or does not verify. `isNew`: nothing had
  // been acknowledged, so that there need not be anything.
  virtual std::string recover(const std::filesystem::path& directory, bool isNew) = 0;
  // After `recover`: goes on working there, and throws unless that is kept.
  virtual void goOn(const std::filesystem::path& directory) = 0;
};

std::vector<std::unique_ptr<Workload>> fileWorkloads();
std::vector<std::unique_ptr<Workload>> storeWorkloads();
std::vector<std::unique_ptr<Workload>> nodeWorkloads();
// Those with the fewest states first.
std::vector<std::unique_ptr<Workload>> allWorkloads();

// All rows of all tables, the schema and its version.
std::string fingerprintOf(storage::Database& database);

}  // namespace waystation::testing

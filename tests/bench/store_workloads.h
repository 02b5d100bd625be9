#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace waystation::bench {

// How much each workload does; --quick takes a fortieth.
struct Amounts {
  int rows = 100'000;     // bulk insert, 100 a transaction
  int commits = 20'000;   // single-row commits, synchronous=NORMAL
  int durable = 500;      // the same with synchronous=FULL
  int reads = 50'000;     // random reads by row id
  int coldReads = 8'000;  // the same, the file not in the system's cache
  int searches = 3'000;
};

// Wall and processor time of what a workload measures, in seconds.
struct Spent {
  double wall = 0;
  double processor = 0;
};

// An open connection; closed when the last copy of it goes.
using Connection = std::shared_ptr<sqlite3>;
// Opens the database `file` (made when it is missing) with a page cache of so many KiB, with the
// pragmas of storage::Database on both sides.
using Opener = std::function<Connection(const std::filesystem::path& file, int cacheKiB)>;

struct Workload {
  std::string name;
  double budget;  // ours to stock SQLite, wall time (storage.md)
  double aim;
  bool makesDatabase;  // begins with no file; the others work on what it left
  Spent (*run)(const Opener& open, const std::filesystem::path& file, const Amounts& amounts);
};

const std::vector<Workload>& storeWorkloads();

// The same SQLite, unencrypted, on its own VFS. Only in a process that has not touched our store:
// that takes the plain VFS away.
Connection openPlain(const std::filesystem::path& file, int cacheKiB);

}  // namespace waystation::bench

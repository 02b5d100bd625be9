// What encryption costs: each workload on our store and on stock SQLite, with the same pragmas,
// schema and data, in pairs in one run. Each side runs in a process of its own. Nothing about time
// is asserted: the budgets are printed beside what was measured.

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <optional>
#include <random>
#include <stdexcept>

#include "storage/database.h"
#include "tests/bench/store_workloads.h"

namespace waystation::bench {
namespace {

constexpr int kQuickPart = 40;
constexpr const char* kUsage =
    "usage: store_bench [--quick | --part N] [--json] [--pairs N] [--only WORKLOAD] [--directory "
    "DIR]\n";

enum class Side { kOurs, kPlain };

struct Settings {
  std::filesystem::path parent = std::filesystem::temp_directory_path();
  int pairs = 5;
  bool json = false;
  int part = 1;  // amounts are divided by it
  std::string only;
};

struct Pair {
  Spent ours;
  Spent plain;
};

double medianOf(const std::vector<Pair>& pairs, double (*value)(const Pair&)) {
  std::vector<double> values;
  for (const Pair& pair : pairs) values.push_back(value(pair));
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

Connection openOurs(const std::filesystem::path& file, int cacheKiB) {
  const crypto::Secret key = crypto::Secret::copyOf(std::string(32, 'b'));
  const auto database =
      std::make_shared<storage::Database>(file, key, storage::OpenMode::kCreate, cacheKiB);
  return Connection(database, database->handle());
}

// Holds the databases of a run; removed with them.
class WorkDirectory {
 public:
  explicit WorkDirectory(const std::filesystem::path& parent) {
    std::string name = (parent / "store-bench-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("can't write to " + name);
    path_ = name;
  }
  ~WorkDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  WorkDirectory(const WorkDirectory&) = delete;
  WorkDirectory& operator=(const WorkDirectory&) = delete;
  std::filesystem::path file(Side side) const {
    return path_ / (side == Side::kOurs ? "ours.db" : "plain.db");
  }

 private:
  std::filesystem::path path_;
};

// A child has its parent's addresses, so that how things happen to lie in the processor's caches
// would be the same in all pairs of a run, and counted as a difference of the two sides.
void lieElsewhere() {
  constexpr unsigned kPlaces = 65'536;
  static_cast<void>(::sbrk(static_cast<intptr_t>(16 * (std::random_device{}() % kPlaces))));
}

// One run of one side, in a child: SQLite's VFSs are a table of the process.
Spent runSide(const Workload& workload, Side side, const std::filesystem::path& file,
              const Amounts& amounts) {
  int ends[2];
  if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
  const pid_t child = ::fork();
  if (child == 0) {
    int code = 1;
    lieElsewhere();
    try {
      const Opener open = side == Side::kOurs ? openOurs : openPlain;
      const Spent spent = workload.run(open, file, amounts);
      if (::write(ends[1], &spent, sizeof spent) == sizeof spent) code = 0;
    } catch (const std::exception& error) {
      std::cerr << "store_bench: " << workload.name << ": " << error.what() << "\n";
    }
    ::_exit(code);
  }
  ::close(ends[1]);
  Spent spent;
  const bool got = ::read(ends[0], &spent, sizeof spent) == sizeof spent;
  ::close(ends[0]);
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || status != 0 || !got) {
    throw std::runtime_error(workload.name + " ended without a result");
  }
  return spent;
}

void removeDatabase(const std::filesystem::path& file) {
  for (const char* suffix : {"", "-wal", "-shm", "-journal"}) {
    std::filesystem::remove(file.string() + suffix);
  }
}

// The side that goes first takes turns.
Pair runPair(const Workload& workload, const WorkDirectory& directory, const Amounts& amounts,
             int number) {
  Pair pair;
  for (int turn = 0; turn < 2; ++turn) {
    const Side side = (turn + number) % 2 == 0 ? Side::kPlain : Side::kOurs;
    const std::filesystem::path file = directory.file(side);
    if (workload.makesDatabase) removeDatabase(file);
    (side == Side::kOurs ? pair.ours : pair.plain) = runSide(workload, side, file, amounts);
  }
  return pair;
}

void print(const Workload& workload, const std::vector<Pair>& pairs, bool json) {
  const double ours = medianOf(pairs, [](const Pair& pair) { return pair.ours.wall; });
  const double plain = medianOf(pairs, [](const Pair& pair) { return pair.plain.wall; });
  const double ratio =
      medianOf(pairs, [](const Pair& pair) { return pair.ours.wall / pair.plain.wall; });
  const double processor =
      medianOf(pairs, [](const Pair& pair) { return pair.ours.processor / pair.plain.processor; });
  const bool ok = ratio <= workload.budget;
  if (json) {
    std::printf(
        "{\"workload\":\"%s\",\"ours_s\":%.4f,\"plain_s\":%.4f,\"ratio\":%.3f,"
        "\"processor_ratio\":%.3f,\"pairs\":%zu,\"budget\":%.2f,\"aim\":%.2f,\"ok\":%s}\n",
        workload.name.c_str(), ours, plain, ratio, processor, pairs.size(), workload.budget,
        workload.aim, ok ? "true" : "false");
  } else {
    std::printf("%-18s %8.3f s %8.3f s  %5.3f  %5.3f  %4.2f  %4.2f  %s\n", workload.name.c_str(),
                ours, plain, ratio, processor, workload.budget, workload.aim,
                ok ? "within" : "ABOVE");
  }
  std::fflush(stdout);
}

void run(const Settings& settings) {
  Amounts amounts;
  for (int* amount : {&amounts.rows, &amounts.commits, &amounts.durable, &amounts.reads,
                      &amounts.coldReads, &amounts.searches}) {
    *amount = std::max(1, *amount / settings.part);
  }
  const WorkDirectory directory(settings.parent);
  if (!settings.json) {
    std::printf("%-18s %10s %10s  %5s  %5s  %4s  %4s\n", "workload", "ours", "plain", "ratio",
                "cpu", "most", "aim");
  }
  for (const Workload& workload : storeWorkloads()) {
    // The others work on what this one leaves.
    const bool wanted = settings.only.empty() || settings.only == workload.name;
    if (!wanted && !workload.makesDatabase) continue;
    std::vector<Pair> pairs;
    for (int i = 0; i < (wanted ? settings.pairs : 1); ++i) {
      pairs.push_back(runPair(workload, directory, amounts, i));
    }
    if (wanted) print(workload, pairs, settings.json);
  }
}

std::optional<Settings> parse(const std::vector<std::string>& words) {
  Settings settings;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const bool hasValue = i + 1 < words.size();
    if (words[i] == "--quick") {
      settings.part = kQuickPart;
      settings.pairs = 1;
    } else if (words[i] == "--part" && hasValue) {
      settings.part = std::max(1, std::atoi(words[++i].c_str()));
    } else if (words[i] == "--json") {
      settings.json = true;
    } else if (words[i] == "--pairs" && hasValue) {
      settings.pairs = std::max(1, std::atoi(words[++i].c_str()));
    } else if (words[i] == "--only" && hasValue) {
      settings.only = words[++i];
    } else if (words[i] == "--directory" && hasValue) {
      settings.parent = words[++i];
    } else {
      return std::nullopt;
    }
  }
  return settings;
}

}  // namespace
}  // namespace waystation::bench

int main(int count, char** words) {
  using namespace waystation::bench;
  const std::optional<Settings> settings = parse({words + 1, words + count});
  if (!settings) {
    std::cerr << kUsage;
    return 2;
  }
  try {
    run(*settings);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "store_bench: " << error.what() << "\n";
    return 1;
  }
}

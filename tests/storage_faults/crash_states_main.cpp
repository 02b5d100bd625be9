// crash_states: the states in which a power cut can leave a node's disk, each opened and compared
// with what had been acknowledged.

#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>

#include "tests/storage_faults/crash_states.h"

namespace waystation::testing {
namespace {

constexpr const char* kUsage =
    "crash_states [--states N] [--seed S] [--workload NAME] [--json]\n"
    "             [--keep DIRECTORY] [--planted syncs-lie|early-promises]\n";

struct Arguments {
  CrashSettings settings;
  std::string workload;
  bool json = false;
};

Arguments parse(int count, char** words) {
  Arguments arguments;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    if (word == "--json") {
      arguments.json = true;
      continue;
    }
    if (i + 1 == count) throw std::invalid_argument(word);
    const std::string value = words[++i];
    if (word == "--states") {
      arguments.settings.states = std::stoul(value);
    } else if (word == "--seed") {
      arguments.settings.seed = std::stoull(value);
    } else if (word == "--workload") {
      arguments.workload = value;
    } else if (word == "--keep") {
      arguments.settings.keep = value;
    } else if (word == "--planted" && value == "syncs-lie") {
      arguments.settings.planted = PlantedFault::kSyncsLie;
    } else if (word == "--planted" && value == "early-promises") {
      arguments.settings.planted = PlantedFault::kPromisesTooEarly;
    } else {
      throw std::invalid_argument(word);
    }
  }
  return arguments;
}

void print(const CrashReport& report, bool json) {
  if (json) {
    std::printf(
        "{\"workload\":\"%s\",\"cut_points\":%zu,\"states\":%zu,\"lost\":%zu,\"torn\":%zu,"
        "\"unreadable\":%zu}\n",
        report.workload.c_str(), report.cutPoints, report.states, report.lost, report.torn,
        report.unreadable);
  } else {
    std::printf("%-14s %10zu %10zu %8zu %8zu %12zu\n", report.workload.c_str(), report.cutPoints,
                report.states, report.lost, report.torn, report.unreadable);
  }
  std::fflush(stdout);
  for (const std::string& failure : report.failures) {
    std::fprintf(stderr, "%s: %s\n", report.workload.c_str(), failure.c_str());
  }
}

// Memory, where the machine has such a directory: nothing here is to outlive the program.
void workInMemory() {
  struct stat status {};
  if (::getenv("TMPDIR") == nullptr && ::stat("/dev/shm", &status) == 0) {
    ::setenv("TMPDIR", "/dev/shm", 0);
  }
}

int checkAll(const Arguments& arguments) {
  std::vector<std::unique_ptr<Workload>> workloads = allWorkloads();
  std::erase_if(workloads, [&](const auto& workload) {
    return !arguments.workload.empty() && workload->name() != arguments.workload;
  });
  if (workloads.empty()) throw std::invalid_argument(arguments.workload);
  CrashReport sum;
  sum.workload = "all";
  if (!arguments.json) {
    std::printf("%-14s %10s %10s %8s %8s %12s\n", "workload", "cut points", "states", "lost",
                "torn", "unreadable");
  }
  for (std::size_t left = workloads.size(); left > 0; --left) {
    CrashSettings settings = arguments.settings;
    // What one workload has too few states for goes to those after it.
    settings.states = (arguments.settings.states - sum.states) / left;
    const CrashReport report = checkCrashStates(*workloads[workloads.size() - left], settings);
    print(report, arguments.json);
    sum.cutPoints += report.cutPoints;
    sum.states += report.states;
    sum.lost += report.lost;
    sum.torn += report.torn;
    sum.unreadable += report.unreadable;
  }
  print(sum, arguments.json);
  return sum.isClean() ? 0 : 1;
}

}  // namespace
}  // namespace waystation::testing

int main(int count, char** words) {
  namespace testing = waystation::testing;
  try {
    const testing::Arguments arguments = testing::parse(count, words);
    testing::workInMemory();
    return testing::checkAll(arguments);
  } catch (const std::logic_error& error) {
    std::fprintf(stderr, "crash_states: not understood: %s\n%s", error.what(), testing::kUsage);
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "crash_states: %s\n", error.what());
    return 2;
  }
}

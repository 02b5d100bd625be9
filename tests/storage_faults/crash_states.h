#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/storage_faults/workload.h"

namespace waystation::testing {

enum class PlantedFault { kNone, kSyncsLie, kPromisesTooEarly };

struct CrashSettings {
  std::size_t states = 1000;
  std::uint64_t seed = 1;
  PlantedFault planted = PlantedFault::kNone;
  std::filesystem::path keep;  // where the first states that fail are kept; empty: nowhere
};

struct CrashReport {
  std::string workload;
  std::size_t cutPoints = 0;
  std::size_t states = 0;
  std::size_t lost = 0;               // something acknowledged is not there
  std::size_t torn = 0;               // the content is that of no moment
  std::size_t unreadable = 0;         // can't be opened, read or written on, or does not verify
  std::vector<std::string> failures;  // the first of them, in words
  bool isClean() const { return lost + torn + unreadable == 0; }
};

// Runs the workload once, then checks different states of the disk after power cuts: so many, or as
// many as there are.
CrashReport checkCrashStates(Workload& workload, const CrashSettings& settings);

}  // namespace waystation::testing

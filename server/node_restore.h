#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "crypto/key_slots.h"
#include "server/node_backup.h"

namespace waystation::server {

struct RestoreOrder {
  std::filesystem::path directory;  // may be missing or empty
  std::filesystem::path file;
  bool dryRun = false;    // verify, and put nothing in place
  bool setAside = false;  // what is in the directory already
};

struct RestoreResult {
  std::string name;
  bool isHeadquarters = false;
  std::int64_t madeMs = 0;
  std::int64_t records = 0;
  bool hadData = false;
  std::filesystem::path aside;  // where the old data is; empty: there was none
};

// Rebuilds a node from a backup (docs/spec/backup.md, section 4): all of it is written beside and
// verified before anything in the directory is touched. `openSecret` is asked once the file has
// been found to be a backup. Throws Failure: "backup.*", "restore.*", "key.*", "node.in-use".
RestoreResult restoreBackup(const RestoreOrder& order,
                            const std::function<crypto::SlotSecret()>& openSecret,
                            const BackupProgress& progress);

// Puts a verified restore in place that was interrupted; does nothing where there is none. The
// caller holds the directory.
void finishRestore(const std::filesystem::path& directory);
// Whether there is one.
bool isRestoreUnfinished(const std::filesystem::path& directory);

// The folders with old data that restores have set aside.
std::vector<std::filesystem::path> dataSetAside(const std::filesystem::path& directory);

}  // namespace waystation::server

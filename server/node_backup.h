#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "crypto/secret.h"
#include "server/node_databases.h"
#include "storage/backup_stream.h"

namespace waystation::server {

// An open node, as far as a backup needs it. Borrows.
struct BackupSource {
  std::filesystem::path directory;
  std::string name;           // the node's code
  const crypto::Secret& key;  // of backups
  std::vector<NodeDatabase> databases;
  std::int64_t nowMs = 0;
};

struct BackupOrder {
  // A folder that is there: a file is named in it, differences are made, old ones removed.
  // Anything else: one whole backup under that name.
  std::filesystem::path target;
  int keep = 14;
  bool isWhole = false;  // no difference, even where one could be made
};

struct BackupResult {
  std::filesystem::path file;
  bool isWhole = true;
  std::uint64_t bytes = 0;
  std::uint32_t pages = 0;
  std::uint32_t changed = 0;  // of a difference
  std::vector<std::filesystem::path> removed;
  std::string note;  // what the technician should hear of an earlier backup; may be empty
};

// Called with pages done and in all; with 0 of 0 where none are counted; may throw to give up.
using BackupProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// Makes a backup and reads it back (docs/spec/backup.md, section 3). Throws Failure: "backup.*",
// and what reading the store throws; then nothing new is there, and nothing old is gone.
BackupResult makeBackup(const BackupSource& source, const BackupOrder& order,
                        const BackupProgress& progress);

// A backup in a folder.
struct FoundBackup {
  std::filesystem::path file;
  storage::BackupHead head;
};

// Those of one store, the newest first; what can't be read as a backup is passed over.
std::vector<FoundBackup> backupsIn(const std::filesystem::path& folder, const std::string& storeId);

}  // namespace waystation::server

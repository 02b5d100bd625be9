#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>

#include "server/node.h"
#include "server/node_backup.h"
#include "server/recurring.h"

namespace waystation::server {

// Where a backup is made every day, a folder or a disk by its label (server/backup_place.h), and
// how many are kept there.
struct BackupPlan {
  std::string place;
  int keep = 14;
};

// What the node remembers of its backups. When one is due, the disk itself says.
struct BackupStanding {
  std::optional<BackupPlan> plan;
  std::int64_t lastMs = 0;  // when the last one was made, wherever to; 0: none
  std::filesystem::path lastFile;
  std::string note;  // BackupResult::note of that one
};

BackupStanding backupStanding(Node& node);

// Plans a backup every day from now on, instead of what was planned. Leaves a mark in a folder, so
// that another disk in its place, or none, is told from it; a label tells that by itself. Throws
// Failure: "backup.unwritable", and as BackupPlace.
void planDailyBackups(Node& node, const BackupPlan& plan);
void endDailyBackups(Node& node);

// makeBackup, remembered.
BackupResult makeBackupOf(Node& node, const BackupOrder& order, const BackupProgress& progress);
// By the plan. Throws as makeBackup and BackupPlace; also Failure("backup.disk-missing") where a
// folder does not bear the node's mark.
BackupResult makePlannedBackup(Node& node, const BackupPlan& plan, const BackupProgress& progress);
// Whether the plan's disk holds no backup of the last 24 hours; one of the future is none. Throws
// as makePlannedBackup.
bool isBackupDue(Node& node, const BackupPlan& plan);

// Makes the planned backups while the server runs: at its start, where one is due, and then.
class DailyBackup {
 public:
  // One that was due.
  struct Attempt {
    std::optional<BackupResult> made;
    std::string code;     // where it was not made
    std::string failure;  // likewise: why, in a sentence; it is tried again
    std::int64_t atMs = 0;
  };

  static constexpr std::chrono::minutes kUsually{10};

  // Borrows the node. `tried` hears of each attempt, in the thread of this. `every`: how often it
  // looks whether one is due.
  explicit DailyBackup(Node& node, std::function<void(const Attempt&)> tried = {},
                       std::chrono::milliseconds every = kUsually);

  // What the thread does each time: makes one where it is due.
  void look();
  void start() { thread_.start(); }
  // Gives up one that is being made: nothing of it stays.
  void stop() { thread_.stop(); }
  // The last one, where it was not made, nor any by hand since; empty code: all is as planned.
  Attempt failed() const;

 private:
  std::optional<Attempt> makeWhereDue();

  Node& node_;
  const std::function<void(const Attempt&)> tried_;
  int looksToPass_ = 0;
  mutable std::mutex mutex_;
  Attempt failed_;
  Recurring thread_;  // the last: it ends before what it works with
};

}  // namespace waystation::server

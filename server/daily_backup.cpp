#include "server/daily_backup.h"

#include <algorithm>
#include <system_error>
#include <utility>
#include <vector>

#include "crypto/failure.h"
#include "crypto/key_slots.h"
#include "server/backup_place.h"
#include "server/http/json.h"
#include "storage/whole_file.h"
#include "sync/durable.h"

namespace waystation::server {
namespace {

constexpr std::int64_t kDayMs = 24 * 60 * 60 * 1000LL;
// A disk that is full or bad is not written to every few minutes; one that is plugged in is
// noticed.
constexpr int kLooksPassedAfterFailure = 5;
// In `meta`: BackupStanding as JSON.
constexpr const char* kStanding = "backups";

std::filesystem::path markIn(const std::filesystem::path& folder, Node& node) {
  return folder / (".waystation-" + node.config().name);
}

// Where the plan's disk is now.
std::filesystem::path folderOf(Node& node, const BackupPlan& plan) {
  const BackupPlace place(plan.place);
  const std::filesystem::path folder = place.find();
  std::error_code ignored;
  if (place.isByLabel() || std::filesystem::exists(markIn(folder, node), ignored)) return folder;
  throw Failure("backup.disk-missing",
                "The disk for the daily backup is not there: " + plan.place +
                    " does not hold the file " + markIn("", node).string() +
                    ". Nothing was written. Plug in and mount the disk, or name another one: "
                    "`waystation backup daily`.");
}

http::Json toJson(const BackupStanding& standing) {
  http::Json json = {{"lastMs", standing.lastMs},
                     {"lastFile", standing.lastFile.string()},
                     {"note", standing.note}};
  if (standing.plan) {
    json["place"] = standing.plan->place;
    json["keep"] = standing.plan->keep;
  }
  return json;
}

BackupStanding standingIn(storage::Store& store) {
  BackupStanding standing;
  const std::optional<std::string> text = store.meta(kStanding);
  if (!text) return standing;
  const http::Json json = http::parseJson(*text);
  standing.lastMs = json.at("lastMs").get<std::int64_t>();
  standing.lastFile = json.at("lastFile").get<std::string>();
  standing.note = json.at("note").get<std::string>();
  if (json.contains("place")) {
    standing.plan = {json.at("place").get<std::string>(), json.at("keep").get<int>()};
  }
  return standing;
}

template <typename F>
void changeStanding(Node& node, F&& change) {
  node.write([&](sync::Work& work) {
    BackupStanding standing = standingIn(work.store());
    change(standing);
    work.store().setMeta(kStanding, toJson(standing).dump());
  });
}

}  // namespace

BackupStanding backupStanding(Node& node) {
  return node.read(standingIn);
}

void planDailyBackups(Node& node, const BackupPlan& plan) {
  const BackupPlace place(plan.place);
  const std::filesystem::path folder = place.find();
  const std::string mark = "Backups of " + node.config().name + " are made here.\n";
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored) ||
      (!place.isByLabel() && storage::replaceFile(markIn(folder, node), mark) != 0)) {
    throw Failure("backup.unwritable", "The folder " + folder.string() +
                                           " can't be written to, or is not there. Nothing was "
                                           "planned; is the disk plugged in and mounted?");
  }
  changeStanding(node, [&](BackupStanding& standing) { standing.plan = plan; });
}

void endDailyBackups(Node& node) {
  changeStanding(node, [](BackupStanding& standing) { standing.plan.reset(); });
}

BackupResult makeBackupOf(Node& node, const BackupOrder& order, const BackupProgress& progress) {
  const BackupSource source = node.backupSource();
  const sync::CopyMark mark = node.read(sync::markCopy);
  BackupResult result = makeBackup(source, order, progress);
  changeStanding(node, [&](BackupStanding& standing) {
    standing.lastMs = source.nowMs;
    standing.lastFile = result.file;
    standing.note = result.note;
  });
  // What offices had brought until it began is safe twice.
  if (node.isHeadquarters()) {
    node.write([&](sync::Work& work) { sync::noteCopied(work.store(), mark, source.nowMs); });
  }
  return result;
}

BackupResult makePlannedBackup(Node& node, const BackupPlan& plan, const BackupProgress& progress) {
  BackupOrder order;
  order.target = folderOf(node, plan);
  order.keep = plan.keep;
  return makeBackupOf(node, order, [&](std::uint64_t done, std::uint64_t total) {
    // Once the folder is held open, and between the steps.
    if (total == 0 && folderOf(node, plan) != order.target) {
      throw Failure("backup.disk-missing",
                    "The disk for the daily backup was mounted elsewhere while the backup was "
                    "made, so there is no new one. It is tried again.");
    }
    progress(done, total);
  });
}

bool isBackupDue(Node& node, const BackupPlan& plan) {
  const std::filesystem::path folder = folderOf(node, plan);
  const std::int64_t now = node.clock().nowMs();
  const std::string store = crypto::KeySlots(Node::keyFile(node.directory())).storeId();
  const std::vector<FoundBackup> found = backupsIn(folder, store);
  return std::none_of(found.begin(), found.end(), [&](const FoundBackup& backup) {
    return backup.head.madeMs <= now && now - backup.head.madeMs < kDayMs;
  });
}

DailyBackup::DailyBackup(Node& node, std::function<void(const Attempt&)> tried,
                         std::chrono::milliseconds every)
    : node_(node),
      tried_(std::move(tried)),
      thread_(std::chrono::milliseconds(0), every, [this] { look(); }) {}

DailyBackup::Attempt DailyBackup::failed() const {
  Attempt failed;
  {
    const std::lock_guard lock(mutex_);
    failed = failed_;
  }
  if (failed.code.empty()) return failed;
  const BackupStanding standing = backupStanding(node_);
  return standing.plan && standing.lastMs < failed.atMs ? failed : Attempt{};
}

void DailyBackup::look() {
  if (looksToPass_ > 0) {
    --looksToPass_;
    return;
  }
  const std::int64_t now = node_.clock().nowMs();
  std::optional<Attempt> attempt = makeWhereDue();
  if (thread_.isStopping()) return;
  if (attempt) attempt->atMs = now;
  if (attempt && !attempt->made && attempt->code != "backup.disk-missing" &&
      attempt->code != "backup.disk-not-mounted") {
    looksToPass_ = kLooksPassedAfterFailure;
  }
  {
    const std::lock_guard lock(mutex_);
    failed_ = attempt && !attempt->made ? *attempt : Attempt{};
  }
  if (attempt && tried_) tried_(*attempt);
}

// Nothing where none was due.
std::optional<DailyBackup::Attempt> DailyBackup::makeWhereDue() {
  const auto goOn = [this](std::uint64_t, std::uint64_t) {
    if (thread_.isStopping()) throw Failure("command.cancelled", "The server is stopping.");
  };
  try {
    const BackupStanding standing = backupStanding(node_);
    if (!standing.plan || !isBackupDue(node_, *standing.plan)) return std::nullopt;
    return Attempt{makePlannedBackup(node_, *standing.plan, goOn), "", "", 0};
  } catch (const Failure& failure) {
    return Attempt{{}, failure.code(), failure.what(), 0};
  } catch (const std::filesystem::filesystem_error& failure) {
    return Attempt{{},
                   "backup.unreadable",
                   "The disk for the daily backup can't be used: " + failure.code().message() +
                       ". Check the disk.",
                   0};
  }
}

}  // namespace waystation::server

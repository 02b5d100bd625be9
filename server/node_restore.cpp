#include "server/node_restore.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>

#include "crypto/failure.h"
#include "server/directory_lock.h"
#include "server/node.h"
#include "server/node_keys.h"
#include "storage/backup.h"
#include "storage/backup_file.h"
#include "storage/chunk_store.h"
#include "storage/high_water_mark.h"
#include "storage/store.h"
#include "storage/whole_file.h"
#include "sync/reports.h"

namespace waystation::server {
namespace {

constexpr const char* kIncoming = "restore.new";
constexpr const char* kState = "restore.state";
// Its second line: what is to be done next.
constexpr std::string_view kAside = "aside";
constexpr std::string_view kInPlace = "in-place";
constexpr std::string_view kAsidePrefix = "before-restore-";

// What in a data directory is not the node's data.
bool stays(const std::string& name) {
  return name == "lock" || name == "control" || name.starts_with("restore.") ||
         name.starts_with(kAsidePrefix);
}

std::vector<std::filesystem::path> dataIn(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> data;
  if (!std::filesystem::exists(directory)) return data;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (!stays(entry.path().filename().string())) data.push_back(entry.path());
  }
  return data;
}

void writeState(const std::filesystem::path& directory, const std::string& aside, bool isAside) {
  const std::string content = aside + "\n" + std::string(isAside ? kInPlace : kAside) + "\n";
  const int error = storage::replaceFile(directory / kState, content);
  if (error == 0) return;
  throw Failure("restore.unwritable",
                "The restore can't be written down in " + directory.string() + ": " +
                    std::strerror(error) +
                    ". The old data and the backup are whole; make room or mend the disk, and "
                    "restore again.");
}

std::string asideName(const std::filesystem::path& directory) {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  std::string name = std::string(kAsidePrefix) + text;
  for (int i = 2; std::filesystem::exists(directory / name); ++i) {
    name = std::string(kAsidePrefix) + text + "-" + std::to_string(i);
  }
  return name;
}

void moveAll(const std::vector<std::filesystem::path>& files, const std::filesystem::path& to) {
  for (const std::filesystem::path& file : files) {
    std::filesystem::rename(file, to / file.filename());
  }
  storage::syncDirectory(to);
}

// The files of a backup, written and verified in a folder of their own. Removed again unless kept.
class Incoming {
 public:
  Incoming(const std::filesystem::path& directory, const RestoreOrder& order)
      : folder_(directory / kIncoming), order_(order) {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directory(folder_);
    ::chmod(folder_.c_str(), 0700);
  }
  ~Incoming() {
    std::error_code ignored;
    if (!kept_) std::filesystem::remove_all(folder_, ignored);
  }
  Incoming(const Incoming&) = delete;
  Incoming& operator=(const Incoming&) = delete;

  RestoreResult fill(storage::ByteSource source, const storage::BackupHead& head,
                     const std::function<crypto::SlotSecret()>& openSecret,
                     const BackupProgress& progress);
  void keep() {
    storage::syncDirectory(folder_);
    storage::syncDirectory(order_.directory);  // nothing may refer to it that outlasts it
    kept_ = true;
  }

 private:
  void writeFile(const std::string& name, std::string_view bytes) const;
  void openBase(const storage::BackupHead& head);
  void rebuild(storage::BackupReader& reader, const storage::BackupSection& section,
               const BackupProgress& progress);
  RestoreResult describe(const storage::BackupHead& head) const;

  std::filesystem::path folder_;
  const RestoreOrder& order_;
  std::optional<NodeKeys> keys_;
  crypto::Secret markKey_;
  std::unique_ptr<storage::BackupReader> base_;
  bool kept_ = false;
};

void Incoming::writeFile(const std::string& name, std::string_view bytes) const {
  storage::NewBackupFile file(folder_ / name);
  file.write(bytes);
  file.sync();
  file.keep();
}

void Incoming::openBase(const storage::BackupHead& head) {
  const std::filesystem::path folder =
      order_.file.has_parent_path() ? order_.file.parent_path() : ".";
  for (const FoundBackup& found : backupsIn(folder, head.storeId)) {
    if (found.head.name != head.base) continue;
    storage::ByteSource source = storage::openBackupFile(found.file);
    const storage::BackupHead baseHead = storage::readBackupHead(source);
    base_ = std::make_unique<storage::BackupReader>(source, keys_->backup, baseHead);
    return;
  }
  throw Failure("backup.base-missing",
                "This backup holds only what changed since a whole one, and that is not in the "
                "same folder. Nothing was changed; put both into one folder.");
}

void Incoming::rebuild(storage::BackupReader& reader, const storage::BackupSection& section,
                       const BackupProgress& progress) {
  const bool isOfRecords = section.name == kRecordsFile;
  if (!isOfRecords && section.name != kAttachmentsFile) {
    storage::throwDamagedBackup("it holds a database that this version does not know");
  }
  storage::BackupReader* below = nullptr;
  if (section.type == storage::BackupSection::Type::kDifference && base_ != nullptr) {
    if (!base_->comeTo(section.name)) {
      storage::throwDamagedBackup("the whole one below it is of another kind");
    }
    below = base_.get();
  }
  storage::RebuiltDatabase target(folder_ / section.name,
                                  isOfRecords ? keys_->database : keys_->files);
  storage::rebuildDatabase(target, reader, section, below,
                           [&](std::uint32_t page) { progress(page, section.pages); });
}

RestoreResult Incoming::describe(const storage::BackupHead& head) const {
  const NodeConfig config = Node::readConfig(folder_);
  storage::Database database(folder_ / kRecordsFile, keys_->database,
                             storage::OpenMode::kReadWrite);
  // Refuses a later version's; an earlier one's is brought up to this program's.
  storage::Store::createTables(database);
  if (std::filesystem::exists(folder_ / kAttachmentsFile)) {
    storage::Database attachments(folder_ / kAttachmentsFile, keys_->files,
                                  storage::OpenMode::kReadWrite);
    storage::ChunkStore::createTables(attachments);
  } else if (hasAttachments(database)) {
    storage::throwDamagedBackup("the attachments are not in it");
  }
  // Its offices are to say what it has decided since, before it decides again.
  if (config.role == Role::kHeadquarters) {
    storage::Store store(database);
    sync::noteSetBack(store);
  }
  // From here on this database is the newest there is, knowingly.
  storage::HighWaterMark mark(folder_ / "mark", markKey_, head.storeId);
  crypto::SystemRandom random;
  mark.raise(database, random);
  mark.accept(database);
  RestoreResult result;
  result.name = config.name;
  result.isHeadquarters = config.role == Role::kHeadquarters;
  result.madeMs = head.madeMs;
  result.records = storage::Store(database).countRecords("");
  return result;
}

RestoreResult Incoming::fill(storage::ByteSource source, const storage::BackupHead& head,
                             const std::function<crypto::SlotSecret()>& openSecret,
                             const BackupProgress& progress) {
  writeFile("keys.slots", head.keySlots);
  const crypto::KeySlots slots(folder_ / "keys.slots");
  if (slots.storeId() != head.storeId) storage::throwDamagedBackup("its key file is another's");
  const crypto::Secret master = slots.open(openSecret()).master;
  keys_.emplace(master, slots.storeId());
  markKey_ = storage::deriveMarkKey(master, slots.storeId());
  storage::BackupReader reader(std::move(source), keys_->backup, head);
  if (!head.isWhole()) openBase(head);
  bool hasRecords = false;
  for (;;) {
    const storage::BackupSection section = reader.next();
    if (section.type == storage::BackupSection::Type::kEnd) break;
    if (section.type == storage::BackupSection::Type::kFile) {
      if (section.name != "node.json") storage::throwDamagedBackup("it holds an unknown file");
      writeFile(section.name, section.bytes);
    } else {
      rebuild(reader, section, progress);
      hasRecords = hasRecords || section.name == kRecordsFile;
    }
  }
  if (!hasRecords) storage::throwDamagedBackup("it holds no database");
  return describe(head);
}

void requireSameNode(const std::filesystem::path& directory, const storage::BackupHead& head) {
  const std::filesystem::path file = Node::keyFile(directory);
  if (!std::filesystem::exists(file)) return;
  std::string there;
  try {
    there = crypto::KeySlots(file).storeId();
  } catch (const Failure&) {
    return;  // damaged: perhaps the reason for the restore; it is set aside with the rest
  }
  if (there == head.storeId) return;
  throw Failure("restore.other-node",
                "The data in " + directory.string() +
                    " belongs to another node than the backup. Nothing was changed; name another "
                    "--data.");
}

}  // namespace

RestoreResult restoreBackup(const RestoreOrder& order,
                            const std::function<crypto::SlotSecret()>& openSecret,
                            const BackupProgress& progress) {
  storage::ByteSource source = storage::openBackupFile(order.file);
  const storage::BackupHead head = storage::readBackupHead(source);
  const bool isNew = std::filesystem::create_directories(order.directory);
  if (isNew) ::chmod(order.directory.c_str(), 0700);
  const DirectoryLock lock = DirectoryLock::take(order.directory);
  finishRestore(order.directory);
  requireSameNode(order.directory, head);
  const std::vector<std::filesystem::path> data = dataIn(order.directory);
  if (!data.empty() && !order.setAside && !order.dryRun) {
    throw Failure("restore.exists",
                  "There is data in " + order.directory.string() +
                      " already. Nothing was changed; with --set-aside it is kept in a folder "
                      "beside the restored data.");
  }
  Incoming incoming(order.directory, order);
  RestoreResult result = incoming.fill(std::move(source), head, openSecret, progress);
  result.hadData = !data.empty();
  if (order.dryRun) return result;
  incoming.keep();
  const std::string aside = data.empty() ? "" : asideName(order.directory);
  if (!aside.empty()) result.aside = order.directory / aside;
  writeState(order.directory, aside, false);
  finishRestore(order.directory);
  return result;
}

bool isRestoreUnfinished(const std::filesystem::path& directory) {
  return std::filesystem::exists(directory / kState);
}

void finishRestore(const std::filesystem::path& directory) {
  if (!isRestoreUnfinished(directory)) return;
  std::ifstream file(directory / kState);
  std::string aside;
  std::string step;
  std::getline(file, aside);
  std::getline(file, step);
  const std::filesystem::path incoming = directory / kIncoming;
  if (step != kInPlace && (step != kAside || !std::filesystem::exists(incoming))) {
    throw Failure("restore.state-damaged",
                  "An interrupted restore can't be finished: " + (directory / kState).string() +
                      " is damaged, or the restored data beside it is gone. Nothing was changed: "
                      "copy the whole folder to another disk, then remove that file and restore "
                      "the backup again.");
  }
  if (step == kAside) {
    if (!aside.empty()) {
      std::filesystem::create_directory(directory / aside);
      ::chmod((directory / aside).c_str(), 0700);
      storage::syncDirectory(directory);  // the folder is there before anything goes into it
      moveAll(dataIn(directory), directory / aside);
      storage::syncDirectory(directory);
    }
    writeState(directory, aside, true);
  }
  if (std::filesystem::exists(incoming)) {
    std::vector<std::filesystem::path> files;
    for (const auto& entry : std::filesystem::directory_iterator(incoming)) {
      files.push_back(entry.path());
    }
    moveAll(files, directory);
  }
  std::filesystem::remove(directory / kState);
  std::filesystem::remove_all(incoming);
  storage::syncDirectory(directory);
}

std::vector<std::filesystem::path> dataSetAside(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(kAsidePrefix)) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace waystation::server

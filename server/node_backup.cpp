#include "server/node_backup.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <set>

#include "crypto/failure.h"
#include "crypto/key_slots.h"
#include "storage/backup.h"
#include "storage/backup_file.h"

namespace waystation::server {
namespace {

constexpr std::string_view kSuffix = ".wsbackup";
constexpr std::string_view kPartialSuffix = ".wsbackup.partial";
constexpr std::size_t kMostDifferences = 13;

std::string readWhole(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), {}};
  if (!in) {
    throw Failure("backup.unreadable",
                  "The file " + file.string() + " can't be read, so no backup was made.");
  }
  return bytes;
}

// One backup at a time into a folder: another one would tidy away what this one stands on.
class FolderLock {
 public:
  explicit FolderLock(const std::filesystem::path& folder)
      : descriptor_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (descriptor_ >= 0 && ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0) return;
    if (descriptor_ >= 0) ::close(descriptor_);
    throw Failure("backup.busy", "Another backup is being written to " + folder.string() +
                                     ", or the folder can't be opened. Nothing was changed.");
  }
  ~FolderLock() { ::close(descriptor_); }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  // Where a disk went away, its name now leads to the empty folder that it was mounted on.
  void requireStillAt(const std::filesystem::path& folder) const {
    struct stat held {};
    struct stat named {};
    if (::fstat(descriptor_, &held) == 0 && ::stat(folder.c_str(), &named) == 0 &&
        held.st_dev == named.st_dev && held.st_ino == named.st_ino) {
      return;
    }
    throw Failure("backup.disk-missing",
                  "The disk in " + folder.string() +
                      " went away while the backup was made, so there is no new one. Plug it in, "
                      "mount it, and try again.");
  }

 private:
  int descriptor_;
};

// Of a backup that is read, against what may be thrown beside it.
bool tellsOfDamage(const Failure& failure) {
  static const std::set<std::string_view> codes = {"backup.damaged", "backup.cut-short",
                                                   "backup.unreadable", "backup.foreign-file",
                                                   "backup.newer"};
  return codes.contains(failure.code());
}

std::string timeInName(std::int64_t ms) {
  const std::time_t seconds = ms / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &parts);
  return text;
}

std::filesystem::path nameIn(const std::filesystem::path& folder, const BackupSource& source,
                             bool isWhole) {
  const std::string stem =
      source.name + "-" + timeInName(source.nowMs) + (isWhole ? "-whole" : "-difference");
  std::filesystem::path file = folder / (stem + std::string(kSuffix));
  for (int i = 2; std::filesystem::exists(file); ++i) {
    file = folder / (stem + "-" + std::to_string(i) + std::string(kSuffix));
  }
  return file;
}

// One run of making a backup.
class Making {
 public:
  Making(const BackupSource& source, const BackupProgress& progress)
      : source_(source),
        progress_(progress),
        keySlots_(readWhole(source.directory / "keys.slots")),
        config_(readWhole(source.directory / "node.json")),
        storeId_(crypto::KeySlots(source.directory / "keys.slots").storeId()) {}

  const std::string& storeId() const { return storeId_; }

  BackupResult whole(const std::filesystem::path& target) {
    return write(target, nullptr, nullptr);
  }
  // Nothing where so much has changed that a whole one is better.
  std::optional<BackupResult> difference(const std::filesystem::path& target,
                                         const FoundBackup& base);

 private:
  BackupResult write(const std::filesystem::path& target, const FoundBackup* base,
                     bool* changedTooMuch);
  void addDatabases(storage::BackupWriter& writer, storage::BackupReader* below,
                    BackupResult& result);
  void verify(const std::filesystem::path& file) const;

  const BackupSource& source_;
  const BackupProgress& progress_;
  std::string keySlots_;
  std::string config_;
  std::string storeId_;
};

std::optional<BackupResult> Making::difference(const std::filesystem::path& target,
                                               const FoundBackup& base) {
  bool changedTooMuch = false;
  BackupResult result = write(target, &base, &changedTooMuch);
  if (changedTooMuch) return std::nullopt;
  return result;
}

BackupResult Making::write(const std::filesystem::path& target, const FoundBackup* base,
                           bool* changedTooMuch) {
  progress_(0, 0);
  BackupResult result;
  result.file = target;
  result.isWhole = base == nullptr;
  storage::BackupHead head;
  head.storeId = storeId_;
  head.salt = crypto::SystemRandom().bytes(32);
  head.madeMs = source_.nowMs;
  head.keySlots = keySlots_;
  std::optional<storage::BackupReader> below;
  if (base != nullptr) {
    head.base = base->head.name;
    storage::ByteSource bytes = storage::openBackupFile(base->file);
    const storage::BackupHead baseHead = storage::readBackupHead(bytes);
    below.emplace(bytes, source_.key, baseHead);
  }
  storage::NewBackupFile file(target);
  file.write(storage::encodeBackupHead(head));
  storage::BackupWriter writer([&](std::string_view bytes) { file.write(bytes); }, source_.key,
                               head);
  writer.addFile("node.json", config_);
  addDatabases(writer, below ? &*below : nullptr, result);
  if (below) {
    below->skipToEnd();
    *changedTooMuch = result.changed > result.pages / 2;
    if (*changedTooMuch) return result;
  }
  writer.finish();
  file.sync();
  verify(file.partial());
  result.bytes = std::filesystem::file_size(file.partial());
  file.keep();
  return result;
}

void Making::addDatabases(storage::BackupWriter& writer, storage::BackupReader* below,
                          BackupResult& result) {
  std::vector<storage::SnapshotSource> sources;
  for (const NodeDatabase& database : source_.databases) {
    sources.push_back({database.connections, source_.directory / database.name, database.key});
  }
  auto snapshots = storage::Snapshot::ofAll(sources, [this] {
    progress_(0, 0);
    return false;
  });
  for (const auto& snapshot : snapshots) result.pages += snapshot->pages();
  std::uint64_t done = 0;
  for (std::size_t i = 0; i < snapshots.size(); ++i) {
    const std::string& name = source_.databases[i].name;
    const auto tell = [&](std::uint32_t page) { progress_(done + page, result.pages); };
    const std::uint32_t pages = snapshots[i]->pages();
    if (below != nullptr && below->comeTo(name)) {
      result.changed += writer.addDifference(name, *snapshots[i], *below, tell);
    } else {
      // Also in a difference, where the whole backup is of before there was this database.
      writer.addDatabase(name, *snapshots[i], tell);
      if (below != nullptr) result.changed += pages;
    }
    done += pages;
    snapshots[i].reset();  // its log may be folded again
  }
}

void Making::verify(const std::filesystem::path& file) const {
  try {
    const storage::ByteSource onDisk = storage::openBackupFile(file);
    const storage::ByteSource bytes = [&](char* out, std::size_t size) {
      progress_(0, 0);
      return onDisk(out, size);
    };
    const storage::BackupHead head = storage::readBackupHead(bytes);
    storage::BackupReader(bytes, source_.key, head).skipToEnd();
  } catch (const Failure& failure) {
    if (!tellsOfDamage(failure)) throw;
    throw Failure("backup.not-verified",
                  "The disk did not give back the backup that was written to it, so it was not "
                  "kept. The backups before it are untouched; take another disk. (" +
                      std::string(failure.what()) + ")");
  }
}

bool endsIn(const std::filesystem::path& file, std::string_view suffix) {
  const std::string name = file.filename().string();
  return name.size() > suffix.size() && name.ends_with(suffix);
}

std::optional<storage::BackupHead> headOf(const std::filesystem::path& file) {
  try {
    return storage::readBackupHead(storage::openBackupFile(file));
  } catch (const Failure&) {
    return std::nullopt;
  }
}

// The newest whole backup, unless enough stands on it.
const FoundBackup* baseAmong(const std::vector<FoundBackup>& found) {
  for (const FoundBackup& backup : found) {
    if (!backup.head.isWhole()) continue;
    const auto standing = std::count_if(found.begin(), found.end(), [&](const FoundBackup& other) {
      return other.head.base == backup.head.name;
    });
    return static_cast<std::size_t>(standing) < kMostDifferences ? &backup : nullptr;
  }
  return nullptr;
}

// Keeps the one just made, the newest ones and what they stand on, removes the rest and what
// cut-off backups left.
std::vector<std::filesystem::path> tidy(const std::filesystem::path& folder,
                                        const std::string& storeId,
                                        const std::filesystem::path& made, int keep) {
  std::vector<std::filesystem::path> removed;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!endsIn(entry.path(), kPartialSuffix)) continue;
    const std::optional<storage::BackupHead> head = headOf(entry.path());
    if (head && head->storeId == storeId) removed.push_back(entry.path());
  }
  const std::vector<FoundBackup> found = backupsIn(folder, storeId);
  std::set<std::string> needed;
  int others = keep - 1;
  for (const FoundBackup& backup : found) {
    // By a clock that was put back, the one just made may be the oldest.
    if (backup.file != made && others-- <= 0) continue;
    needed.insert(backup.head.name);
    needed.insert(backup.head.base);
  }
  for (const FoundBackup& backup : found) {
    if (!needed.contains(backup.head.name)) removed.push_back(backup.file);
  }
  for (const std::filesystem::path& file : removed) std::filesystem::remove(file);
  if (!removed.empty()) storage::syncDirectory(folder);
  return removed;
}

BackupResult intoFolder(const BackupSource& source, const BackupOrder& order,
                        const BackupProgress& progress) {
  const FolderLock lock(order.target);
  const BackupProgress progressThere = [&](std::uint64_t done, std::uint64_t total) {
    if (total == 0) lock.requireStillAt(order.target);
    progress(done, total);
  };
  Making making(source, progressThere);
  const std::vector<FoundBackup> found = backupsIn(order.target, making.storeId());
  const FoundBackup* base = order.isWhole ? nullptr : baseAmong(found);
  std::optional<BackupResult> result;
  std::string note;
  if (base != nullptr) {
    try {
      result = making.difference(nameIn(order.target, source, false), *base);
    } catch (const Failure& failure) {
      if (!tellsOfDamage(failure)) throw;
      note = "The earlier backup " + base->file.string() +
             " is damaged, so a whole one was made beside it. Check that disk. (" + failure.what() +
             ")";
    }
  }
  if (!result) result = making.whole(nameIn(order.target, source, true));
  result->note = note;
  result->removed = tidy(order.target, making.storeId(), result->file, order.keep);
  return *result;
}

}  // namespace

std::vector<FoundBackup> backupsIn(const std::filesystem::path& folder,
                                   const std::string& storeId) {
  std::vector<FoundBackup> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (!endsIn(entry.path(), kSuffix) || !entry.is_regular_file()) continue;
    std::optional<storage::BackupHead> head = headOf(entry.path());
    if (head && head->storeId == storeId) found.push_back({entry.path(), std::move(*head)});
  }
  std::sort(found.begin(), found.end(), [](const FoundBackup& a, const FoundBackup& b) {
    return a.head.madeMs > b.head.madeMs;
  });
  return found;
}

BackupResult makeBackup(const BackupSource& source, const BackupOrder& order,
                        const BackupProgress& progress) {
  if (std::filesystem::is_directory(order.target)) return intoFolder(source, order, progress);
  return Making(source, progress).whole(order.target);
}

}  // namespace waystation::server

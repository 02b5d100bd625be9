#include "storage/snapshot.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <thread>

#include "crypto/failure.h"
#include "storage/encrypting_vfs.h"
#include "storage/verify.h"

namespace waystation::storage {

namespace {

constexpr auto kPageStep = static_cast<std::int64_t>(kPageSize);
constexpr int kSnapshotCacheKiB = 256;
constexpr int kReadTries = 5;
constexpr int kHoldTries = 600;
constexpr std::chrono::milliseconds kBetweenTries{100};

void setPatience(Database& database, int milliseconds) {
  database.statement("PRAGMA busy_timeout = " + std::to_string(milliseconds)).run();
}

// Whether the log is empty now. Does not wait for readers longer than a moment: whoever saves,
// waits with it.
bool foldLog(Database& writer) {
  constexpr int kMomentMs = 50;
  constexpr int kUsualMs = 10'000;
  setPatience(writer, kMomentMs);
  bool folded = false;
  {
    Statement checkpoint = writer.statement("PRAGMA wal_checkpoint(TRUNCATE)");
    folded = checkpoint.step() && checkpoint.integer(0) == 0;
  }
  setPatience(writer, kUsualMs);
  return folded;
}

// What is read next comes from the disk. Only for a file that nobody has open: closing a second
// descriptor would drop the process's locks on it.
void dropFromMemory(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
  ::close(descriptor);
}

}  // namespace

Snapshot::Snapshot(const SnapshotSource& source)
    : store_(EncryptingVfs::instance().acquire(source.file, source.key, OpenMode::kReadOnly)),
      reader_(source.file, source.key, OpenMode::kReadOnly, kSnapshotCacheKiB),
      format_(store_->keys(), store_->random()) {}

std::vector<std::unique_ptr<Snapshot>> Snapshot::ofAll(const std::vector<SnapshotSource>& sources,
                                                       const std::function<bool()>& giveUp) {
  std::vector<std::unique_ptr<Snapshot>> snapshots;
  for (const SnapshotSource& source : sources) {
    snapshots.push_back(std::unique_ptr<Snapshot>(new Snapshot(source)));
  }
  for (int tries = 0; !tryHoldAll(sources, snapshots); ++tries) {
    if (tries == kHoldTries || giveUp()) {
      throw Failure("backup.busy",
                    "The store was read without a pause, so no backup could be begun. Nothing was "
                    "changed; try again when less is done.");
    }
    std::this_thread::sleep_for(kBetweenTries);
  }
  return snapshots;
}

Snapshot::~Snapshot() {
  letGo();
}

void Snapshot::letGo() {
  try {
    if (reader_.inTransaction()) reader_.execute("COMMIT");
  } catch (const Failure&) {
    // It was only read; closing ends it.
  }
}

bool Snapshot::tryHoldAll(const std::vector<SnapshotSource>& sources,
                          const std::vector<std::unique_ptr<Snapshot>>& snapshots) {
  std::vector<Connections::Lease> writers;
  for (const SnapshotSource& source : sources) writers.push_back(source.connections.writer());
  for (std::size_t i = 0; i < snapshots.size(); ++i) {
    if (snapshots[i]->tryHold(*writers[i])) continue;
    for (const auto& snapshot : snapshots) snapshot->letGo();
    return false;
  }
  return true;
}

// A reader that begins while the log is empty reads the file alone, and SQLite writes nothing to
// the file (it checkpoints nothing) as long as there is such a reader.
bool Snapshot::tryHold(Database& writer) {
  if (!foldLog(writer)) return false;
  reader_.execute("BEGIN");
  reader_.statement("SELECT count(*) FROM sqlite_schema").run();
  struct stat log {};
  if (::stat((store_->path() + "-wal").c_str(), &log) == 0 && log.st_size != 0) {
    return false;
  }
  pages_ = static_cast<std::uint32_t>(store_->size() / kPageStep);
  return true;
}

void Snapshot::read(std::uint32_t number, char* body) {
  for (int tries = 0; tries < kReadTries; ++tries) {
    const std::int64_t offset = (static_cast<std::int64_t>(number) - 1) * kPageStep;
    if (store_->read(sealed_.data(), kPageSize, offset) == SQLITE_OK &&
        format_.openPage(PageDomain::kStore, number, sealed_.data(), plain_.data())) {
      std::memcpy(body, plain_.data(), kPageBodySize);
      return;
    }
  }
  throw Failure("store.damaged-page",
                "Page " + std::to_string(number) + " of " + store_->path() +
                    " was changed or damaged on the disk. Check the disk, and restore the store "
                    "from an earlier backup.");
}

RebuiltDatabase::RebuiltDatabase(const std::filesystem::path& file, const crypto::Secret& key)
    : file_(file), key_(key.clone()) {
  // Whatever a store has beside its pages is made as for any new one.
  Database(file, key, OpenMode::kCreate).execute("PRAGMA user_version");
  store_ = EncryptingVfs::instance().acquire(file, key, OpenMode::kReadWrite);
  format_ = std::make_unique<PageFormat>(store_->keys(), store_->random());
  if (store_->truncate(0) != SQLITE_OK) {
    throw Failure("store.sqlite", store_->path() + " can't be written to.");
  }
}

void RebuiltDatabase::append(const char* body) {
  ++pages_;
  std::memcpy(plain_.data(), body, kPageBodySize);
  std::memset(plain_.data() + kPageBodySize, 0, kReservedSize);
  if (!PageFormat::isOfOurShape(pages_, plain_.data())) {
    throw Failure("backup.damaged",
                  "The backup's database has another shape. Nothing was changed.");
  }
  format_->sealPage(PageDomain::kStore, pages_, plain_.data(), sealed_.data());
  const std::int64_t offset = (static_cast<std::int64_t>(pages_) - 1) * kPageStep;
  const int result = store_->write(sealed_.data(), kPageSize, offset);
  if (result == SQLITE_OK) return;
  throw Failure(result == SQLITE_FULL ? "store.full" : "store.sqlite",
                "The database can't be written: is the disk full? What was there before is as it "
                "was.");
}

void RebuiltDatabase::finish() {
  store_->sync();
  format_.reset();
  store_.reset();
  dropFromMemory(file_);
  const std::vector<std::string> damage = verifyPages(file_, key_);
  if (!damage.empty()) {
    throw Failure("store.damaged-page", "The disk does not give back what was written to it: " +
                                            damage.front() + " Check the disk.");
  }
  Database database(file_, key_, OpenMode::kReadOnly);
  Statement check = database.statement("PRAGMA integrity_check(1)");
  if (!check.step() || check.view(0) != "ok") {
    throw Failure("store.damaged-page", "The database in the backup is damaged: " + check.text(0) +
                                            ". Nothing was changed; take an earlier backup.");
  }
}

}  // namespace waystation::storage

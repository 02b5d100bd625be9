#include "storage/snapshot.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
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

}  // namespace

Snapshot::Snapshot(Connections& connections, const std::filesystem::path& file,
                   const crypto::Secret& key, const std::function<bool()>& giveUp)
    : store_(EncryptingVfs::instance().acquire(file, key, OpenMode::kReadOnly)),
      reader_(file, key, OpenMode::kReadOnly, kSnapshotCacheKiB),
      format_(store_->keys(), store_->random()) {
  for (int tries = 0; !tryHold(connections); ++tries) {
    if (tries == kHoldTries || giveUp()) {
      throw Failure("backup.busy",
                    "The store was read without a pause, so no backup could be begun. Nothing was "
                    "changed; try again when less is done.");
    }
    std::this_thread::sleep_for(kBetweenTries);
  }
}

Snapshot::~Snapshot() {
  try {
    if (reader_.inTransaction()) reader_.execute("COMMIT");
  } catch (const Failure&) {
    // It was only read; closing ends it.
  }
}

// A reader that begins while the log is empty reads the file alone, and SQLite writes nothing to
// the file (it checkpoints nothing) as long as there is such a reader.
bool Snapshot::tryHold(Connections& connections) {
  const Connections::Lease writer = connections.writer();
  if (!foldLog(*writer)) return false;
  reader_.execute("BEGIN");
  reader_.statement("SELECT count(*) FROM sqlite_schema").run();
  struct stat log {};
  if (::stat((store_->path() + "-wal").c_str(), &log) == 0 && log.st_size != 0) {
    reader_.execute("COMMIT");
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
  // No connection is open here, so closing this again drops nobody's lock.
  descriptor_ = ::open(store_->path().c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  if (descriptor_ < 0) {
    throw Failure("store.sqlite", store_->path() + " can't be written to.");
  }
}

RebuiltDatabase::~RebuiltDatabase() {
  if (descriptor_ >= 0) ::close(descriptor_);
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
  std::size_t done = 0;
  while (done < kPageSize) {
    const ssize_t written = ::write(descriptor_, sealed_.data() + done, kPageSize - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      throw Failure(errno == ENOSPC ? "store.full" : "store.sqlite",
                    std::string("The database can't be written: ") + std::strerror(errno) +
                        ". What was there before is as it was.");
    }
    done += static_cast<std::size_t>(written);
  }
  store_->setSize(static_cast<std::int64_t>(pages_) * kPageStep);
}

void RebuiltDatabase::finish() {
  if (::fsync(descriptor_) != 0) {
    throw Failure("store.sqlite",
                  "The disk failed to keep the database (fsync). What was there "
                  "before is as it was; check the disk.");
  }
  ::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_DONTNEED);
  ::close(descriptor_);
  descriptor_ = -1;
  format_.reset();
  store_.reset();
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

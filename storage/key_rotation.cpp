#include "storage/key_rotation.h"

#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "crypto/failure.h"
#include "storage/store_file.h"

namespace waystation::storage {

namespace {

constexpr auto kPageStep = static_cast<std::int64_t>(kPageSize);
constexpr std::int64_t kPagesInBatch = 512;
// How often the log is folded into the database meanwhile, which nobody else can while a batch is
// being written.
constexpr int kBatchesBetweenFolds = 16;
constexpr int kCheckpointSlot = 1;  // WAL_CKPT_LOCK of SQLite's WAL index
constexpr std::chrono::milliseconds kPause{5};
constexpr int kUsualPatienceMs = 10'000;
constexpr int kShortPatienceMs = 50;

// Whoever holds this is the only one to write to the database file: in WAL mode only checkpoints
// do.
class CheckpointLock {
 public:
  explicit CheckpointLock(WalIndex& index) : index_(index) {
    while (!index_.lockExclusive(holder_, kCheckpointSlot, 1)) std::this_thread::sleep_for(kPause);
  }
  ~CheckpointLock() { index_.unlock(holder_, kCheckpointSlot, 1); }
  CheckpointLock(const CheckpointLock&) = delete;
  CheckpointLock& operator=(const CheckpointLock&) = delete;

 private:
  WalIndex& index_;
  WalIndex::Holder holder_;
};

class Rotation {
 public:
  Rotation(Database& connection, const std::function<bool(const RotationProgress&)>& goesOn)
      : connection_(connection),
        store_(*connection.storeFile()),
        goesOn_(goesOn),
        format_(store_.keys(), store_.random()) {}

  RotationEnd run();

 private:
  bool foldLog();
  void collectBatch(std::int64_t from, std::int64_t to);
  void reseal(std::uint32_t number);
  void overwriteBatch();
  void removeBatchFile();
  PlainFile& batchFile();
  void require(int result, const char* what) const;

  Database& connection_;
  StoreFile& store_;
  const std::function<bool(const RotationProgress&)>& goesOn_;
  PageFormat format_;
  RotationProgress progress_;
  std::string batch_;  // records: number, page sealed under the new key
  std::unique_ptr<PlainFile> batchFile_;
  std::array<char, kPageSize> sealed_;
  std::array<char, kPageSize> plain_;
};

RotationEnd Rotation::run() {
  if (!store_.hasOldEpochs()) store_.beginEpoch();
  // From here on everything new is under the new key. What the log still holds under the old one
  // goes, so that no checkpoint and no recovery can bring it back.
  if (!foldLog()) return RotationEnd::kStopped;
  int batches = 0;
  for (std::int64_t page = 0; page * kPageStep < store_.size(); page += kPagesInBatch) {
    {
      const CheckpointLock lock(store_.walIndex());
      collectBatch(page, page + kPagesInBatch);
      if (!batch_.empty()) overwriteBatch();
    }
    progress_.pages = static_cast<std::uint64_t>(store_.size() / kPageStep);
    progress_.pagesDone =
        std::min(progress_.pages, static_cast<std::uint64_t>(page + kPagesInBatch));
    if (!goesOn_(progress_)) return RotationEnd::kStopped;
    if (++batches % kBatchesBetweenFolds == 0) {
      connection_.statement("PRAGMA wal_checkpoint(PASSIVE)").run();
    }
  }
  removeBatchFile();
  store_.forgetOldEpochs();
  return RotationEnd::kFinished;
}

// With little patience at a time: while it waits for readers, nobody can save.
bool Rotation::foldLog() {
  progress_.pages = static_cast<std::uint64_t>(store_.size() / kPageStep);
  connection_.statement("PRAGMA busy_timeout = " + std::to_string(kShortPatienceMs)).run();
  bool isFolded = false;
  bool isStopped = false;
  while (!isFolded && !isStopped) {
    {
      Statement fold = connection_.statement("PRAGMA wal_checkpoint(TRUNCATE)");
      isFolded = fold.step() && fold.integer(0) == 0;
    }
    if (isFolded) break;
    isStopped = !goesOn_(progress_);
    if (!isStopped) std::this_thread::sleep_for(kPause);
  }
  connection_.statement("PRAGMA busy_timeout = " + std::to_string(kUsualPatienceMs)).run();
  return isFolded;
}

void Rotation::collectBatch(std::int64_t from, std::int64_t to) {
  batch_.clear();
  const std::uint32_t newest = store_.keys().current();
  for (std::int64_t page = from; page < to && page * kPageStep < store_.size(); ++page) {
    require(store_.read(sealed_.data(), kPageSize, page * kPageStep), "read");
    if (PageFormat::epochOf(sealed_.data()) != newest) {
      reseal(static_cast<std::uint32_t>(page + 1));
    }
  }
}

void Rotation::reseal(std::uint32_t number) {
  if (!format_.openPage(PageDomain::kStore, number, sealed_.data(), plain_.data())) {
    throw Failure("store.damaged-page",
                  "Page " + std::to_string(number) + " of " + store_.path() +
                      " was changed or damaged on the disk, so the keys can't be changed to the "
                      "end. Both keys are kept. Mend the store, then go on.");
  }
  format_.sealPage(PageDomain::kStore, number, plain_.data(), sealed_.data());
  std::array<char, 4> word;
  storeBigEndian32(word.data(), number);
  batch_.append(word.data(), word.size());
  batch_.append(sealed_.data(), sealed_.size());
}

// A page that is torn while it is overwritten is in the batch's file, on the disk before.
void Rotation::overwriteBatch() {
  // Record by record: SQLite's VFS takes no more than 128 KiB at a time.
  for (std::size_t at = 0; at < batch_.size(); at += kBatchRecordSize) {
    require(batchFile().write(batch_.data() + at, kBatchRecordSize, static_cast<std::int64_t>(at)),
            "write beside");
  }
  batchFile().sync();
  for (std::size_t at = 0; at < batch_.size(); at += kBatchRecordSize) {
    const std::int64_t page = loadBigEndian32(batch_.data() + at) - std::int64_t{1};
    require(store_.write(batch_.data() + at + 4, kPageSize, page * kPageStep), "write to");
  }
  store_.sync();
  require(batchFile().truncate(0), "write beside");
}

PlainFile& Rotation::batchFile() {
  if (!batchFile_) {
    // As a journal: the VFS underneath syncs the directory with the first sync of a new one.
    constexpr int kFlags = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    int result = SQLITE_CANTOPEN;
    auto opened =
        std::make_unique<PlainFile>(store_.plain(), store_.batchName(), kFlags, nullptr, result);
    require(result, "write beside");
    batchFile_ = std::move(opened);
  }
  return *batchFile_;
}

void Rotation::removeBatchFile() {
  batchFile_.reset();
  const int result = store_.plain().xDelete(&store_.plain(), store_.batchName(), 1);
  if (result != SQLITE_IOERR_DELETE_NOENT) require(result, "write beside");
}

void Rotation::require(int result, const char* what) const {
  if (result == SQLITE_OK) return;
  throw Failure(result == SQLITE_FULL ? "store.full" : "store.sqlite",
                std::string("It was not possible to ") + what + " " + store_.path() +
                    ". The store is whole, under both keys; make room or mend the disk, then go "
                    "on.");
}

}  // namespace

RotationEnd rotateKey(Database& connection,
                      const std::function<bool(const RotationProgress&)>& goesOn) {
  StoreFile* const store = connection.storeFile();
  Statement mode = connection.statement("PRAGMA journal_mode");
  if (store == nullptr || !mode.step() || mode.text(0) != "wal") {
    throw Failure("store.sqlite", "Only a store on the disk, with a log, can change its key.");
  }
  mode.reset();
  const std::unique_lock lock(store->rotation(), std::try_to_lock);
  if (!lock.owns_lock()) {
    throw Failure("store.busy", "The keys of " + store->path() + " are being changed already.");
  }
  return Rotation(connection, goesOn).run();
}

bool isRotationUnfinished(const Database& connection) {
  const StoreFile* const store = connection.storeFile();
  return store != nullptr && store->hasOldEpochs();
}

std::uint32_t keyEpoch(const Database& connection) {
  const StoreFile* const store = connection.storeFile();
  return store == nullptr ? 1 : store->keys().current();
}

}  // namespace waystation::storage

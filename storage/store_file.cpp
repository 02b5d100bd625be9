#include "storage/store_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <map>
#include <new>
#include <string_view>
#include <utility>

#include "crypto/failure.h"
#include "crypto/hash.h"

namespace waystation::storage {

namespace {

constexpr std::size_t kEpochKeySize = 32;
// More rotations than that there are not in the life of a database.
constexpr std::uint32_t kMostEpochs = 1U << 20;

}  // namespace

StoreFile::StoreFile(sqlite3_vfs& plain, std::string path, const crypto::Secret& key, OpenMode mode)
    : plain_(plain),
      path_(std::move(path)),
      ringName_(path_ + "-keys"),
      batchName_(path_ + "-rekey"),
      databaseKey_(key.clone()),
      keys_(key),
      ring_(plain, ringName_.c_str(), random_) {
  name_ = sqlite3_create_filename(path_.c_str(), (path_ + "-journal").c_str(),
                                  (path_ + "-wal").c_str(), 0, nullptr);
  if (name_ == nullptr) throw std::bad_alloc();
  try {
    open(mode);
    lockAndCheck(mode);
  } catch (...) {
    file_.reset();
    sqlite3_free_filename(name_);
    throw;
  }
}

StoreFile::~StoreFile() {
  // Closing is what lets other processes in.
  file_.reset();
  sqlite3_free_filename(name_);
}

void StoreFile::open(OpenMode mode) {
  // Writable even for readers, since only then can the lock be exclusive; the VFS falls back to
  // reading where the file allows no more.
  const int flags = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_READWRITE |
                    (mode == OpenMode::kCreate ? SQLITE_OPEN_CREATE : 0);
  int granted = 0;
  int result = SQLITE_CANTOPEN;
  file_ = std::make_unique<PlainFile>(plain_, name_, flags, &granted, result);
  if (result != SQLITE_OK) {
    throw Failure("store.missing",
                  path_ + " can't be opened. Is it there, and may this user read it?");
  }
  isWritable_ = (granted & SQLITE_OPEN_READONLY) == 0;
}

void StoreFile::lockAndCheck(OpenMode mode) {
  sqlite3_file* const file = file_->get();
  int result = file->pMethods->xLock(file, SQLITE_LOCK_SHARED);
  if (result == SQLITE_OK && isWritable_) {
    result = file->pMethods->xLock(file, SQLITE_LOCK_EXCLUSIVE);
  }
  if (result != SQLITE_OK) {
    throw Failure("store.busy", path_ +
                                    " is in use by another process. Stop it, or ask it: "
                                    "commands talk to the running server.");
  }
  std::int64_t size = 0;
  if (file_->size(size) != SQLITE_OK) {
    throw Failure("store.foreign-file",
                  path_ + " is not a file of Waystation's. It was left as it is.");
  }
  setSize(size);
  if (size == 0) {
    checkEmpty(mode);
  } else {
    loadKeys();
    mendFromBatch();
    checkKey(mode);
  }
}

bool StoreFile::isUnder(const crypto::Secret& databaseKey) const {
  return crypto::equalConstantTime(databaseKey_.view(), databaseKey.view());
}

void StoreFile::loadKeys() {
  std::optional<KeyRing::Content> content = ring_.load(databaseKey_);
  // A ring that was left beside a database of before the first rotation, or put in its place later.
  if (!content || (!content->keys.contains(1) && isOfFirstEpoch())) return;
  keys_.replace(std::move(content->keys), content->current);
}

bool StoreFile::isOfFirstEpoch() {
  PageFormat format(keys_, random_);
  std::array<char, kPageSize> sealed;
  std::array<char, kPageSize> page;
  return read(sealed.data(), sealed.size(), 0) == SQLITE_OK &&
         format.openPage(PageDomain::kStore, 1, sealed.data(), page.data());
}

void StoreFile::beginEpoch() {
  KeyRing::Content content{keys_.current() + 1, keys_.keys()};
  crypto::Secret key(kEpochKeySize);
  random_.fill(key.data(), key.size());
  content.keys.emplace(content.current, std::move(key));
  ring_.save(databaseKey_, content);
  keys_.replace(std::move(content.keys), content.current);
}

void StoreFile::forgetOldEpochs() {
  KeyRing::Content content{keys_.current(), keys_.keys()};
  std::erase_if(content.keys, [&](const auto& entry) { return entry.first != content.current; });
  ring_.save(databaseKey_, content);
  keys_.replace(std::move(content.keys), content.current);
}

// A page of the batch that does not authenticate in the database was torn while it was overwritten.
// What SQLite's recovery would mend better, it mends afterwards.
void StoreFile::mendFromBatch() {
  const std::unique_ptr<PlainFile> batch = openBeside(batchName_.c_str(), SQLITE_OPEN_MAIN_JOURNAL);
  if (!batch || !isWritable_) return;
  PageFormat format(keys_, random_);
  std::array<char, kBatchRecordSize> record;
  std::array<char, kPageSize> sealed;
  std::array<char, kPageSize> page;
  bool mended = false;
  for (std::int64_t at = 0; batch->read(record.data(), record.size(), at) == SQLITE_OK;
       at += static_cast<std::int64_t>(record.size())) {
    const std::uint32_t number = loadBigEndian32(record.data());
    const auto offset =
        (static_cast<std::int64_t>(number) - 1) * static_cast<std::int64_t>(kPageSize);
    if (number == 0 || offset >= size()) continue;
    if (read(sealed.data(), sealed.size(), offset) == SQLITE_OK &&
        format.openPage(PageDomain::kStore, number, sealed.data(), page.data())) {
      continue;
    }
    if (!format.openPage(PageDomain::kStore, number, record.data() + 4, page.data())) continue;
    if (write(record.data() + 4, kPageSize, offset) != SQLITE_OK) {
      throw Failure("store.sqlite", path_ + " can't be written to, and has a page to mend.");
    }
    mended = true;
  }
  if (mended) sync();
}

int StoreFile::read(char* out, std::size_t size, std::int64_t offset) {
  const std::lock_guard lock(mutex_);
  return file_->read(out, size, offset);
}

int StoreFile::write(const char* bytes, std::size_t size, std::int64_t offset) {
  const std::lock_guard lock(mutex_);
  const int result = file_->write(bytes, size, offset);
  const std::int64_t end = offset + static_cast<std::int64_t>(size);
  if (result == SQLITE_OK && end > size_) size_ = end;
  return result;
}

int StoreFile::truncate(std::int64_t size) {
  const std::lock_guard lock(mutex_);
  const int result = file_->truncate(size);
  if (result == SQLITE_OK) size_ = size;
  return result;
}

void StoreFile::sync() {
  const std::lock_guard lock(mutex_);
  file_->sync();
}

std::unique_ptr<PlainFile> StoreFile::openBeside(const char* name, int kind) {
  int exists = 0;  // an empty file does not count
  if (plain_.xAccess(&plain_, name, SQLITE_ACCESS_EXISTS, &exists) != SQLITE_OK || exists == 0) {
    return nullptr;
  }
  int result = SQLITE_CANTOPEN;
  auto file =
      std::make_unique<PlainFile>(plain_, name, kind | SQLITE_OPEN_READONLY, nullptr, result);
  if (result == SQLITE_OK) return file;
  throw Failure("store.missing", std::string(name) + " can't be opened. May this user read it?");
}

std::unique_ptr<PlainFile> StoreFile::openLog() {
  return openBeside(sqlite3_filename_wal(name_), SQLITE_OPEN_WAL);
}

void StoreFile::checkEmpty(OpenMode mode) {
  if (mode != OpenMode::kCreate) {
    throw Failure("store.foreign-file", path_ + " is empty: there is no store in it.");
  }
  // SQLite would drop the log of an empty database, and committed work with it.
  // The files beside it will be made with the same permissions. A file system that knows none
  // refuses, and needs none.
  (void)::chmod(path_.c_str(), S_IRUSR | S_IWUSR);
  if (openLog()) {
    throw Failure("store.foreign-file",
                  path_ +
                      " is empty, but a log with content lies beside it. Nothing was changed; "
                      "restore the file, or move both away.");
  }
}

void StoreFile::checkKey(OpenMode mode) {
  std::array<char, kPageSize> page{};
  const int result = read(page.data(), page.size(), 0);
  const std::string_view first(page.data(), kKeyCheckSize);
  const std::string_view last(page.data() + kPageSealedSize, kKeyCheckSize);
  if (crypto::equalConstantTime(first, keys_.check()) ||
      crypto::equalConstantTime(last, keys_.check()) || isProvenByRecovery()) {
    requireKeysOf(page.data());
    return;
  }
  // A power cut while the file was made may leave its one page unwritten; the journal undoes it.
  if (mode == OpenMode::kCreate && size() == static_cast<std::int64_t>(kPageSize) &&
      std::all_of(page.begin(), page.end(), [](char byte) { return byte == 0; })) {
    return;
  }
  if (first == kSqliteMagic || result != SQLITE_OK ||
      size() % static_cast<std::int64_t>(kPageSize) != 0) {
    throw Failure("store.foreign-file",
                  path_ + " is not an encrypted store of Waystation's. It was left as it is.");
  }
  throw Failure("store.wrong-key",
                "The key does not belong to " + path_ +
                    ". Nothing was changed; use the key file that was made with this store.");
}

void StoreFile::requireKeysOf(const char* firstPage) {
  const auto isMissing = [&](const char* page) {
    const std::uint32_t epoch = PageFormat::epochOf(page);
    return epoch > 1 && epoch <= kMostEpochs && keys_.find(epoch) == nullptr;
  };
  // Torn, it may say anything; recovery will mend it.
  if (!isMissing(firstPage) || isProvenByRecovery()) return;
  // Damaged, too; where the keys are missing, the next page says so as well.
  std::array<char, kPageSize> second;
  if (size() >= static_cast<std::int64_t>(2 * kPageSize) &&
      (read(second.data(), second.size(), kPageSize) != SQLITE_OK || !isMissing(second.data()))) {
    return;
  }
  throw Failure("store.keys-missing",
                path_ + " was written under a later key than there is in " + ringName_ +
                    ". Nothing was changed; put back the file of that name that belongs to it.");
}

// A power cut may tear the first and the last sector of page 1 at once. What mends it then, the
// log or the journal, has a header that only this key can have sealed.
bool StoreFile::isProvenByRecovery() {
  PageFormat format(keys_, random_);
  if (const std::unique_ptr<PlainFile> log = openLog()) {
    std::array<char, kLogHeaderSize> sealed;
    std::array<char, kLogHeaderSize> header;
    if (log->read(sealed.data(), sealed.size(), 0) == SQLITE_OK &&
        format.openLogHeader(sealed.data(), header.data())) {
      return true;
    }
  }
  const std::unique_ptr<PlainFile> journal =
      openBeside(sqlite3_filename_journal(name_), SQLITE_OPEN_MAIN_JOURNAL);
  std::array<char, kJournalHeaderSize> header;
  return journal && journal->read(header.data(), header.size(), 0) == SQLITE_OK &&
         format.isOurJournalHeader(0, header.data());
}

}  // namespace waystation::storage

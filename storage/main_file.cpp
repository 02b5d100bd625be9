#include "storage/main_file.h"

#include <cstring>
#include <utility>

#include "storage/log_file.h"

namespace waystation::storage {

namespace {

constexpr auto kPageStep = static_cast<std::int64_t>(kPageSize);
constexpr std::size_t kFileHeaderSize = 100;

std::int64_t offsetOf(std::uint32_t number) {
  return (static_cast<std::int64_t>(number) - 1) * kPageStep;
}

std::uint32_t pageAt(std::int64_t offset) {
  return static_cast<std::uint32_t>(offset / kPageStep + 1);
}

}  // namespace

MainFile::MainFile(std::unique_ptr<PlainFile> plain, std::shared_ptr<StoreFile> store)
    : OpenFile(std::move(plain)),
      store_(std::move(store)),
      format_(store_->keys(), store_->random()) {}

MainFile::~MainFile() {
  store_->walIndex().unmap(holder_);
  store_->locks().unlock(lock_, SQLITE_LOCK_NONE);
  closePlain();  // before the store, and with it the lock against other processes, may go
}

int MainFile::damaged(std::uint32_t number) {
  damagedPage_ = number;
  hasMetDamage_ = true;
  sqlite3_log(SQLITE_IOERR_DATA, "page %u of %s does not authenticate", number,
              store_->path().c_str());
  return SQLITE_IOERR_DATA;
}

int MainFile::read(char* out, std::size_t size, std::int64_t offset) {
  if (offset == 0 && size == kFileHeaderSize) return readFileHeader(out);
  const std::int64_t within = offset % kPageStep;
  if (within == 0 && size == kPageSize) return readPage(pageAt(offset), out);
  if (within + static_cast<std::int64_t>(size) > kPageStep) return SQLITE_IOERR_READ;
  const int result = readPage(pageAt(offset), plain_.data());
  std::memcpy(out, plain_.data() + within, size);
  return result;
}

int MainFile::readPage(std::uint32_t number, char* out) {
  const int result = plain().read(sealed_.data(), kPageSize, offsetOf(number));
  if (result == SQLITE_IOERR_SHORT_READ && offsetOf(number) >= store_->size()) {
    std::memset(out, 0, kPageSize);
    return result;
  }
  if (result != SQLITE_OK && result != SQLITE_IOERR_SHORT_READ) return result;
  if (result == SQLITE_OK && format_.openPage(PageDomain::kStore, number, sealed_.data(), out)) {
    return SQLITE_OK;
  }
  // A rotation may have been overwriting it just now: the store's own reading waits for that.
  if (store_->read(sealed_.data(), kPageSize, offsetOf(number)) == SQLITE_OK &&
      format_.openPage(PageDomain::kStore, number, sealed_.data(), out)) {
    return SQLITE_OK;
  }
  std::memset(out, 0, kPageSize);
  return damaged(number);
}

// SQLite reads this before it recovers, when page 1 may be torn or not there yet; from it, it takes
// page size and reserve. What the log or the journal holds comes after.
int MainFile::readFileHeader(char* out) {
  const int result = store_->read(sealed_.data(), kPageSize, 0);
  if (result != SQLITE_OK && result != SQLITE_IOERR_SHORT_READ) return result;
  // Nothing there yet; SQLite must stay free to set it up (see reserveTail).
  if (store_->size() == 0) {
    std::memset(out, 0, kFileHeaderSize);
    return SQLITE_IOERR_SHORT_READ;
  }
  if (result == SQLITE_OK &&
      format_.openPage(PageDomain::kStore, 1, sealed_.data(), plain_.data())) {
    std::memcpy(out, plain_.data(), kFileHeaderSize);
    return SQLITE_OK;
  }
  std::memset(out, 0, kFileHeaderSize);
  std::memcpy(out, kSqliteMagic.data(), kSqliteMagic.size());
  out[16] = 0x10;  // page size 4096, big endian
  out[18] = 2;     // format versions: with a log
  out[19] = 2;
  out[20] = static_cast<char>(kReservedSize);
  return SQLITE_OK;
}

int MainFile::write(const char* bytes, std::size_t size, std::int64_t offset) {
  const std::uint32_t number = pageAt(offset);
  if (hasMetDamage_) return SQLITE_IOERR_DATA;
  if (size != kPageSize || offset % kPageStep != 0 || !PageFormat::isOfOurShape(number, bytes)) {
    sqlite3_log(SQLITE_IOERR_WRITE, "refused a page of another shape for %s",
                store_->path().c_str());
    return SQLITE_IOERR_WRITE;
  }
  if (const int result = fillTo(offset); result != SQLITE_OK) return result;
  if (log_ != nullptr && log_->lastPageIs(number, bytes)) {
    // A checkpoint: the same page with the same content is sealed already.
    std::memcpy(sealed_.data(), log_->lastSealedPage(), kPageSealedSize);
    format_.setStoreTail(number, sealed_.data());
  } else {
    format_.sealPage(PageDomain::kStore, number, bytes, sealed_.data());
  }
  return writeRaw(number);
}

int MainFile::writeRaw(std::uint32_t number) {
  const int result = plain().write(sealed_.data(), kPageSize, offsetOf(number));
  const std::int64_t end = offsetOf(number) + kPageStep;
  if (result == SQLITE_OK && end > store_->size()) store_->setSize(end);
  return result;
}

int MainFile::fillTo(std::int64_t size) {
  for (std::int64_t end = store_->size() / kPageStep * kPageStep; end < size; end += kPageStep) {
    plain_.fill('\0');
    format_.sealPage(PageDomain::kStore, pageAt(end), plain_.data(), sealed_.data());
    if (const int result = writeRaw(pageAt(end)); result != SQLITE_OK) return result;
  }
  return SQLITE_OK;
}

int MainFile::truncate(std::int64_t size) {
  if (size % kPageStep != 0) return SQLITE_IOERR_TRUNCATE;
  if (size >= store_->size()) return fillTo(size);
  const int result = OpenFile::truncate(size);
  if (result == SQLITE_OK) store_->setSize(size);
  return result;
}

int MainFile::control(int operation, void* argument) {
  switch (operation) {
    case kDamagedPageControl:
      *static_cast<std::uint32_t*>(argument) = damagedPage_;
      return SQLITE_OK;
    case SQLITE_FCNTL_PDB:
      connection_ = *static_cast<sqlite3**>(argument);
      return SQLITE_OK;
    case SQLITE_FCNTL_PRAGMA: {
      // There is one size of pages. Once there are any, SQLite says so itself.
      char** const words = static_cast<char**>(argument);
      const bool setsSize = words[2] != nullptr && sqlite3_stricmp(words[1], "page_size") == 0;
      return setsSize && store_->size() == 0 ? SQLITE_OK : SQLITE_NOTFOUND;
    }
    case SQLITE_FCNTL_VFSNAME:
      *static_cast<char**>(argument) = sqlite3_mprintf("waystation");
      return SQLITE_OK;
    case SQLITE_FCNTL_MMAP_SIZE:
      *static_cast<sqlite3_int64*>(argument) = 0;
      return SQLITE_OK;
    case SQLITE_FCNTL_POWERSAFE_OVERWRITE:
      *static_cast<int*>(argument) = 1;
      return SQLITE_OK;
    case SQLITE_FCNTL_SIZE_HINT:
    case SQLITE_FCNTL_CHUNK_SIZE:
      return SQLITE_OK;  // space given ahead would be pages that nobody sealed
    case SQLITE_FCNTL_HAS_MOVED:
    case SQLITE_FCNTL_PERSIST_WAL:
    case SQLITE_FCNTL_LAST_ERRNO:
      return plain().get()->pMethods->xFileControl(plain().get(), operation, argument);
    default:
      return SQLITE_NOTFOUND;
  }
}

int MainFile::lock(int level) {
  if (!store_->locks().lock(lock_, level)) return SQLITE_BUSY;
  if (level == SQLITE_LOCK_SHARED && store_->size() == 0) reserveTail();
  return SQLITE_OK;
}

// A database that is being made, as main or by ATTACH or VACUUM INTO, learns before its first page
// that a tail is reserved. A header read back from the empty file could say the same, but would
// forbid VACUUM INTO to set the page's size, even to the same one.
void MainFile::reserveTail() {
  if (connection_ == nullptr) return;
  const char* name = nullptr;
  for (int i = 0; (name = sqlite3_db_name(connection_, i)) != nullptr; ++i) {
    sqlite3_file* file = nullptr;
    sqlite3_file_control(connection_, name, SQLITE_FCNTL_FILE_POINTER, &file);
    if (file == nullptr || file->pMethods != &openFileMethods() ||
        reinterpret_cast<VfsFile*>(file)->file != this) {
      continue;
    }
    int reserved = static_cast<int>(kReservedSize);
    sqlite3_file_control(connection_, name, SQLITE_FCNTL_RESERVE_BYTES, &reserved);
  }
}

int MainFile::unlock(int level) {
  store_->locks().unlock(lock_, level);
  return SQLITE_OK;
}

int MainFile::checkReservedLock(int& reserved) {
  reserved = store_->locks().isReserved() ? 1 : 0;
  return SQLITE_OK;
}

int MainFile::mapIndex(int region, int size, bool extend, volatile void** memory) {
  *memory = store_->walIndex().map(holder_, region, size, extend);
  return SQLITE_OK;
}

int MainFile::lockIndex(int first, int count, int flags) {
  WalIndex& index = store_->walIndex();
  if ((flags & SQLITE_SHM_UNLOCK) != 0) {
    index.unlock(holder_, first, count);
    return SQLITE_OK;
  }
  const bool locked = (flags & SQLITE_SHM_SHARED) != 0 ? index.lockShared(holder_, first, count)
                                                       : index.lockExclusive(holder_, first, count);
  return locked ? SQLITE_OK : SQLITE_BUSY;
}

void MainFile::indexBarrier() {
  store_->walIndex().barrier();
}

void MainFile::unmapIndex() {
  store_->walIndex().unmap(holder_);
}

}  // namespace waystation::storage

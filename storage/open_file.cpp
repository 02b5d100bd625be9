#include "storage/open_file.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>

namespace waystation::storage {

PlainFile::PlainFile(sqlite3_vfs& vfs, const char* name, int flags, int* outFlags, int& result)
    : memory_(std::make_unique<char[]>(static_cast<std::size_t>(vfs.szOsFile))),
      file_(reinterpret_cast<sqlite3_file*>(memory_.get())) {
  result = vfs.xOpen(&vfs, name, file_, flags, outFlags);
}

PlainFile::~PlainFile() {
  if (file_->pMethods != nullptr) file_->pMethods->xClose(file_);
}

int PlainFile::read(void* out, std::size_t size, std::int64_t offset) const {
  return file_->pMethods->xRead(file_, out, static_cast<int>(size), offset);
}

int PlainFile::write(const void* bytes, std::size_t size, std::int64_t offset) const {
  const int result = file_->pMethods->xWrite(file_, bytes, static_cast<int>(size), offset);
  if (result == SQLITE_OK || result == SQLITE_FULL) return result;
  int error = 0;
  file_->pMethods->xFileControl(file_, SQLITE_FCNTL_LAST_ERRNO, &error);
  return error == EDQUOT || error == EFBIG ? SQLITE_FULL : result;
}

int PlainFile::size(std::int64_t& bytes) const {
  sqlite3_int64 size = 0;
  const int result = file_->pMethods->xFileSize(file_, &size);
  bytes = size;
  return result;
}

namespace {

[[noreturn]] void endProcess() {
  // The kernel may have dropped the pages that it could not write; trying again would report
  // success for bytes that are gone. Recovery at the next start reads what is really there.
  std::fputs("waystation: the disk failed to keep data (fsync); stopping now\n", stderr);
  std::abort();
}

}  // namespace

int PlainFile::truncate(std::int64_t size) const {
  return file_->pMethods->xTruncate(file_, size);
}

void PlainFile::sync() const {
  if (file_->pMethods->xSync(file_, SQLITE_SYNC_NORMAL) != SQLITE_OK) endProcess();
}

int OpenFile::truncate(std::int64_t size) {
  return plain_->truncate(size);
}

int OpenFile::sync(int flags) {
  const int result = plain_->get()->pMethods->xSync(plain_->get(), flags);
  if (result != SQLITE_OK) endProcess();
  return result;
}

int OpenFile::size(std::int64_t& size) {
  return plain_->size(size);
}

int OpenFile::control(int, void*) {
  return SQLITE_NOTFOUND;
}

int OpenFile::lock(int level) {
  return plain_->get()->pMethods->xLock(plain_->get(), level);
}

int OpenFile::unlock(int level) {
  return plain_->get()->pMethods->xUnlock(plain_->get(), level);
}

int OpenFile::checkReservedLock(int& reserved) {
  return plain_->get()->pMethods->xCheckReservedLock(plain_->get(), &reserved);
}

int OpenFile::mapIndex(int, int, bool, volatile void**) {
  return SQLITE_IOERR_SHMMAP;
}

int OpenFile::lockIndex(int, int, int) {
  return SQLITE_IOERR_SHMLOCK;
}

int PassedFile::read(char* out, std::size_t size, std::int64_t offset) {
  return plain().read(out, size, offset);
}

int PassedFile::write(const char* bytes, std::size_t size, std::int64_t offset) {
  return plain().write(bytes, size, offset);
}

namespace {

OpenFile& fileOf(sqlite3_file* file) {
  return *reinterpret_cast<VfsFile*>(file)->file;
}

// No exception may pass through SQLite, which is C.
template <typename Call>
int guarded(int otherwise, Call call) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    return SQLITE_IOERR_NOMEM;
  } catch (const std::exception& error) {
    sqlite3_log(otherwise, "%s", error.what());
    return otherwise;
  }
}

int closeFile(sqlite3_file* file) {
  delete reinterpret_cast<VfsFile*>(file)->file;
  file->pMethods = nullptr;
  return SQLITE_OK;
}

int readFile(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
  return guarded(SQLITE_IOERR_READ, [&] {
    return fileOf(file).read(static_cast<char*>(out), static_cast<std::size_t>(size), offset);
  });
}

int writeFile(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  return guarded(SQLITE_IOERR_WRITE, [&] {
    return fileOf(file).write(static_cast<const char*>(bytes), static_cast<std::size_t>(size),
                              offset);
  });
}

int truncateFile(sqlite3_file* file, sqlite3_int64 size) {
  return guarded(SQLITE_IOERR_TRUNCATE, [&] { return fileOf(file).truncate(size); });
}

int syncFile(sqlite3_file* file, int flags) {
  return guarded(SQLITE_IOERR_FSYNC, [&] { return fileOf(file).sync(flags); });
}

int fileSize(sqlite3_file* file, sqlite3_int64* size) {
  return guarded(SQLITE_IOERR_FSTAT, [&] {
    std::int64_t bytes = 0;
    const int result = fileOf(file).size(bytes);
    *size = bytes;
    return result;
  });
}

int lockFile(sqlite3_file* file, int level) {
  return fileOf(file).lock(level);
}

int unlockFile(sqlite3_file* file, int level) {
  return fileOf(file).unlock(level);
}

int checkReservedLock(sqlite3_file* file, int* reserved) {
  return fileOf(file).checkReservedLock(*reserved);
}

int controlFile(sqlite3_file* file, int operation, void* argument) {
  return guarded(SQLITE_ERROR, [&] { return fileOf(file).control(operation, argument); });
}

// With a sector of 512 bytes no journal header is as large as a page (store-format, section 4).
int sectorSize(sqlite3_file*) {
  return 512;
}

// The one promise: a write leaves the bytes beside it alone, so SQLite never splits a frame around
// a sync. Nothing about atomic writes: a page may be torn.
int deviceCharacteristics(sqlite3_file*) {
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

int mapIndex(sqlite3_file* file, int region, int size, int extend, void volatile** memory) {
  return guarded(SQLITE_IOERR_SHMMAP,
                 [&] { return fileOf(file).mapIndex(region, size, extend != 0, memory); });
}

int lockIndex(sqlite3_file* file, int first, int count, int flags) {
  return guarded(SQLITE_IOERR_SHMLOCK, [&] { return fileOf(file).lockIndex(first, count, flags); });
}

void indexBarrier(sqlite3_file* file) {
  fileOf(file).indexBarrier();
}

int unmapIndex(sqlite3_file* file, int) {
  fileOf(file).unmapIndex();
  return SQLITE_OK;
}

}  // namespace

const sqlite3_io_methods& openFileMethods() {
  // Version 2: with no xFetch there is no memory mapping of ciphertext.
  static constexpr sqlite3_io_methods kMethods{2,
                                               closeFile,
                                               readFile,
                                               writeFile,
                                               truncateFile,
                                               syncFile,
                                               fileSize,
                                               lockFile,
                                               unlockFile,
                                               checkReservedLock,
                                               controlFile,
                                               sectorSize,
                                               deviceCharacteristics,
                                               mapIndex,
                                               lockIndex,
                                               indexBarrier,
                                               unmapIndex,
                                               nullptr,
                                               nullptr};
  return kMethods;
}

}  // namespace waystation::storage

#include "storage/encrypting_vfs.h"

#include <sqlite3.h>

#include <utility>
#include <vector>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "storage/journal_file.h"
#include "storage/log_file.h"
#include "storage/main_file.h"
#include "storage/open_file.h"

namespace waystation::storage {

namespace {

constexpr int kTestedSqlite = 3040001;

EncryptingVfs& ownerOf(sqlite3_vfs* vfs) {
  return *static_cast<EncryptingVfs*>(vfs->pAppData);
}

sqlite3_vfs& plainOf(sqlite3_vfs* vfs) {
  return ownerOf(vfs).plain();
}

// Journal and log belong to the database whose pager asks for them: `name` lies in its memory.
// Null when another VFS lies above ours and the pager's file is that one's.
MainFile* mainFileOf(const char* name) {
  sqlite3_file* file = sqlite3_database_file_object(name);
  if (file == nullptr || file->pMethods != &openFileMethods()) return nullptr;
  return static_cast<MainFile*>(reinterpret_cast<VfsFile*>(file)->file);
}

OpenMode modeOf(int flags) {
  if ((flags & SQLITE_OPEN_CREATE) != 0) return OpenMode::kCreate;
  return (flags & SQLITE_OPEN_READWRITE) != 0 ? OpenMode::kReadWrite : OpenMode::kReadOnly;
}

std::unique_ptr<OpenFile> openMain(EncryptingVfs& owner, const char* name, int flags, int* outFlags,
                                   int& result) {
  std::shared_ptr<StoreFile> store = owner.find(name, modeOf(flags));
  result = SQLITE_CANTOPEN;
  if (!store) return nullptr;
  auto plain = std::make_unique<PlainFile>(owner.plain(), name, flags, outFlags, result);
  if (result != SQLITE_OK) return nullptr;
  return std::make_unique<MainFile>(std::move(plain), std::move(store));
}

// A list of file names, which belongs to transactions over several databases; or the journal of
// another database, to see whether it belongs to such a list.
std::unique_ptr<OpenFile> openPassed(sqlite3_vfs& vfs, const char* name, int flags, int* outFlags,
                                     int& result) {
  auto plain = std::make_unique<PlainFile>(vfs, name, flags, outFlags, result);
  if (result != SQLITE_OK) return nullptr;
  return std::make_unique<PassedFile>(std::move(plain));
}

std::unique_ptr<OpenFile> openAs(EncryptingVfs& owner, const char* name, int flags, int* outFlags,
                                 int& result) {
  if (name == nullptr || (flags & SQLITE_OPEN_DELETEONCLOSE) != 0) {
    if (owner.memory() == nullptr) return nullptr;
    return openPassed(*owner.memory(), nullptr, flags, outFlags, result);
  }
  if ((flags & SQLITE_OPEN_MAIN_DB) != 0) return openMain(owner, name, flags, outFlags, result);
  if ((flags & SQLITE_OPEN_SUPER_JOURNAL) != 0) {
    return openPassed(owner.plain(), name, flags, outFlags, result);
  }
  if ((flags & (SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL)) == 0) return nullptr;
  MainFile* const main = mainFileOf(name);
  if (main == nullptr) return nullptr;
  auto plain = std::make_unique<PlainFile>(owner.plain(), name, flags, outFlags, result);
  if (result != SQLITE_OK) return nullptr;
  if ((flags & SQLITE_OPEN_WAL) != 0) return std::make_unique<LogFile>(std::move(plain), *main);
  return std::make_unique<JournalFile>(std::move(plain), main->store());
}

int resultOf(const Failure& failure) {
  if (failure.code() == "store.busy") return SQLITE_BUSY;
  return failure.code() == "store.missing" ? SQLITE_CANTOPEN : SQLITE_NOTADB;
}

int openFile(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* outFlags) {
  file->pMethods = nullptr;
  try {
    int result = SQLITE_CANTOPEN;
    std::unique_ptr<OpenFile> opened = openAs(ownerOf(vfs), name, flags, outFlags, result);
    if (!opened) return result;
    reinterpret_cast<VfsFile*>(file)->file = opened.release();
    file->pMethods = &openFileMethods();
    return SQLITE_OK;
  } catch (const std::bad_alloc&) {
    return SQLITE_NOMEM;
  } catch (const Failure& failure) {
    sqlite3_log(resultOf(failure), "%s", failure.what());
    return resultOf(failure);
  } catch (const std::exception& error) {
    sqlite3_log(SQLITE_CANTOPEN, "%s", error.what());
    return SQLITE_CANTOPEN;
  }
}

int deleteFile(sqlite3_vfs* vfs, const char* name, int syncDirectory) {
  return plainOf(vfs).xDelete(&plainOf(vfs), name, syncDirectory);
}

int accessFile(sqlite3_vfs* vfs, const char* name, int flags, int* result) {
  return plainOf(vfs).xAccess(&plainOf(vfs), name, flags, result);
}

int fullPathname(sqlite3_vfs* vfs, const char* name, int size, char* out) {
  return plainOf(vfs).xFullPathname(&plainOf(vfs), name, size, out);
}

int randomness(sqlite3_vfs* vfs, int size, char* out) {
  return plainOf(vfs).xRandomness(&plainOf(vfs), size, out);
}

int sleepFor(sqlite3_vfs* vfs, int microseconds) {
  return plainOf(vfs).xSleep(&plainOf(vfs), microseconds);
}

int currentTime(sqlite3_vfs* vfs, double* days) {
  return plainOf(vfs).xCurrentTime(&plainOf(vfs), days);
}

int lastError(sqlite3_vfs* vfs, int size, char* out) {
  return plainOf(vfs).xGetLastError(&plainOf(vfs), size, out);
}

int currentTimeInt64(sqlite3_vfs* vfs, sqlite3_int64* milliseconds) {
  return plainOf(vfs).xCurrentTimeInt64(&plainOf(vfs), milliseconds);
}

void* openLibrary(sqlite3_vfs* vfs, const char* name) {
  return plainOf(vfs).xDlOpen(&plainOf(vfs), name);
}

void libraryError(sqlite3_vfs* vfs, int size, char* out) {
  plainOf(vfs).xDlError(&plainOf(vfs), size, out);
}

using Symbol = void (*)();

Symbol librarySymbol(sqlite3_vfs* vfs, void* library, const char* name) {
  return plainOf(vfs).xDlSym(&plainOf(vfs), library, name);
}

void closeLibrary(sqlite3_vfs* vfs, void* library) {
  plainOf(vfs).xDlClose(&plainOf(vfs), library);
}

sqlite3_vfs tableFor(EncryptingVfs& owner, const sqlite3_vfs& plain) {
  sqlite3_vfs vfs{};
  vfs.iVersion = 2;
  vfs.szOsFile = sizeof(VfsFile);
  vfs.mxPathname = plain.mxPathname;
  vfs.zName = owner.name();
  vfs.pAppData = &owner;
  vfs.xOpen = openFile;
  vfs.xDelete = deleteFile;
  vfs.xAccess = accessFile;
  vfs.xFullPathname = fullPathname;
  vfs.xDlOpen = openLibrary;
  vfs.xDlError = libraryError;
  vfs.xDlSym = librarySymbol;
  vfs.xDlClose = closeLibrary;
  vfs.xRandomness = randomness;
  vfs.xSleep = sleepFor;
  vfs.xCurrentTime = currentTime;
  vfs.xGetLastError = lastError;
  vfs.xCurrentTimeInt64 = currentTimeInt64;
  return vfs;
}

void requireTestedSqlite() {
  if (sqlite3_libversion_number() == kTestedSqlite) return;
  throw Failure("store.untested-sqlite",
                std::string("The store was tested with SQLite 3.40.1, and this machine has ") +
                    sqlite3_libversion() + ". Install Debian 12's libsqlite3-0.");
}

sqlite3_vfs* defaultVfs() {
  requireTestedSqlite();
  if (sqlite3_initialize() != SQLITE_OK) {
    throw Failure("store.sqlite", "SQLite can't start: is memory out?");
  }
  sqlite3_vfs* vfs = sqlite3_vfs_find(nullptr);
  if (vfs == nullptr) throw Failure("store.sqlite", "SQLite has lost its access to files.");
  return vfs;
}

}  // namespace

EncryptingVfs& EncryptingVfs::instance() {
  // Never deleted: connections may close while the process's other objects are being destroyed.
  static EncryptingVfs* const only = [] {
    auto* made = new EncryptingVfs(defaultVfs(), "waystation", {});
    sqlite3_vfs_register(made->vfs_.get(), 1);
    // By name, SQL could reach them ("file:x?vfs=unix") and write plaintext.
    sqlite3_vfs_unregister(made->plain_);
    for (const char* name : {"unix", "unix-none", "unix-dotfile", "unix-excl"}) {
      if (sqlite3_vfs* vfs = sqlite3_vfs_find(name)) sqlite3_vfs_unregister(vfs);
    }
    return made;
  }();
  return *only;
}

EncryptingVfs& EncryptingVfs::layOver(sqlite3_vfs& parent, const std::string& name, bool isDefault,
                                      crypto::Secret key) {
  requireTestedSqlite();
  auto* made = new EncryptingVfs(&parent, name, std::move(key));
  made->memory_ = sqlite3_vfs_find("memdb");
  sqlite3_vfs_register(made->vfs_.get(), isDefault ? 1 : 0);
  return *made;
}

EncryptingVfs::EncryptingVfs(sqlite3_vfs* parent, std::string name, crypto::Secret keyForAll)
    : plain_(parent), name_(std::move(name)), keyForAll_(std::move(keyForAll)) {
  vfs_ = std::make_unique<sqlite3_vfs>(tableFor(*this, *plain_));
}

std::string EncryptingVfs::canonical(const std::filesystem::path& file) const {
  std::vector<char> name(static_cast<std::size_t>(plain_->mxPathname) + 1);
  const int result =
      plain_->xFullPathname(plain_, file.c_str(), static_cast<int>(name.size()), name.data());
  if ((result & 0xff) != SQLITE_OK) {
    throw Failure("store.missing", file.string() + " is not a path that can be opened.");
  }
  return name.data();
}

std::shared_ptr<StoreFile> EncryptingVfs::acquire(const std::filesystem::path& file,
                                                  const crypto::Secret& key, OpenMode mode) {
  const std::string path = canonical(file);
  std::unique_lock lock(mutex_);
  std::shared_ptr<StoreFile> open;
  // A store that is being closed still holds the lock on its file: wait until it is gone.
  released_.wait(lock, [&] {
    const auto found = stores_.find(path);
    if (found == stores_.end()) return true;
    open = found->second.lock();
    return open != nullptr;
  });
  if (open) {
    if (!open->isUnder(key)) {
      throw Failure("store.wrong-key", "The key does not belong to " + path + ".");
    }
    return open;
  }
  auto fresh = std::make_unique<StoreFile>(*plain_, path, key, mode);
  std::shared_ptr<StoreFile> shared(fresh.release(), [this](StoreFile* store) { release(store); });
  stores_[path] = shared;
  return shared;
}

std::shared_ptr<StoreFile> EncryptingVfs::find(const std::string& path, OpenMode mode) {
  if (!keyForAll_.empty()) return acquire(path, keyForAll_, mode);
  const std::lock_guard lock(mutex_);
  const auto found = stores_.find(path);
  return found == stores_.end() ? nullptr : found->second.lock();
}

void EncryptingVfs::release(StoreFile* store) {
  {
    const std::lock_guard lock(mutex_);
    stores_.erase(store->path());
    delete store;
  }
  released_.notify_all();
}

}  // namespace waystation::storage

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
constexpr const char* kName = "waystation";

EncryptingVfs& ownerOf(sqlite3_vfs* vfs) {
  return *static_cast<EncryptingVfs*>(vfs->pAppData);
}

sqlite3_vfs& plainOf(sqlite3_vfs* vfs) {
  return ownerOf(vfs).plain();
}

// Journal and log belong to the database whose pager asks for them: `name` lies in its memory.
MainFile* mainFileOf(const char* name) {
  auto* file = reinterpret_cast<VfsFile*>(sqlite3_database_file_object(name));
  return static_cast<MainFile*>(file->file);
}

std::unique_ptr<OpenFile> openAs(int kind, EncryptingVfs& owner, const char* name, int flags,
                                 int* outFlags, int& result) {
  std::shared_ptr<StoreFile> store;
  if (kind == SQLITE_OPEN_MAIN_DB) {
    store = owner.find(name);
    result = SQLITE_CANTOPEN;
    if (!store) return nullptr;
  }
  auto plain = std::make_unique<PlainFile>(owner.plain(), name, flags, outFlags, result);
  if (result != SQLITE_OK) return nullptr;
  if (kind == SQLITE_OPEN_MAIN_DB) {
    return std::make_unique<MainFile>(std::move(plain), std::move(store));
  }
  MainFile& main = *mainFileOf(name);
  if (kind == SQLITE_OPEN_WAL) return std::make_unique<LogFile>(std::move(plain), main);
  return std::make_unique<JournalFile>(std::move(plain), main.store());
}

int openFile(sqlite3_vfs* vfs, const char* name, sqlite3_file* file, int flags, int* outFlags) {
  constexpr int kKinds = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL |
                         SQLITE_OPEN_TEMP_DB | SQLITE_OPEN_TRANSIENT_DB | SQLITE_OPEN_TEMP_JOURNAL |
                         SQLITE_OPEN_SUBJOURNAL | SQLITE_OPEN_SUPER_JOURNAL;
  file->pMethods = nullptr;
  const int kind = flags & kKinds;
  // Temporary files would be plaintext, and super-journals serve attached databases only.
  if (name == nullptr || (kind != SQLITE_OPEN_MAIN_DB && kind != SQLITE_OPEN_MAIN_JOURNAL &&
                          kind != SQLITE_OPEN_WAL)) {
    sqlite3_log(SQLITE_CANTOPEN, "refused to open a temporary file");
    return SQLITE_CANTOPEN;
  }
  try {
    int result = SQLITE_CANTOPEN;
    std::unique_ptr<OpenFile> opened = openAs(kind, ownerOf(vfs), name, flags, outFlags, result);
    if (!opened) return result;
    reinterpret_cast<VfsFile*>(file)->file = opened.release();
    file->pMethods = &openFileMethods();
    return SQLITE_OK;
  } catch (const std::bad_alloc&) {
    return SQLITE_NOMEM;
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

sqlite3_vfs tableFor(EncryptingVfs& owner, const sqlite3_vfs& plain) {
  sqlite3_vfs vfs{};
  vfs.iVersion = 2;
  vfs.szOsFile = sizeof(VfsFile);
  vfs.mxPathname = plain.mxPathname;
  vfs.zName = kName;
  vfs.pAppData = &owner;
  vfs.xOpen = openFile;
  vfs.xDelete = deleteFile;
  vfs.xAccess = accessFile;
  vfs.xFullPathname = fullPathname;
  // No xDlOpen: no extensions.
  vfs.xRandomness = randomness;
  vfs.xSleep = sleepFor;
  vfs.xCurrentTime = currentTime;
  vfs.xGetLastError = lastError;
  vfs.xCurrentTimeInt64 = currentTimeInt64;
  return vfs;
}

}  // namespace

EncryptingVfs& EncryptingVfs::instance() {
  // Never deleted: connections may close while the process's other objects are being destroyed.
  static EncryptingVfs* const only = new EncryptingVfs();
  return *only;
}

EncryptingVfs::EncryptingVfs() {
  if (sqlite3_libversion_number() != kTestedSqlite) {
    throw Failure("store.untested-sqlite",
                  std::string("The store was tested with SQLite 3.40.1, and this machine has ") +
                      sqlite3_libversion() + ". Install Debian 12's libsqlite3-0.");
  }
  if (sqlite3_initialize() != SQLITE_OK) {
    throw Failure("store.sqlite", "SQLite can't start: is memory out?");
  }
  plain_ = sqlite3_vfs_find("unix");
  if (plain_ == nullptr) {
    throw Failure("store.sqlite", "SQLite has lost its access to files.");
  }
  vfs_ = std::make_unique<sqlite3_vfs>(tableFor(*this, *plain_));
  sqlite3_vfs_register(vfs_.get(), 1);
  // By name, SQL could reach them ("file:x?vfs=unix") and write plaintext.
  for (const char* name : {"unix", "unix-none", "unix-dotfile", "unix-excl"}) {
    if (sqlite3_vfs* vfs = sqlite3_vfs_find(name)) sqlite3_vfs_unregister(vfs);
  }
}

const char* EncryptingVfs::name() const {
  return kName;
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
    if (!crypto::equalConstantTime(open->keys().check, StoreKeys(key).check)) {
      throw Failure("store.wrong-key", "The key does not belong to " + path + ".");
    }
    return open;
  }
  auto fresh = std::make_unique<StoreFile>(path, key, mode);
  std::shared_ptr<StoreFile> shared(fresh.release(), [this](StoreFile* store) { release(store); });
  stores_[path] = shared;
  return shared;
}

std::shared_ptr<StoreFile> EncryptingVfs::find(const std::string& path) {
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

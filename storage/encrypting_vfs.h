#pragma once

#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "crypto/secret.h"
#include "storage/open_mode.h"
#include "storage/store_file.h"

struct sqlite3_vfs;

namespace waystation::storage {

// Our VFS, laid over another one that reaches the disk, and the stores that are open through it.
// SQLite keeps its VFSs in a table of the process, by name and for good, so these objects live
// until the process ends.
class EncryptingVfs {
 public:
  // The program's own, named "waystation": made at the first use over the VFS that is SQLite's
  // default then (a test may have put one of its own there). It becomes the default, and takes the
  // plain ones out of reach of SQL. Its files can be opened only while `acquire` holds them, and it
  // makes no temporary files. Throws Failure("store.untested-sqlite") when libsqlite3 is not of the
  // tested version.
  static EncryptingVfs& instance();
  // Another, for programs that only know SQLite: every file is opened, or made, under `key`, and
  // temporary files are kept in memory. `parent` must stay; the plain VFSs stay reachable.
  // Throws as instance().
  static EncryptingVfs& layOver(sqlite3_vfs& parent, const std::string& name, bool isDefault,
                                crypto::Secret key);

  // The open store at `file`, shared with whoever has it open already. SQLite can open a file by
  // name only while somebody holds this. Throws as StoreFile does.
  std::shared_ptr<StoreFile> acquire(const std::filesystem::path& file, const crypto::Secret& key,
                                     OpenMode mode);
  // The store that SQLite opens under this name: opened by acquire before; else, with a key for all
  // files, opened now; else null.
  std::shared_ptr<StoreFile> find(const std::string& path, OpenMode mode);

  const char* name() const { return name_.c_str(); }
  // Null where temporary files are refused.
  sqlite3_vfs* memory() const { return memory_; }
  sqlite3_vfs& plain() const { return *plain_; }

 private:
  EncryptingVfs(sqlite3_vfs* parent, std::string name, crypto::Secret keyForAll);
  std::string canonical(const std::filesystem::path& file) const;
  void release(StoreFile* store);

  sqlite3_vfs* plain_;
  std::string name_;
  crypto::Secret keyForAll_;  // empty: files are opened by acquire only
  sqlite3_vfs* memory_ = nullptr;
  std::unique_ptr<sqlite3_vfs> vfs_;
  std::mutex mutex_;
  std::condition_variable released_;
  std::map<std::string, std::weak_ptr<StoreFile>> stores_;
};

}  // namespace waystation::storage

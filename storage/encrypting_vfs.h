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

// Our VFS, and the stores that this process has open. SQLite keeps its VFSs in a table of the
// process, so this is the one object of its kind: it is made at the first use, becomes SQLite's
// default, and takes the plain ones out of reach of SQL. It lives until the process ends.
class EncryptingVfs {
 public:
  // Throws Failure("store.untested-sqlite") when libsqlite3 is not of the tested version.
  static EncryptingVfs& instance();

  // The open store at `file`, shared with whoever has it open already. SQLite can open a file by
  // name only while somebody holds this. Throws as StoreFile does.
  std::shared_ptr<StoreFile> acquire(const std::filesystem::path& file, const crypto::Secret& key,
                                     OpenMode mode);
  // The store that is open under the name that SQLite uses; null when there is none.
  std::shared_ptr<StoreFile> find(const std::string& path);

  const char* name() const;
  sqlite3_vfs& plain() const { return *plain_; }

 private:
  EncryptingVfs();
  std::string canonical(const std::filesystem::path& file) const;
  void release(StoreFile* store);

  sqlite3_vfs* plain_ = nullptr;
  std::unique_ptr<sqlite3_vfs> vfs_;
  std::mutex mutex_;
  std::condition_variable released_;
  std::map<std::string, std::weak_ptr<StoreFile>> stores_;
};

}  // namespace waystation::storage

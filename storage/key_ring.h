#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "crypto/random.h"
#include "crypto/secret.h"
#include "storage/open_file.h"

namespace waystation::storage {

// The file beside a database that holds the keys of its epochs once there has been a rotation,
// sealed under the database key (docs/spec/store-format.md, section 11). Two slots, written in
// turn, so that a torn write leaves the one before.
class KeyRing {
 public:
  struct Content {
    std::uint32_t current = 1;
    std::map<std::uint32_t, crypto::Secret> keys;
  };

  static constexpr std::size_t kSlotSize = 4096;

  // `name`, as SQLite gives names to a VFS, and the others must outlive it.
  KeyRing(sqlite3_vfs& plain, const char* name, crypto::Random& random)
      : plain_(plain), name_(name), random_(random) {}

  // Nothing where there is no ring, or one whose making was not finished. Throws
  // Failure("store.wrong-key") when neither slot opens.
  std::optional<Content> load(const crypto::Secret& databaseKey);
  // Into both slots: no key that is not in `content` remains in the file. On the disk when it
  // returns. Throws Failure("store.full"), ("store.sqlite") with the ring as it was in at least one
  // slot; a failed sync ends the process.
  void save(const crypto::Secret& databaseKey, const Content& content);

 private:
  void saveSlot(const crypto::Secret& databaseKey, const Content& content);
  std::optional<Content> open(const crypto::Secret& databaseKey, const std::string& slot);
  PlainFile& file();

  sqlite3_vfs& plain_;
  const char* name_;
  crypto::Random& random_;
  std::unique_ptr<PlainFile> file_;
  std::uint64_t sequence_ = 0;
};

}  // namespace waystation::storage

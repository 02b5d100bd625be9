#include "storage/vfs_extension.h"

// Without it, sqlite3ext.h would turn every call into one through the host's table.
#define SQLITE_CORE 1
#include <sqlite3.h>
#include <sqlite3ext.h>
#include <string.h>

#include <cstdlib>
#include <string>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "crypto/key_file.h"
#include "storage/encrypting_vfs.h"

namespace waystation::storage {

namespace {

constexpr const char* kKeyVariable = "WAYSTATION_KEY_FILE";
constexpr std::size_t kKeyDigits = 64;

crypto::Secret keyFromEnvironment() {
  const char* name = std::getenv(kKeyVariable);
  if (name == nullptr || *name == '\0') {
    throw Failure("key.file-missing", std::string("Set ") + kKeyVariable +
                                          " to the file that holds the database's key.");
  }
  std::string text = crypto::readKeyFile(name, 2 * kKeyDigits);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  const std::size_t last = text.find_last_not_of(" \t\r\n");
  if (first == std::string::npos || last - first + 1 != kKeyDigits) {
    throw Failure("key.malformed",
                  std::string(name) + " holds no database key: a line of 64 hexadecimal digits.");
  }
  std::string bytes = crypto::fromHex(text.substr(first, kKeyDigits));
  crypto::Secret key = crypto::Secret::copyOf(bytes);
  ::explicit_bzero(bytes.data(), bytes.size());
  ::explicit_bzero(text.data(), text.size());
  return key;
}

int resultOf(const Failure& failure) {
  if (failure.code() == "store.untested-sqlite") return SQLITE_MISMATCH;
  return failure.code() == "store.sqlite" ? SQLITE_ERROR : SQLITE_AUTH;
}

// `reason` gets a sentence when the result is not SQLITE_OK.
int layOver(const char* name, const char* parentName, bool isDefault, std::string& reason) {
  try {
    if (sqlite3_initialize() != SQLITE_OK) throw Failure("store.sqlite", "SQLite can't start.");
    sqlite3_vfs* const parent = sqlite3_vfs_find(parentName);
    if (parent == nullptr) {
      reason = std::string("There is no VFS named ") + (parentName ? parentName : "(default)");
      return SQLITE_NOTFOUND;
    }
    if (name == nullptr || *name == '\0' || sqlite3_vfs_find(name) != nullptr) {
      reason = "The name for the VFS is taken.";
      return SQLITE_MISUSE;
    }
    EncryptingVfs::layOver(*parent, name, isDefault, keyFromEnvironment());
    return SQLITE_OK;
  } catch (const Failure& failure) {
    reason = failure.what();
    return resultOf(failure);
  } catch (const std::exception& error) {
    reason = error.what();
    return SQLITE_ERROR;
  }
}

}  // namespace

}  // namespace waystation::storage

extern "C" {

int waystation_vfs_register(const char* name, const char* parentVfs, int makeDefault) {
  std::string reason;
  const int result = waystation::storage::layOver(name, parentVfs, makeDefault != 0, reason);
  if (result != SQLITE_OK) sqlite3_log(result, "%s", reason.c_str());
  return result;
}

// What SQLite looks for in a library named waystation_vfs: the VFS becomes the default one.
__attribute__((visibility("default"))) int sqlite3_waystationvfs_init(
    sqlite3*, char** error, const sqlite3_api_routines* host) {
  std::string reason;
  int result = SQLITE_ERROR;
  if (host->vfs_find != sqlite3_vfs_find) {
    reason = "This program has an SQLite of its own. Link libwaystation_vfs.a into it instead.";
  } else if (sqlite3_vfs_find("waystation") != nullptr) {
    result = SQLITE_OK;  // loaded before
  } else {
    result = waystation::storage::layOver("waystation", nullptr, true, reason);
  }
  if (result == SQLITE_OK) return SQLITE_OK_LOAD_PERMANENTLY;
  *error = sqlite3_mprintf("%s", reason.c_str());
  return result;
}
}

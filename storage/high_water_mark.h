#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/random.h"
#include "crypto/secret.h"
#include "storage/database.h"

namespace waystation::storage {

// A count of the database's openings, kept twice: in the database, and sealed in a small file
// beside the key slots. A whole older copy of the database, put back in place of the running one,
// authenticates; but its count is behind the file's, and so it is noticed.
//
//   mark := "WSMARK" 0d 0a, version 1 (2), nonce (12), count (8) under AES-256-GCM, tag (16)
//
// Whoever can put back an older copy of both at once is noticed by the hub only (sync.md, 8).
class HighWaterMark {
 public:
  enum class Finding {
    kCurrent,
    kOlderCopy,  // the database is older than the mark
    kMissing,    // the database has been counted, and the file is gone
    kUnreadable  // the file is damaged, or another node's
  };

  // `storeId` is bound into the file.
  HighWaterMark(std::filesystem::path file, const crypto::Secret& key, std::string storeId);

  // Compares, then counts one more in both, the database first: a cut between the two leaves the
  // database ahead, which is no finding. What is found is kept in the database until accept(), so
  // that it is told at the next opening too. Throws Failure: "mark.write-failed", and as Database.
  Finding raise(Database& writer, crypto::Random& random);
  // The technician knows of it: a restore, an older copy put back on purpose.
  static void accept(Database& writer);
  // What raise() found last and nobody has accepted.
  static Finding standing(Database& database);

 private:
  // Nothing where it can't be read; missing where it is not there.
  std::optional<std::uint64_t> read(bool& isMissing);
  void write(std::uint64_t count, crypto::Random& random);

  std::filesystem::path file_;
  crypto::Secret key_;
  std::string associated_;
  std::string previous_;  // the file's bytes as last read or written
};

// What seals the file, from the node's master key.
crypto::Secret deriveMarkKey(const crypto::Secret& master, std::string_view storeId);

// One plain sentence; empty for kCurrent.
std::string sentenceOf(HighWaterMark::Finding finding);

}  // namespace waystation::storage

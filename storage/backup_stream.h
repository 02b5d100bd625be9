#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "crypto/random.h"
#include "crypto/secret.h"

namespace waystation::storage {

// The bytes of a backup from the outside in (docs/spec/backup.md, sections 1 and 2): the head, the
// sealed chunks, and the zstd frame in them.

// Takes all it is given, or throws.
using ByteSink = std::function<void(std::string_view bytes)>;
// Fills `out` as far as it goes; fewer than `size` only at the end.
using ByteSource = std::function<std::size_t(char* out, std::size_t size)>;

struct BackupHead {
  std::string storeId;      // 16 bytes
  std::string salt;         // 32 bytes
  std::int64_t madeMs = 0;  // since 1970
  std::string base;         // the name of the whole backup below; empty: this is a whole one
  std::string keySlots;     // the key file
  std::string name;         // 32 bytes; set by encodeBackupHead and readBackupHead

  bool isWhole() const { return base.empty(); }
};

// The head's bytes; sets `name`.
std::string encodeBackupHead(BackupHead& head);
// Throws Failure: "backup.foreign-file", "backup.cut-short", "backup.damaged", "backup.newer".
BackupHead readBackupHead(const ByteSource& source);

// What seals a node's backups, from its master key.
crypto::Secret deriveBackupKey(const crypto::Secret& master, std::string_view storeId);

// Seals what is written, behind a head that is already there.
class BackupOutput {
 public:
  BackupOutput(ByteSink sink, const crypto::Secret& backupKey, const BackupHead& head);
  ~BackupOutput();
  BackupOutput(const BackupOutput&) = delete;
  BackupOutput& operator=(const BackupOutput&) = delete;

  void write(std::string_view plain);
  // Ends the frame and the last chunk.
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Opens what a BackupOutput sealed, from behind the head. Nothing is given out that has not
// authenticated.
class BackupInput {
 public:
  BackupInput(ByteSource source, const crypto::Secret& backupKey, const BackupHead& head);
  ~BackupInput();
  BackupInput(const BackupInput&) = delete;
  BackupInput& operator=(const BackupInput&) = delete;

  // Exactly `size` bytes. Throws Failure: "backup.cut-short", "backup.damaged".
  void read(char* out, std::size_t size);
  // Throws Failure("backup.damaged") unless all has been read.
  void requireEnd();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

[[noreturn]] void throwDamagedBackup(const std::string& why);

}  // namespace waystation::storage

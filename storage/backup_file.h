#pragma once

#include <filesystem>
#include <memory>

#include "storage/backup_stream.h"

namespace waystation::storage {

// A file that comes into being whole or not at all: written as NAME.partial, synced, read back,
// and only then renamed. Removed again where that was not reached. Throws Failure: "backup.exists",
// "backup.full", "backup.unwritable".
class NewBackupFile {
 public:
  explicit NewBackupFile(std::filesystem::path target);
  ~NewBackupFile();
  NewBackupFile(const NewBackupFile&) = delete;
  NewBackupFile& operator=(const NewBackupFile&) = delete;

  void write(std::string_view bytes);
  // On the disk, and out of the system's cache, so that reading asks the disk itself.
  void sync();
  const std::filesystem::path& partial() const { return partial_; }
  // Under its own name from here on, after a power cut too.
  void keep();

 private:
  [[noreturn]] void fail(int error) const;

  std::filesystem::path target_;
  std::filesystem::path partial_;
  int descriptor_ = -1;
  std::size_t unsynced_ = 0;
  bool made_ = false;
};

// Reads a file from its start. Throws Failure: "backup.foreign-file" where there is none,
// "backup.unreadable".
ByteSource openBackupFile(const std::filesystem::path& file);

// Makes the renames and removals in a directory last. Throws Failure("backup.unwritable").
void syncDirectory(const std::filesystem::path& directory);

}  // namespace waystation::storage

#pragma once

#include <filesystem>
#include <optional>

namespace waystation::server {

// A data directory belongs to one process at a time: the lock on its file `lock`. Gone with the
// process, however it ends.
class DirectoryLock {
 public:
  // Nothing where another process holds it. Throws Failure("node.unwritable").
  static std::optional<DirectoryLock> tryTake(const std::filesystem::path& directory);
  // Throws Failure("node.in-use") instead.
  static DirectoryLock take(const std::filesystem::path& directory);

  DirectoryLock(DirectoryLock&& other) noexcept;
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  DirectoryLock(const DirectoryLock&) = delete;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace waystation::server

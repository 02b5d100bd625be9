#include "server/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "crypto/failure.h"

namespace waystation::server {

std::optional<DirectoryLock> DirectoryLock::tryTake(const std::filesystem::path& directory) {
  const std::string file = (directory / "lock").string();
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (descriptor < 0) {
    throw Failure("node.unwritable", "The directory " + directory.string() +
                                         " can't be written to. Is it this user's?");
  }
  DirectoryLock lock(descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) return std::nullopt;
  return lock;
}

DirectoryLock DirectoryLock::take(const std::filesystem::path& directory) {
  std::optional<DirectoryLock> lock = tryTake(directory);
  if (!lock) {
    throw Failure("node.in-use", "Another process works with " + directory.string() +
                                     " now. Ask the running server, or stop it first.");
  }
  return std::move(*lock);
}

DirectoryLock::DirectoryLock(DirectoryLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

DirectoryLock::~DirectoryLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace waystation::server

#include "storage/store_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "crypto/failure.h"
#include "crypto/hash.h"

namespace waystation::storage {

namespace {

std::int64_t sizeOf(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_size : 0;
}

}  // namespace

StoreFile::StoreFile(std::string path, const crypto::Secret& key, OpenMode mode)
    : path_(std::move(path)), keys_(key) {
  const int flags = mode == OpenMode::kCreate ? O_RDWR | O_CREAT : O_RDONLY;
  descriptor_ = ::open(path_.c_str(), flags | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (descriptor_ < 0) {
    const int error = errno;
    throw Failure("store.missing", path_ + " can't be opened: " + std::strerror(error) + ".");
  }
  try {
    lockAndCheck(mode);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

StoreFile::~StoreFile() {
  ::close(descriptor_);
}

void StoreFile::lockAndCheck(OpenMode mode) {
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
    throw Failure("store.busy", path_ +
                                    " is in use by another process. Stop it, or ask it: "
                                    "commands talk to the running server.");
  }
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    throw Failure("store.foreign-file",
                  path_ + " is not a file of Waystation's. It was left as it is.");
  }
  setSize(status.st_size);
  if (status.st_size == 0) {
    checkEmpty(mode);
  } else {
    checkKey(mode);
  }
}

void StoreFile::checkEmpty(OpenMode mode) const {
  if (mode != OpenMode::kCreate) {
    throw Failure("store.foreign-file", path_ + " is empty: there is no store in it.");
  }
  // SQLite would drop the log of an empty database, and committed work with it.
  if (sizeOf(path_ + "-wal") > 0) {
    throw Failure("store.foreign-file",
                  path_ +
                      " is empty, but a log with content lies beside it. Nothing was changed; "
                      "restore the file, or move both away.");
  }
}

void StoreFile::checkKey(OpenMode mode) const {
  std::array<char, kPageSize> page{};
  const ssize_t got = ::pread(descriptor_, page.data(), page.size(), 0);
  const std::string_view first(page.data(), kKeyCheckSize);
  const std::string_view last(page.data() + kPageSealedSize, kKeyCheckSize);
  if (crypto::equalConstantTime(first, keys_.check) ||
      crypto::equalConstantTime(last, keys_.check)) {
    return;
  }
  // A power cut while the file was made may leave its one page unwritten; the journal undoes it.
  if (mode == OpenMode::kCreate && size() == static_cast<std::int64_t>(kPageSize) &&
      std::all_of(page.begin(), page.end(), [](char byte) { return byte == 0; })) {
    return;
  }
  if (first == kSqliteMagic || got != static_cast<ssize_t>(page.size()) ||
      size() % static_cast<std::int64_t>(kPageSize) != 0) {
    throw Failure("store.foreign-file",
                  path_ + " is not an encrypted store of Waystation's. It was left as it is.");
  }
  throw Failure("store.wrong-key",
                "The key does not belong to " + path_ +
                    ". Nothing was changed; use the key file that was made with this store.");
}

}  // namespace waystation::storage

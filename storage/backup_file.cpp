#include "storage/backup_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "crypto/failure.h"
#include "storage/directory_sync.h"

namespace waystation::storage {

namespace {

// A slow stick would else fill the system's memory with what waits for it, which holds up saves
// too, and the sync at the end could take minutes in which nobody can give up.
constexpr std::size_t kMostUnsynced = 8 << 20;

[[noreturn]] void throwExists(const std::filesystem::path& file) {
  throw Failure("backup.exists", "There is a file " + file.string() +
                                     " already. It was left as it is; name another one.");
}

std::filesystem::path folderOf(const std::filesystem::path& file) {
  return file.has_parent_path() ? file.parent_path() : ".";
}

}  // namespace

NewBackupFile::NewBackupFile(std::filesystem::path target)
    : target_(std::move(target)), partial_(target_.string() + ".partial") {
  struct stat status {};
  if (::lstat(target_.c_str(), &status) == 0) throwExists(target_);
  ::unlink(partial_.c_str());  // of a backup that was cut off
  descriptor_ =
      ::open(partial_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (descriptor_ < 0) fail(errno);
  made_ = true;
}

NewBackupFile::~NewBackupFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (made_) ::unlink(partial_.c_str());
}

void NewBackupFile::fail(int error) const {
  if (error == ENOSPC || error == EDQUOT || error == EFBIG) {
    throw Failure("backup.full", "There is no room for the backup in " +
                                     folderOf(target_).string() +
                                     ". The backups before it are whole; make room or take another "
                                     "disk.");
  }
  throw Failure("backup.unwritable", "The backup can't be written to " + target_.string() + ": " +
                                         std::strerror(error) +
                                         ". The backups before it are whole.");
}

void NewBackupFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail(written < 0 ? errno : EIO);
    bytes.remove_prefix(static_cast<std::size_t>(written));
    unsynced_ += static_cast<std::size_t>(written);
  }
  if (unsynced_ < kMostUnsynced) return;
  unsynced_ = 0;
  if (::fdatasync(descriptor_) != 0) fail(errno);
}

void NewBackupFile::sync() {
  if (::fsync(descriptor_) != 0) fail(errno);
  ::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_DONTNEED);
  const int closed = ::close(descriptor_);
  descriptor_ = -1;
  if (closed != 0) fail(errno);
}

void NewBackupFile::keep() {
  if (::renameat2(AT_FDCWD, partial_.c_str(), AT_FDCWD, target_.c_str(), RENAME_NOREPLACE) != 0) {
    if (errno == EEXIST) throwExists(target_);
    // A file system without that flag (FAT): the look at the beginning counts.
    if (errno != EINVAL && errno != ENOSYS) fail(errno);
    if (::rename(partial_.c_str(), target_.c_str()) != 0) fail(errno);
  }
  made_ = false;
  syncDirectory(folderOf(target_));
}

ByteSource openBackupFile(const std::filesystem::path& file) {
  struct Descriptor {
    explicit Descriptor(int opened) : number(opened) {}
    ~Descriptor() {
      if (number >= 0) ::close(number);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int number;
  };
  const auto opened = std::make_shared<Descriptor>(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (opened->number < 0) {
    const int error = errno;
    throw Failure(error == ENOENT ? "backup.foreign-file" : "backup.unreadable",
                  "The file " + file.string() + " can't be opened: " + std::strerror(error) + ".");
  }
  return [opened, file](char* out, std::size_t size) {
    std::size_t done = 0;
    while (done < size) {
      const ssize_t got = ::read(opened->number, out + done, size - done);
      if (got == 0) break;
      if (got < 0 && errno != EINTR) {
        throw Failure("backup.unreadable", file.string() +
                                               " can't be read: " + std::strerror(errno) +
                                               ". Nothing was changed; check the disk or stick.");
      }
      done += got > 0 ? static_cast<std::size_t>(got) : 0;
    }
    return done;
  };
}

void syncDirectory(const std::filesystem::path& directory) {
  const int error = syncEntriesOf(directory);
  if (error == 0) return;
  throw Failure("backup.unwritable", "The folder " + directory.string() + " can't be synced: " +
                                         std::strerror(error) + ". Check the disk.");
}

}  // namespace waystation::storage

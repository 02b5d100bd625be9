#include "crypto/key_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "crypto/failure.h"

namespace waystation::crypto {
namespace {

[[noreturn]] void throwExists() {
  throw Failure("key.file-exists",
                "There is a key file already. It was left as it is, because without it the store "
                "it belongs to could never be opened again.");
}

[[noreturn]] void throwWriteFailed(int error) {
  throw Failure("key.write-failed",
                std::string("The key file could not be written: ") + std::strerror(error) +
                    ". The one before is whole. Check the disk's free space and health.");
}

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}

  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  ~Descriptor() {
    if (number_ >= 0) {
      ::close(number_);
    }
  }

  int get() const { return number_; }
  bool isOpen() const { return number_ >= 0; }

 private:
  int number_;
};

// Open for the syncing of its entries, and locked against other writers of key files in it.
class LockedDirectory {
 public:
  explicit LockedDirectory(const std::filesystem::path& directory)
      : descriptor_(::open(directory.empty() ? "." : directory.c_str(),
                           O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (!descriptor_.isOpen()) {
      throwWriteFailed(errno);
    }
    while (::flock(descriptor_.get(), LOCK_EX) != 0) {
      if (errno != EINTR) {
        throwWriteFailed(errno);
      }
    }
  }

  void sync() const {
    if (::fsync(descriptor_.get()) != 0) {
      throwWriteFailed(errno);
    }
  }

 private:
  Descriptor descriptor_;
};

// The new content under its passing name; gone again unless it was renamed.
class NewFile {
 public:
  explicit NewFile(std::filesystem::path path) : path_(std::move(path)) {}

  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  ~NewFile() {
    if (!renamed_) {
      ::unlink(path_.c_str());
    }
  }

  void write(std::string_view content) const {
    ::unlink(path_.c_str());  // left behind by a power cut: never linked to anything
    const Descriptor file(
        ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file.isOpen()) {
      throwWriteFailed(errno);
    }
    std::size_t done = 0;
    while (done < content.size()) {
      const ssize_t written = ::write(file.get(), content.data() + done, content.size() - done);
      if (written > 0) {
        done += static_cast<std::size_t>(written);
      } else if (written == 0 || errno != EINTR) {
        throwWriteFailed(written == 0 ? EIO : errno);
      }
    }
    if (::fsync(file.get()) != 0) {
      throwWriteFailed(errno);
    }
  }

  void replace(const std::filesystem::path& target) {
    if (::rename(path_.c_str(), target.c_str()) != 0) {
      throwWriteFailed(errno);
    }
    renamed_ = true;
  }

  void becomeNew(const std::filesystem::path& target) {
    if (::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target.c_str(), RENAME_NOREPLACE) == 0) {
      renamed_ = true;
      return;
    }
    if (errno == EEXIST) {
      throwExists();
    }
    if (errno != EINVAL && errno != ENOSYS) {
      throwWriteFailed(errno);
    }
    // A file system without that flag (FAT): the caller's look beforehand, under the lock, counts.
    replace(target);
  }

 private:
  std::filesystem::path path_;
  bool renamed_ = false;
};

std::filesystem::path passingNameOf(const std::filesystem::path& file) {
  std::filesystem::path result = file;
  result += ".new";
  return result;
}

}  // namespace

std::string readKeyFile(const std::filesystem::path& file, std::size_t most) {
  const Descriptor descriptor(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!descriptor.isOpen() && errno == ENOENT) {
    throw Failure("key.file-missing",
                  "The key file is not there, and without it the store cannot be opened. Put back "
                  "a copy of it that was made with the last backup.");
  }
  std::string content(most + 1, '\0');
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t part = ::read(descriptor.get(), content.data() + done, content.size() - done);
    if (part == 0) {
      break;
    }
    if (part < 0 && errno != EINTR) {
      throw Failure("key.file-unreadable",
                    std::string("The key file cannot be read: ") + std::strerror(errno) +
                        ". Nothing was changed. Check who owns it, and the disk.");
    }
    done += part > 0 ? static_cast<std::size_t>(part) : 0;
  }
  content.resize(done);
  return content;
}

void createKeyFile(const std::filesystem::path& file, std::string_view content) {
  const LockedDirectory directory(file.parent_path());
  struct stat status {};

  if (::lstat(file.c_str(), &status) == 0) {
    throwExists();
  }
  NewFile next(passingNameOf(file));
  next.write(content);
  next.becomeNew(file);
  directory.sync();
}

void replaceKeyFile(const std::filesystem::path& file, std::string_view previous,
                    std::string_view content) {
  const LockedDirectory directory(file.parent_path());
  if (readKeyFile(file, previous.size()) != previous) {
    throw Failure("key.file-changed",
                  "The key file was changed by someone else in the meantime. Nothing was written; "
                  "start again.");
  }
  NewFile next(passingNameOf(file));
  next.write(content);
  next.replace(file);
  directory.sync();
}

}  // namespace waystation::crypto

// The calls stand here under their own names, which libraries that want 64-bit offsets redefine.
#undef _FILE_OFFSET_BITS

#include "tests/storage_faults/watched_disk.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <unordered_map>

namespace waystation::testing {

namespace {

using Kind = DiskOperation::Kind;

template <typename Function>
Function libraryCall(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

struct OpenFile {
  int file = DiskOperation::kNoFile;  // kDirectory: `path` is a directory
  std::string path;
};

}  // namespace

struct WatchedDisk::State {
  std::string root;  // with a slash at its end
  mutable std::mutex mutex;
  DiskRecord record;
  std::map<std::string, int> names;
  int files = 0;
  std::unordered_map<int, OpenFile> open;
  DiskFault fault;
  bool syncsLie = false;
  std::map<DiskCall, std::uint64_t> seen;
  std::uint64_t matching = 0;

  std::optional<std::string> within(const char* path) const {
    if (path == nullptr || std::strncmp(path, root.c_str(), root.size() - 1) != 0) return {};
    if (path[root.size() - 1] == '\0') return "";
    if (path[root.size() - 1] != '/') return {};
    return path + root.size();
  }

  const OpenFile* find(int descriptor) const {
    const auto found = open.find(descriptor);
    return found == open.end() ? nullptr : &found->second;
  }

  // The error with which this call has to fail. 0: half of it is to be done.
  std::optional<int> mustFail(DiskCall call) {
    ++seen[call];
    if ((fault.calls & static_cast<unsigned>(call)) == 0) return {};
    const std::uint64_t number = matching++;
    if (number < fault.from || (number > fault.from && !fault.forEver)) return {};
    return fault.error;
  }

  void add(DiskOperation operation) { record.operations.push_back(std::move(operation)); }

  void addEntries(const std::string& directory, std::vector<std::pair<std::string, int>> entries) {
    DiskOperation operation;
    operation.kind = Kind::kEntries;
    operation.directory = directory;
    operation.entries = std::move(entries);
    for (const auto& [path, file] : operation.entries) {
      if (file == DiskOperation::kNoFile) {
        names.erase(path);
      } else {
        names[path] = file;
      }
    }
    add(std::move(operation));
  }

  // With all that is in it, when it is a directory.
  void renamed(const std::string& source, const std::string& target) {
    std::vector<std::pair<std::string, int>> entries;
    for (const auto& [path, file] : names) {
      if (path != source && !path.starts_with(source + "/")) continue;
      entries.emplace_back(path, DiskOperation::kNoFile);
      entries.emplace_back(target + path.substr(source.size()), file);
    }
    addEntries(parentOf(target), std::move(entries));
  }

  int opened(const std::string& path, int flags, int descriptor) {
    if (descriptor < 0) return descriptor;
    struct stat status {};
    ::fstat(descriptor, &status);
    OpenFile file{DiskOperation::kDirectory, path};
    if (!S_ISDIR(status.st_mode)) {
      if (!names.contains(path)) addEntries(parentOf(path), {{path, files++}});
      file.file = names.at(path);
      if ((flags & O_TRUNC) != 0) truncated(file.file, 0);
    }
    open[descriptor] = file;
    return descriptor;
  }

  void written(int file, std::int64_t offset, const void* bytes, ssize_t size) {
    if (size <= 0) return;
    DiskOperation operation;
    operation.kind = Kind::kWrite;
    operation.file = file;
    operation.offset = offset;
    operation.bytes.assign(static_cast<const char*>(bytes), static_cast<std::size_t>(size));
    add(std::move(operation));
  }

  void truncated(int file, std::int64_t size) {
    DiskOperation operation;
    operation.kind = Kind::kTruncate;
    operation.file = file;
    operation.offset = size;
    add(std::move(operation));
  }

  void synced(const OpenFile& file) {
    const bool isDirectory = file.file == DiskOperation::kDirectory;
    if (syncsLie && !isDirectory) return;
    DiskOperation operation;
    operation.kind = isDirectory ? Kind::kSyncDirectory : Kind::kSync;
    operation.file = file.file;
    operation.directory = file.path;
    add(std::move(operation));
  }
};

namespace {

std::atomic<WatchedDisk::State*> watched{nullptr};

int failedWith(int error) {
  errno = error;
  return -1;
}

int openWatched(int (*next)(const char*, int, ...), const char* path, int flags, mode_t mode) {
  WatchedDisk::State* const disk = watched.load();
  if (disk == nullptr) return next(path, flags, mode);
  const std::lock_guard lock(disk->mutex);
  const std::optional<std::string> name = disk->within(path);
  if (!name) {
    const int descriptor = next(path, flags, mode);
    disk->open.erase(descriptor);  // of a directory that the C library has closed itself
    return descriptor;
  }
  if (const std::optional<int> error = disk->mustFail(DiskCall::kOpen)) return failedWith(*error);
  return disk->opened(*name, flags, next(path, flags, mode));
}

// As the calls that name a directory by its descriptor mean it.
std::string pathAt(int directory, const char* path) {
  if (directory == AT_FDCWD || path[0] == '/') return path;
  WatchedDisk::State* const disk = watched.load();
  if (disk != nullptr) {
    const std::lock_guard lock(disk->mutex);
    if (const OpenFile* const file = disk->find(directory)) {
      return disk->root + file->path + "/" + path;
    }
  }
  return "/proc/self/fd/" + std::to_string(directory) + "/" + path;
}

// Does the write through `next`, all of it or what the fault leaves of it.
template <typename Next>
ssize_t writeWatched(int descriptor, const void* bytes, std::size_t size,
                     std::optional<std::int64_t> offset, Next next) {
  WatchedDisk::State* const disk = watched.load();
  if (disk == nullptr) return next(size);
  const std::lock_guard lock(disk->mutex);
  const OpenFile* const file = disk->find(descriptor);
  if (file == nullptr) return next(size);
  const std::optional<int> error = disk->mustFail(DiskCall::kWrite);
  if (error.value_or(0) != 0) return failedWith(*error);
  const std::int64_t at = offset ? *offset : ::lseek(descriptor, 0, SEEK_CUR);
  const ssize_t done = next(error ? size / 2 : size);
  disk->written(file->file, at, bytes, done);
  return done;
}

template <typename Next>
ssize_t readWatched(int descriptor, Next next) {
  WatchedDisk::State* const disk = watched.load();
  if (disk == nullptr) return next();
  {
    const std::lock_guard lock(disk->mutex);
    if (disk->find(descriptor) != nullptr) {
      if (const std::optional<int> error = disk->mustFail(DiskCall::kRead)) {
        return failedWith(*error);
      }
    }
  }
  return next();
}

template <typename Next>
int syncWatched(int descriptor, Next next) {
  WatchedDisk::State* const disk = watched.load();
  if (disk == nullptr) return next();
  const std::lock_guard lock(disk->mutex);
  const OpenFile* const file = disk->find(descriptor);
  if (file == nullptr) return next();
  const bool isDirectory = file->file == DiskOperation::kDirectory;
  const DiskCall call = isDirectory ? DiskCall::kSyncDirectory : DiskCall::kSync;
  if (const std::optional<int> error = disk->mustFail(call)) return failedWith(*error);
  disk->synced(*file);
  return 0;
}

template <typename Next>
int truncateWatched(int descriptor, std::int64_t size, Next next) {
  WatchedDisk::State* const disk = watched.load();
  if (disk == nullptr) return next();
  const std::lock_guard lock(disk->mutex);
  const OpenFile* const file = disk->find(descriptor);
  if (file == nullptr) return next();
  if (const std::optional<int> error = disk->mustFail(DiskCall::kTruncate)) {
    return failedWith(*error);
  }
  const int result = next();
  if (result == 0) disk->truncated(file->file, size);
  return result;
}

template <typename Next>
int removeWatched(const char* path, Next next) {
  WatchedDisk::State* const disk = watched.load();
  if (disk == nullptr) return next();
  const std::lock_guard lock(disk->mutex);
  const std::optional<std::string> name = disk->within(path);
  if (!name) return next();
  if (const std::optional<int> error = disk->mustFail(DiskCall::kDelete)) {
    return failedWith(*error);
  }
  const int result = next();
  if (result == 0) disk->addEntries(parentOf(*name), {{*name, DiskOperation::kNoFile}});
  return result;
}

template <typename Next>
int renameWatched(const char* from, const char* to, Next next) {
  WatchedDisk::State* const disk = watched.load();
  if (disk == nullptr) return next();
  const std::lock_guard lock(disk->mutex);
  const std::optional<std::string> source = disk->within(from);
  const std::optional<std::string> target = disk->within(to);
  if (!source || !target) return next();
  if (const std::optional<int> error = disk->mustFail(DiskCall::kRename)) {
    return failedWith(*error);
  }
  const int result = next();
  if (result == 0) disk->renamed(*source, *target);
  return result;
}

}  // namespace

WatchedDisk::WatchedDisk(const std::filesystem::path& directory)
    : WatchedDisk(directory, readImage(directory)) {}

WatchedDisk::WatchedDisk(const std::filesystem::path& directory, DiskImage start)
    : state_(std::make_unique<State>()) {
  state_->root = directory.string() + "/";
  state_->record.start = std::move(start);
  for (const std::string& path : state_->record.start.directories) {
    state_->names[path] = DiskOperation::kDirectory;
  }
  for (const auto& [path, bytes] : state_->record.start.files) {
    state_->names[path] = state_->files++;
  }
  state_->record.startNumbers = state_->names;
  State* none = nullptr;
  if (!watched.compare_exchange_strong(none, state_.get())) {
    throw std::logic_error("two disks can't be watched at a time");
  }
}

WatchedDisk::~WatchedDisk() {
  State* own = state_.get();
  watched.compare_exchange_strong(own, nullptr);
}

void WatchedDisk::note(std::int64_t number) {
  const std::lock_guard lock(state_->mutex);
  DiskOperation operation;
  operation.offset = number;
  state_->add(std::move(operation));
}

DiskRecord WatchedDisk::finish() {
  watched.store(nullptr);
  SeededRandom unused(0);
  PowerCut all(state_->record);
  while (all.advance()) {
  }
  const std::string root = state_->root.substr(0, state_->root.size() - 1);
  if (all.image(PowerCut::Fate::kEverything, unused) != readImage(root)) {
    throw std::runtime_error("something was written in " + root + " by a way that is not watched");
  }
  return std::move(state_->record);
}

void WatchedDisk::fail(const DiskFault& fault) {
  const std::lock_guard lock(state_->mutex);
  state_->fault = fault;
  state_->matching = 0;
  state_->seen.clear();
}

std::uint64_t WatchedDisk::callsSeen(unsigned calls) const {
  const std::lock_guard lock(state_->mutex);
  std::uint64_t sum = 0;
  for (const auto& [call, count] : state_->seen) {
    if ((calls & static_cast<unsigned>(call)) != 0) sum += count;
  }
  return sum;
}

void WatchedDisk::lieAboutSyncs() {
  const std::lock_guard lock(state_->mutex);
  state_->syncsLie = true;
}

DiskImage readImage(const std::filesystem::path& directory) {
  DiskImage image;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    const std::string name = entry.path().string().substr(directory.string().size() + 1);
    if (entry.is_directory()) {
      image.directories.insert(name);
    } else if (entry.is_regular_file()) {
      std::string& bytes = image.files[name];
      bytes.resize(entry.file_size());
      std::ifstream in(entry.path(), std::ios::binary);
      in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    }
  }
  return image;
}

void writeImage(const DiskImage& image, const std::filesystem::path& directory) {
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  for (const std::string& name : image.directories) {
    std::filesystem::create_directories(directory / name);
  }
  for (const auto& [name, bytes] : image.files) {
    std::ofstream out(directory / name, std::ios::binary | std::ios::trunc);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    out.close();
    if (!out)
      throw std::runtime_error("the states of the disk find no room in " + directory.string());
  }
}

}  // namespace waystation::testing

// The C library's calls, taken over for the whole process: the linker prefers the program's.
namespace disk = waystation::testing;

extern "C" {

int open(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  static const auto next = disk::libraryCall<int (*)(const char*, int, ...)>("open");
  return disk::openWatched(next, path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  static const auto next = disk::libraryCall<int (*)(const char*, int, ...)>("open64");
  return disk::openWatched(next, path, flags, mode);
}

int openat(int directory, const char* path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return ::open(disk::pathAt(directory, path).c_str(), flags, mode);
}

int close(int descriptor) {
  static const auto next = disk::libraryCall<int (*)(int)>("close");
  if (disk::WatchedDisk::State* const state = disk::watched.load()) {
    const std::lock_guard lock(state->mutex);
    state->open.erase(descriptor);
  }
  return next(descriptor);
}

ssize_t read(int descriptor, void* bytes, size_t size) {
  static const auto next = disk::libraryCall<ssize_t (*)(int, void*, size_t)>("read");
  return disk::readWatched(descriptor, [=] { return next(descriptor, bytes, size); });
}

ssize_t pread(int descriptor, void* bytes, size_t size, off_t offset) {
  static const auto next = disk::libraryCall<ssize_t (*)(int, void*, size_t, off_t)>("pread");
  return disk::readWatched(descriptor, [=] { return next(descriptor, bytes, size, offset); });
}

ssize_t pread64(int descriptor, void* bytes, size_t size, off64_t offset) {
  static const auto next = disk::libraryCall<ssize_t (*)(int, void*, size_t, off64_t)>("pread64");
  return disk::readWatched(descriptor, [=] { return next(descriptor, bytes, size, offset); });
}

ssize_t write(int descriptor, const void* bytes, size_t size) {
  static const auto next = disk::libraryCall<ssize_t (*)(int, const void*, size_t)>("write");
  return disk::writeWatched(descriptor, bytes, size, {},
                            [=](size_t part) { return next(descriptor, bytes, part); });
}

ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t offset) {
  static const auto next =
      disk::libraryCall<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite");
  return disk::writeWatched(descriptor, bytes, size, offset,
                            [=](size_t part) { return next(descriptor, bytes, part, offset); });
}

ssize_t pwrite64(int descriptor, const void* bytes, size_t size, off64_t offset) {
  static const auto next =
      disk::libraryCall<ssize_t (*)(int, const void*, size_t, off64_t)>("pwrite64");
  return disk::writeWatched(descriptor, bytes, size, offset,
                            [=](size_t part) { return next(descriptor, bytes, part, offset); });
}

int fsync(int descriptor) {
  static const auto next = disk::libraryCall<int (*)(int)>("fsync");
  return disk::syncWatched(descriptor, [=] { return next(descriptor); });
}

int fdatasync(int descriptor) {
  static const auto next = disk::libraryCall<int (*)(int)>("fdatasync");
  return disk::syncWatched(descriptor, [=] { return next(descriptor); });
}

int ftruncate(int descriptor, off_t size) noexcept {
  static const auto next = disk::libraryCall<int (*)(int, off_t)>("ftruncate");
  return disk::truncateWatched(descriptor, size, [=] { return next(descriptor, size); });
}

int ftruncate64(int descriptor, off64_t size) noexcept {
  static const auto next = disk::libraryCall<int (*)(int, off64_t)>("ftruncate64");
  return disk::truncateWatched(descriptor, size, [=] { return next(descriptor, size); });
}

int unlink(const char* path) noexcept {
  static const auto next = disk::libraryCall<int (*)(const char*)>("unlink");
  return disk::removeWatched(path, [=] { return next(path); });
}

int remove(const char* path) noexcept {
  static const auto next = disk::libraryCall<int (*)(const char*)>("remove");
  return disk::removeWatched(path, [=] { return next(path); });
}

int unlinkat(int directory, const char* path, int flags) noexcept {
  const std::string whole = disk::pathAt(directory, path);
  return (flags & AT_REMOVEDIR) != 0 ? ::rmdir(whole.c_str()) : ::unlink(whole.c_str());
}

int rmdir(const char* path) noexcept {
  static const auto next = disk::libraryCall<int (*)(const char*)>("rmdir");
  return disk::removeWatched(path, [=] { return next(path); });
}

int rename(const char* from, const char* to) noexcept {
  static const auto next = disk::libraryCall<int (*)(const char*, const char*)>("rename");
  return disk::renameWatched(from, to, [=] { return next(from, to); });
}

int renameat2(int fromAt, const char* from, int toAt, const char* to, unsigned flags) noexcept {
  static const auto next =
      disk::libraryCall<int (*)(int, const char*, int, const char*, unsigned)>("renameat2");
  return disk::renameWatched(from, to, [=] { return next(fromAt, from, toAt, to, flags); });
}

int mkdir(const char* path, mode_t mode) noexcept {
  static const auto next = disk::libraryCall<int (*)(const char*, mode_t)>("mkdir");
  const int result = next(path, mode);
  if (disk::WatchedDisk::State* const state = disk::watched.load(); state && result == 0) {
    const std::lock_guard lock(state->mutex);
    if (const auto name = state->within(path)) {
      state->addEntries(disk::parentOf(*name), {{*name, disk::DiskOperation::kDirectory}});
    }
  }
  return result;
}

}  // extern "C"

#pragma once

#include <sqlite3.h>

#include <cstddef>
#include <cstdint>
#include <memory>

namespace waystation::storage {

// A file of SQLite's own VFS, underneath ours: raw bytes. Results are SQLite's codes.
class PlainFile {
 public:
  // `name` as SQLite gave it to xOpen; it must outlive this. `result` gets xOpen's code; unless it
  // is SQLITE_OK, nothing else may be called.
  PlainFile(sqlite3_vfs& vfs, const char* name, int flags, int* outFlags, int& result);
  ~PlainFile();
  PlainFile(const PlainFile&) = delete;
  PlainFile& operator=(const PlainFile&) = delete;

  sqlite3_file* get() const { return file_; }
  int read(void* out, std::size_t size, std::int64_t offset) const;
  // SQLITE_FULL also where the disk has room but this user's share of it, or the largest size of a
  // file, is used up.
  int write(const void* bytes, std::size_t size, std::int64_t offset) const;
  int size(std::int64_t& bytes) const;
  int truncate(std::int64_t size) const;
  // Ends the process when the disk can't say that it has the bytes.
  void sync() const;

 private:
  std::unique_ptr<char[]> memory_;
  sqlite3_file* file_;
};

// One file as SQLite sees it through our VFS. A connection's files are used by one thread at a
// time. The defaults hand on to the plain file. Functions may throw; SQLite then gets an I/O error.
class OpenFile {
 public:
  explicit OpenFile(std::unique_ptr<PlainFile> plain) : plain_(std::move(plain)) {}
  virtual ~OpenFile() = default;
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  virtual int read(char* out, std::size_t size, std::int64_t offset) = 0;
  virtual int write(const char* bytes, std::size_t size, std::int64_t offset) = 0;
  virtual int truncate(std::int64_t size);
  // Ends the process when the disk can't say that it has the bytes.
  virtual int sync(int flags);
  virtual int size(std::int64_t& size);
  virtual int control(int operation, void* argument);

  virtual int lock(int level);
  virtual int unlock(int level);
  virtual int checkReservedLock(int& reserved);

  // The WAL index; only a database has one.
  virtual int mapIndex(int region, int size, bool extend, volatile void** memory);
  virtual int lockIndex(int first, int count, int flags);
  virtual void indexBarrier() {}
  virtual void unmapIndex() {}

 protected:
  PlainFile& plain() { return *plain_; }
  // For destructors that must do something after the file is closed.
  void closePlain() { plain_.reset(); }

 private:
  std::unique_ptr<PlainFile> plain_;
};

// A file whose bytes are nobody's secret, or that never reaches a disk.
class PassedFile final : public OpenFile {
 public:
  using OpenFile::OpenFile;
  int read(char* out, std::size_t size, std::int64_t offset) override;
  int write(const char* bytes, std::size_t size, std::int64_t offset) override;
};

// What SQLite allocates for each open file.
struct VfsFile {
  sqlite3_file base;
  OpenFile* file;
};

// The table that leads SQLite's calls to OpenFile.
const sqlite3_io_methods& openFileMethods();

}  // namespace waystation::storage

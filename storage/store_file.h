#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "crypto/random.h"
#include "crypto/secret.h"
#include "storage/connection_locks.h"
#include "storage/key_epochs.h"
#include "storage/key_ring.h"
#include "storage/open_file.h"
#include "storage/open_mode.h"
#include "storage/page_format.h"
#include "storage/wal_index.h"

namespace waystation::storage {

// A database file as this process has it open: its keys, its WAL index, and the lock that keeps
// other processes out. Shared by all connections to the file. All access to files is through the
// VFS underneath.
class StoreFile {
 public:
  // Takes the lock, checks the key, writes nothing (beyond creating an empty file in mode kCreate,
  // and mending pages that a power cut tore while their key was changed). `plain` must outlive it.
  // Throws Failure: "store.missing", "store.busy", "store.wrong-key", "store.foreign-file",
  // "store.keys-missing".
  StoreFile(sqlite3_vfs& plain, std::string path, const crypto::Secret& key, OpenMode mode);
  ~StoreFile();
  StoreFile(const StoreFile&) = delete;
  StoreFile& operator=(const StoreFile&) = delete;

  const std::string& path() const { return path_; }
  const KeyEpochs& keys() const { return keys_; }
  bool isUnder(const crypto::Secret& databaseKey) const;
  crypto::Random& random() { return random_; }
  WalIndex& walIndex() { return walIndex_; }
  ConnectionLocks& locks() { return locks_; }

  // Bytes in the database file. Every change of it passes through this process.
  std::int64_t size() const { return size_.load(std::memory_order_acquire); }
  void setSize(std::int64_t size) { size_.store(size, std::memory_order_release); }

  // Raw bytes of the database beside SQLite's connections; a result code of SQLite's. A handle of
  // another's must not be opened: closing it would drop the process's POSIX locks.
  int read(char* out, std::size_t size, std::int64_t offset);
  int write(const char* bytes, std::size_t size, std::int64_t offset);
  int truncate(std::int64_t size);
  // Ends the process when the disk can't say that it has the bytes.
  void sync();
  // The log beside the database, for reading; null when there is none, or nothing in it.
  std::unique_ptr<PlainFile> openLog();

  // Rotation (key_rotation.h), for one thread at a time, which holds this.
  std::mutex& rotation() { return rotation_; }
  // A new key, kept in the key ring before anything is written under it. Throws as KeyRing::save.
  void beginEpoch();
  // Forgets every key but the current one, in the ring and in memory. Throws as KeyRing::save.
  void forgetOldEpochs();
  bool hasOldEpochs() const { return keys_.keys().size() > 1; }
  sqlite3_vfs& plain() { return plain_; }
  // The file that holds pages while they are overwritten in place.
  const char* batchName() const { return batchName_.c_str(); }

 private:
  void open(OpenMode mode);
  std::unique_ptr<PlainFile> openBeside(const char* name, int kind);
  void lockAndCheck(OpenMode mode);
  void checkEmpty(OpenMode mode);
  void checkKey(OpenMode mode);
  void requireKeysOf(const char* firstPage);
  bool isProvenByRecovery();
  void loadKeys();
  bool isOfFirstEpoch();
  void mendFromBatch();

  sqlite3_vfs& plain_;
  std::string path_;
  std::string ringName_;
  std::string batchName_;
  crypto::Secret databaseKey_;
  KeyEpochs keys_;
  crypto::SystemRandom random_;
  KeyRing ring_;
  std::mutex rotation_;
  WalIndex walIndex_;
  ConnectionLocks locks_;
  const char* name_ = nullptr;  // path_ in the form in which SQLite gives names to a VFS
  std::mutex mutex_;            // the handle's: it may keep a position
  std::unique_ptr<PlainFile> file_;
  bool isWritable_ = false;
  std::atomic<std::int64_t> size_{0};
};

}  // namespace waystation::storage

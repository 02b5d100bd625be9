#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "crypto/random.h"
#include "crypto/secret.h"
#include "storage/open_mode.h"
#include "storage/page_format.h"
#include "storage/wal_index.h"

namespace waystation::storage {

// A database file as this process has it open: its keys, its WAL index, and the lock that keeps
// other processes out. Shared by all connections to the file.
class StoreFile {
 public:
  // The descriptor of a locked, key-checked file. Takes the lock, checks the key, writes nothing
  // (beyond creating an empty file in mode kCreate). Throws Failure: "store.missing", "store.busy",
  // "store.wrong-key", "store.foreign-file".
  StoreFile(std::string path, const crypto::Secret& key, OpenMode mode);
  ~StoreFile();
  StoreFile(const StoreFile&) = delete;
  StoreFile& operator=(const StoreFile&) = delete;

  const std::string& path() const { return path_; }
  const StoreKeys& keys() const { return keys_; }
  crypto::Random& random() { return random_; }
  WalIndex& walIndex() { return walIndex_; }

  // Bytes in the database file. Every change of it passes through this process.
  std::int64_t size() const { return size_.load(std::memory_order_acquire); }
  void setSize(std::int64_t size) { size_.store(size, std::memory_order_release); }

  // For reading beside SQLite: a second descriptor must not be opened, since closing it would drop
  // the process's POSIX locks.
  int descriptor() const { return descriptor_; }

 private:
  void lockAndCheck(OpenMode mode);
  void checkEmpty(OpenMode mode) const;
  void checkKey(OpenMode mode) const;

  std::string path_;
  StoreKeys keys_;
  crypto::SystemRandom random_;
  WalIndex walIndex_;
  int descriptor_ = -1;
  std::atomic<std::int64_t> size_{0};
};

}  // namespace waystation::storage

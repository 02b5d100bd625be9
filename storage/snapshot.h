#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "storage/database.h"
#include "storage/page_format.h"

namespace waystation::storage {

// A database to take a snapshot of: the process's connections to it, its file and key. Borrows.
struct SnapshotSource {
  Connections& connections;
  std::filesystem::path file;
  const crypto::Secret& key;
};

// One moment of a database, page by page, while others go on writing: the log is folded into the
// database file, and a reader holds that file still until this goes. Meanwhile the log grows.
class Snapshot {
 public:
  // One moment for all of them: their writers are held together, in this order, for a moment.
  // `giveUp` is asked while others' long reads are waited for. Throws Failure: "backup.busy", and
  // as Database does.
  static std::vector<std::unique_ptr<Snapshot>> ofAll(const std::vector<SnapshotSource>& sources,
                                                      const std::function<bool()>& giveUp);
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  std::uint32_t pages() const { return pages_; }
  // kPageBodySize bytes of page `number`, from 1. Throws Failure("store.damaged-page").
  void read(std::uint32_t number, char* body);

 private:
  explicit Snapshot(const SnapshotSource& source);
  static bool tryHoldAll(const std::vector<SnapshotSource>& sources,
                         const std::vector<std::unique_ptr<Snapshot>>& snapshots);
  bool tryHold(Database& writer);
  void letGo();

  std::shared_ptr<StoreFile> store_;
  Database reader_;
  PageFormat format_;
  std::uint32_t pages_ = 0;
  std::array<char, kPageSize> sealed_;
  std::array<char, kPageSize> plain_;
};

// A database made anew from pages, sealed under `key`. Nothing may be at `file` yet.
class RebuiltDatabase {
 public:
  RebuiltDatabase(const std::filesystem::path& file, const crypto::Secret& key);
  RebuiltDatabase(const RebuiltDatabase&) = delete;
  RebuiltDatabase& operator=(const RebuiltDatabase&) = delete;

  // The next page, from 1 on. Throws Failure("store.full"), ("store.sqlite").
  void append(const char* body);
  // Puts it on the disk and reads it back: every page, and SQLite's own check. Throws
  // Failure("store.damaged-page") when it is not whole.
  void finish();

 private:
  std::filesystem::path file_;
  crypto::Secret key_;
  std::shared_ptr<StoreFile> store_;
  std::unique_ptr<PageFormat> format_;
  std::uint32_t pages_ = 0;
  std::array<char, kPageSize> sealed_;
  std::array<char, kPageSize> plain_;
};

}  // namespace waystation::storage

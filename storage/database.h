#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "crypto/failure.h"
#include "crypto/secret.h"
#include "storage/open_mode.h"
#include "storage/row_packer.h"

struct sqlite3;
struct sqlite3_stmt;

namespace waystation::storage {

class Database;
class StoreFile;

// A prepared statement, taken from its connection's cache and given back, reset, when it goes.
// Parameters count from 1, columns from 0, as SQLite does. Errors throw (see Database).
class Statement {
 public:
  Statement(Statement&&) noexcept;
  Statement& operator=(Statement&&) = delete;
  Statement(const Statement&) = delete;
  ~Statement();

  Statement& bind(int index, std::int64_t value);
  Statement& bindText(int index, std::string_view value);
  Statement& bindBlob(int index, std::string_view value);
  Statement& bindNull(int index);

  bool step();   // true while there is a row
  void run();    // steps to the end
  void reset();  // to bind and step again

  bool isNull(int column) const;
  std::int64_t integer(int column) const;
  // Views live until the next step, reset or destruction.
  std::string_view view(int column) const;
  std::string text(int column) const { return std::string(view(column)); }
  // What was packed into the column; its packing is in the next one (storage/row_packer.h).
  std::string unpacked(int column) const;
  // The same, and in the two columns after these is what it may have been packed beside.
  std::string unpackedBeside(int column) const;

 private:
  friend class Database;
  Statement(Database& database, sqlite3_stmt* statement, std::string sql);

  Database* database_;
  sqlite3_stmt* statement_;
  std::string sql_;
};

// One connection to an encrypted database. Not for two threads at once.
//
// Every connection has: our VFS, foreign_keys on, temp_store in memory, WAL, synchronous=EXTRA,
// mmap off, trusted_schema off. Failures (codes): "store.wrong-key" and "store.foreign-file" before
// any byte is written; "store.damaged-page" with file and page; "store.full"; "store.busy";
// "store.read-only"; "store.unsynced" for a directory; "store.sqlite" for the rest. A failed fsync
// ends the process.
class Database {
 public:
  // `key`: 32 bytes, the store's database key. `cacheKiB`: page cache of this connection.
  Database(const std::filesystem::path& file, const crypto::Secret& key, OpenMode mode,
           int cacheKiB = 16 * 1024);
  // A database in memory, for tests and the simulator: same SQL, no file, no encryption.
  static std::unique_ptr<Database> inMemory();
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  Statement statement(std::string_view sql);
  // Statements without parameters, several at once (schemas, pragmas).
  void execute(const std::string& sql);

  std::int64_t lastInsertRowId() const;
  std::int64_t changedRows() const;
  bool inTransaction() const;
  sqlite3* handle() { return handle_; }
  RowPacker& packer() { return packer_; }
  // Null in memory.
  StoreFile* storeFile() const { return store_.get(); }

 private:
  friend class Statement;
  Database() = default;
  void open(const char* file, int flags);
  void requireWritable() const;
  void keepNewLog() const;
  void configure(int cacheKiB);
  void close();
  [[noreturn]] void fail(const char* attempted) const;
  [[noreturn]] void failAtPage() const;

  std::shared_ptr<StoreFile> store_;  // none in memory; outlives the handle
  sqlite3* handle_ = nullptr;
  std::string name_;
  RowPacker packer_;
  std::unordered_multimap<std::string, sqlite3_stmt*> idle_;
};

// BEGIN IMMEDIATE ... COMMIT; rolls back unless committed. Returning from commit() means: on disk.
class Transaction {
 public:
  explicit Transaction(Database& database);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

// Numbered migrations: entry i brings user_version from i to i+1, each in its own transaction.
// Throws Failure("store.newer-schema") when the file is ahead of this program.
void migrate(Database& database, const std::vector<std::string>& migrations);

// The one writer and the pool of readers on a database file.
class Connections {
 public:
  Connections(const std::filesystem::path& file, const crypto::Secret& key, OpenMode mode,
              int readers);
  // Over one connection in memory: writer and reader are the same, taken in turn.
  explicit Connections(std::unique_ptr<Database> single);
  ~Connections();

  // A connection lent to one thread until the lease goes. Don't take two in one thread.
  class Lease {
   public:
    Lease(Lease&&) noexcept;
    ~Lease();
    Database& operator*() const { return *database_; }
    Database* operator->() const { return database_; }

   private:
    friend class Connections;
    Lease(Connections& owner, Database& database, bool writer);
    Connections* owner_;
    Database* database_;
    bool writer_;
  };
  Lease writer();
  Lease reader();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace waystation::storage

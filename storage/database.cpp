#include "storage/database.h"

#include <sqlite3.h>

#include <cstring>
#include <system_error>
#include <utility>

#include "storage/directory_sync.h"
#include "storage/encrypting_vfs.h"
#include "storage/main_file.h"

namespace waystation::storage {

namespace {

// How many prepared statements a connection keeps when nobody uses them.
constexpr std::size_t kMaximumIdleStatements = 256;
constexpr int kBusyMilliseconds = 10'000;

// 32 MiB; SQLite reads a multiple of 256 as "never". Transactions up to this size reach the log
// only at their commit, which also keeps them clear of an error of SQLite's (see
// LogFile::noteCommit).
constexpr int kPagesBeforeSpilling = 8191;

std::string inKiB(int cacheKiB) {
  return "PRAGMA cache_size = -" + std::to_string(cacheKiB);
}

bool hasContent(const std::string& file) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(file, error);
  return !error && size > 0;
}

// ATTACH and VACUUM INTO would write a copy somewhere else; only VACUUM's own unnamed copy, which
// stays in memory, is let through.
int authorize(void*, int action, const char* file, const char*, const char*, const char*) {
  if (action != SQLITE_ATTACH) return SQLITE_OK;
  return file != nullptr && *file == '\0' ? SQLITE_OK : SQLITE_DENY;
}

}  // namespace

Statement::Statement(Database& database, sqlite3_stmt* statement, std::string sql)
    : database_(&database), statement_(statement), sql_(std::move(sql)) {}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      statement_(std::exchange(other.statement_, nullptr)),
      sql_(std::move(other.sql_)) {}

Statement::~Statement() {
  if (statement_ == nullptr) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  if (database_->idle_.size() >= kMaximumIdleStatements) {
    sqlite3_finalize(statement_);
    return;
  }
  database_->idle_.emplace(std::move(sql_), statement_);
}

Statement& Statement::bind(int index, std::int64_t value) {
  if (sqlite3_bind_int64(statement_, index, value) != SQLITE_OK) database_->fail(sql_.c_str());
  return *this;
}

Statement& Statement::bindText(int index, std::string_view value) {
  // A null pointer would bind NULL; an empty text is not that.
  const char* text = value.data() == nullptr ? "" : value.data();
  if (sqlite3_bind_text64(statement_, index, text, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8) !=
      SQLITE_OK) {
    database_->fail(sql_.c_str());
  }
  return *this;
}

Statement& Statement::bindBlob(int index, std::string_view value) {
  const char* bytes = value.data() == nullptr ? "" : value.data();
  if (sqlite3_bind_blob64(statement_, index, bytes, value.size(), SQLITE_TRANSIENT) != SQLITE_OK) {
    database_->fail(sql_.c_str());
  }
  return *this;
}

Statement& Statement::bindNull(int index) {
  if (sqlite3_bind_null(statement_, index) != SQLITE_OK) database_->fail(sql_.c_str());
  return *this;
}

bool Statement::step() {
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  if (result == SQLITE_DONE) return false;
  database_->fail(sql_.c_str());
}

void Statement::run() {
  while (step()) {
  }
}

void Statement::reset() {
  // The result repeats the error of the last step, which was thrown then. Bindings stay.
  sqlite3_reset(statement_);
}

bool Statement::isNull(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string_view Statement::view(int column) const {
  const void* bytes = sqlite3_column_type(statement_, column) == SQLITE_BLOB
                          ? sqlite3_column_blob(statement_, column)
                          : sqlite3_column_text(statement_, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  return bytes == nullptr ? std::string_view("")
                          : std::string_view(static_cast<const char*>(bytes), size);
}

std::string Statement::unpacked(int column) const {
  return database_->packer_.unpack(view(column), static_cast<Packing>(integer(column + 1)));
}

std::string Statement::unpackedBeside(int column) const {
  const auto packing = static_cast<Packing>(integer(column + 1));
  if (packing != kPackedBeside) return unpacked(column);
  return database_->packer_.unpack(view(column), packing, unpacked(column + 2));
}

Database::Database(const std::filesystem::path& file, const crypto::Secret& key, OpenMode mode,
                   int cacheKiB)
    : store_(EncryptingVfs::instance().acquire(file, key, mode)), name_(store_->path()) {
  try {
    const bool hasLog = mode == OpenMode::kReadOnly || hasContent(name_ + "-wal");
    open(name_.c_str(), mode == OpenMode::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
    if (mode != OpenMode::kReadOnly) requireWritable();
    configure(cacheKiB);
    // Writes the first page of a new database, so that its key can be checked from now on.
    if (mode != OpenMode::kReadOnly) execute("PRAGMA journal_mode = WAL");
    statement("SELECT count(*) FROM sqlite_schema").run();
    if (!hasLog) keepNewLog();
  } catch (...) {
    close();
    throw;
  }
}

std::unique_ptr<Database> Database::inMemory() {
  EncryptingVfs::instance();  // plain files are out of reach from here, too
  std::unique_ptr<Database> database(new Database());
  database->name_ = ":memory:";
  database->open(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY);
  database->configure(16 * 1024);
  return database;
}

Database::~Database() {
  close();
}

void Database::open(const char* file, int flags) {
  constexpr int kAlways = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
  if (sqlite3_open_v2(file, &handle_, flags | kAlways, EncryptingVfs::instance().name()) !=
      SQLITE_OK) {
    fail("opening");
  }
}

// SQLite opens a file for reading when it can't be opened for writing, whatever the reason.
void Database::requireWritable() const {
  if (sqlite3_db_readonly(handle_, "main") != 1) return;
  throw Failure("store.read-only",
                name_ +
                    " can be read and not written to. Nothing was changed; check the disk, and the "
                    "file's owner.");
}

// The log may have been made just now. SQLite syncs its directory with the first commit, and keeps
// it to itself when that fails: the log, and what was committed to it, could go in a power cut.
void Database::keepNewLog() const {
  const int error = syncEntriesOf(std::filesystem::path(name_).parent_path());
  if (error == 0) return;
  throw Failure("store.unsynced", "The folder of " + name_ +
                                      " can't be synced: " + std::strerror(error) +
                                      ". Nothing was changed; check the disk.");
}

void Database::close() {
  for (const auto& [sql, statement] : idle_) sqlite3_finalize(statement);
  idle_.clear();
  sqlite3_close_v2(handle_);
  handle_ = nullptr;
}

void Database::configure(int cacheKiB) {
  sqlite3_busy_timeout(handle_, kBusyMilliseconds);
  sqlite3_db_config(handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  // Before anything could be sorted: temporary tables, sorters and statement journals stay in
  // memory, and the VFS refuses a file for them.
  execute("PRAGMA temp_store = MEMORY");
  execute("PRAGMA mmap_size = 0");
  execute("PRAGMA trusted_schema = OFF");
  execute("PRAGMA foreign_keys = ON");
  // As FULL in a log; while a database is made, the deletion of the journal is synced too.
  execute("PRAGMA synchronous = EXTRA");
  execute(inKiB(cacheKiB));
  execute("PRAGMA cache_spill = " + std::to_string(kPagesBeforeSpilling));
  sqlite3_set_authorizer(handle_, authorize, nullptr);
}

Statement Database::statement(std::string_view sql) {
  std::string text(sql);
  if (const auto found = idle_.find(text); found != idle_.end()) {
    sqlite3_stmt* statement = found->second;
    idle_.erase(found);
    return Statement(*this, statement, std::move(text));
  }
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(handle_, text.c_str(), static_cast<int>(text.size()),
                         SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) {
    fail(text.c_str());
  }
  return Statement(*this, statement, std::move(text));
}

void Database::execute(const std::string& sql) {
  if (sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    fail(sql.c_str());
  }
}

std::int64_t Database::lastInsertRowId() const {
  return sqlite3_last_insert_rowid(handle_);
}

std::int64_t Database::changedRows() const {
  return sqlite3_changes64(handle_);
}

bool Database::inTransaction() const {
  return sqlite3_get_autocommit(handle_) == 0;
}

void Database::fail(const char* attempted) const {
  const int extended = sqlite3_extended_errcode(handle_);
  switch (extended & 0xff) {
    case SQLITE_FULL:
      throw Failure("store.full", "The disk that holds " + name_ +
                                      " is full. Nothing of this change was kept; make room and "
                                      "try again.");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw Failure("store.busy", name_ + " is in use by somebody else. Try again.");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      throw Failure("store.damaged-page", name_ + " is damaged: its pages contradict each other.");
    default:
      break;
  }
  if (extended == SQLITE_IOERR_DATA) failAtPage();
  // The statement's text has no values in it (they are bound), so it may be shown.
  throw Failure("store.sqlite", name_ + ": " + sqlite3_errmsg(handle_) + " (" +
                                    std::to_string(extended) + ") at: " + attempted);
}

void Database::failAtPage() const {
  std::uint32_t page = 0;
  sqlite3_file_control(handle_, "main", MainFile::kDamagedPageControl, &page);
  throw Failure("store.damaged-page",
                "Page " + std::to_string(page) + " of " + name_ +
                    " was changed or damaged on the disk, and was not used. Check the disk, and "
                    "restore the store from a backup.");
}

Transaction::Transaction(Database& database) : database_(database) {
  database_.statement("BEGIN IMMEDIATE").run();
}

Transaction::~Transaction() {
  // After some errors (a full disk) SQLite has rolled back already.
  if (!open_ || !database_.inTransaction()) return;
  sqlite3_exec(database_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
}

void Transaction::commit() {
  database_.statement("COMMIT").run();
  open_ = false;
}

}  // namespace waystation::storage

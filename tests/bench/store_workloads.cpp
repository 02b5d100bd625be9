#include "tests/bench/store_workloads.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <random>
#include <stdexcept>
#include <string_view>

namespace waystation::bench {
namespace {

constexpr int kRowsInTransaction = 100;
constexpr std::size_t kBodySize = 1'500;
constexpr int kNoteWords = 40;
constexpr int kVocabulary = 8'000;
constexpr int kSmallCacheKiB = 2 * 1024;
constexpr int kLargeCacheKiB = 64 * 1024;
constexpr int kWarmRows = 8'000;  // some 32 MB of pages
constexpr int kWarmRounds = 10;   // one takes too little time to be compared
constexpr std::uint64_t kDataSeed = 20'240'101;

struct Finalize {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Prepared = std::unique_ptr<sqlite3_stmt, Finalize>;

[[noreturn]] void fail(sqlite3* database, const std::string& attempted) {
  throw std::runtime_error(attempted + ": " + sqlite3_errmsg(database));
}

void execute(sqlite3* database, const std::string& sql) {
  if (sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
    fail(database, sql);
  }
}

Prepared prepare(sqlite3* database, const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(database, sql.c_str(), -1, SQLITE_PREPARE_PERSISTENT, &statement,
                         nullptr) != SQLITE_OK) {
    fail(database, sql);
  }
  return Prepared(statement);
}

// Steps to the end and counts the rows; the bytes of their first column are touched.
int runToEnd(sqlite3* database, const Prepared& statement) {
  int rows = 0;
  int result = SQLITE_ROW;
  while ((result = sqlite3_step(statement.get())) == SQLITE_ROW) {
    ++rows;
    sqlite3_column_bytes(statement.get(), 0);
  }
  if (result != SQLITE_DONE) fail(database, "a statement");
  sqlite3_reset(statement.get());
  return rows;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// Runs only between start() and stop(), so that making the data is not measured.
class Stopwatch {
 public:
  void start() {
    processor_ = processorNow();
    wall_ = std::chrono::steady_clock::now();
  }
  void stop() {
    spent_.wall += std::chrono::duration<double>(std::chrono::steady_clock::now() - wall_).count();
    spent_.processor += processorNow() - processor_;
  }
  Spent spent() const { return spent_; }

 private:
  static double processorNow() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }

  std::chrono::steady_clock::time_point wall_;
  double processor_ = 0;
  Spent spent_;
};

struct Row {
  std::string uuid;
  std::string kind;
  std::string office;
  std::int64_t changed = 0;
  std::string words;
  std::string body;
};

// Made-up cases, the same on both sides: row `number` is always the same one.
class Rows {
 public:
  explicit Rows(std::uint64_t seed) : random_(seed) {
    for (int i = 0; i < kVocabulary; ++i) vocabulary_.push_back(newWord());
  }

  Row next() {
    Row row;
    for (int i = 0; i < 16; ++i) row.uuid += static_cast<char>(random_());
    row.kind = "kind" + std::to_string(random_() % 12);
    row.office = "OFFICE" + std::to_string(random_() % 40);
    row.changed = static_cast<std::int64_t>(random_() >> 20);
    for (int i = 0; i < kNoteWords; ++i) row.words += word() + ' ';
    row.body = R"({"notes":")" + row.words + R"(","fields":[)";
    while (row.body.size() < kBodySize) row.body += '"' + word() + "\",";
    row.body += "null]}";
    return row;
  }

  // Few words are said often, as in any language.
  const std::string& word() {
    const double part = std::uniform_real_distribution<double>(0, 1)(random_);
    return vocabulary_[static_cast<std::size_t>(part * part * part * kVocabulary)];
  }

  std::int64_t below(std::int64_t limit) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(limit));
  }

 private:
  std::string newWord() {
    std::string word;
    const std::size_t size = 3 + random_() % 8;
    while (word.size() < size) word += static_cast<char>('a' + random_() % 26);
    return word;
  }

  std::mt19937_64 random_;
  std::vector<std::string> vocabulary_;
};

// Leaves of the search index that fit one page of the store, as in storage/store_schema.cpp.
constexpr const char* kSchema = R"sql(
CREATE TABLE cases(id INTEGER PRIMARY KEY, uuid BLOB NOT NULL UNIQUE, kind TEXT NOT NULL,
  office TEXT NOT NULL, changed INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX cases_by_kind ON cases(kind, changed);
CREATE INDEX cases_by_office ON cases(office, changed);
CREATE VIRTUAL TABLE search USING fts5(words, content='');
INSERT INTO search(search, rank) VALUES('pgsz', 3980);
)sql";

class Inserts {
 public:
  explicit Inserts(sqlite3* database)
      : database_(database),
        row_(prepare(database,
                     "INSERT INTO cases(uuid, kind, office, changed, body) "
                     "VALUES (?, ?, ?, ?, ?)")),
        words_(prepare(database, "INSERT INTO search(rowid, words) VALUES (?, ?)")) {}

  void add(const Row& row) {
    const auto bind = [](const Prepared& statement, int index, const std::string& text) {
      sqlite3_bind_text64(statement.get(), index, text.data(), text.size(), SQLITE_STATIC,
                          SQLITE_UTF8);
    };
    sqlite3_bind_blob64(row_.get(), 1, row.uuid.data(), row.uuid.size(), SQLITE_STATIC);
    bind(row_, 2, row.kind);
    bind(row_, 3, row.office);
    sqlite3_bind_int64(row_.get(), 4, row.changed);
    bind(row_, 5, row.body);
    runToEnd(database_, row_);
    sqlite3_bind_int64(words_.get(), 1, sqlite3_last_insert_rowid(database_));
    bind(words_, 2, row.words);
    runToEnd(database_, words_);
  }

 private:
  sqlite3* database_;
  Prepared row_;
  Prepared words_;
};

Spent bulkInsert(const Opener& open, const std::filesystem::path& file, const Amounts& amounts) {
  const Connection database = open(file, kSmallCacheKiB);
  execute(database.get(), "PRAGMA synchronous = NORMAL");
  execute(database.get(), kSchema);
  Rows rows(kDataSeed);
  Inserts inserts(database.get());
  Stopwatch watch;
  std::vector<Row> batch(kRowsInTransaction);
  for (int done = 0; done < amounts.rows; done += kRowsInTransaction) {
    for (Row& row : batch) row = rows.next();
    watch.start();
    execute(database.get(), "BEGIN IMMEDIATE");
    for (const Row& row : batch) inserts.add(row);
    execute(database.get(), "COMMIT");
    watch.stop();
  }
  return watch.spent();
}

Spent singleCommits(const Opener& open, const std::filesystem::path& file, int count,
                    const char* synchronous) {
  const Connection database = open(file, kSmallCacheKiB);
  execute(database.get(), std::string("PRAGMA synchronous = ") + synchronous);
  Rows rows(std::random_device{}());
  Inserts inserts(database.get());
  Stopwatch watch;
  for (int i = 0; i < count; ++i) {
    const Row row = rows.next();
    watch.start();
    execute(database.get(), "BEGIN IMMEDIATE");
    inserts.add(row);
    execute(database.get(), "COMMIT");
    watch.stop();
  }
  return watch.spent();
}

Spent commitsNormal(const Opener& open, const std::filesystem::path& file, const Amounts& amounts) {
  return singleCommits(open, file, amounts.commits, "NORMAL");
}

Spent commitsFull(const Opener& open, const std::filesystem::path& file, const Amounts& amounts) {
  return singleCommits(open, file, amounts.durable, "FULL");
}

// The log folded in, so that both sides read a database alone.
void fold(const Opener& open, const std::filesystem::path& file) {
  const Connection database = open(file, kSmallCacheKiB);
  execute(database.get(), "PRAGMA wal_checkpoint(TRUNCATE)");
}

// In the system's cache, or out of it. Closed again before SQLite opens the file.
void setCached(const std::filesystem::path& file, bool wanted) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw std::runtime_error("can't open " + file.string());
  std::string part(1 << 20, '\0');
  if (wanted) {
    while (::read(descriptor, part.data(), part.size()) > 0) {
    }
  } else {
    ::fsync(descriptor);
    ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED);
  }
  ::close(descriptor);
}

// In one transaction: what a page costs is asked, not what a lock does (of those, the plain file
// has more: its index of the log is shared with other processes).
void readRows(sqlite3* database, const Prepared& query, int count, std::int64_t below,
              Rows& random) {
  execute(database, "BEGIN");
  for (int i = 0; i < count; ++i) {
    sqlite3_bind_int64(query.get(), 1, 1 + random.below(below));
    if (runToEnd(database, query) != 1) throw std::runtime_error("a row is not there");
  }
  execute(database, "COMMIT");
}

constexpr const char* kReadOne = "SELECT body FROM cases WHERE id = ?";

Spent coldCache(const Opener& open, const std::filesystem::path& file, const Amounts& amounts,
                int cacheKiB, int reads, bool cached) {
  fold(open, file);
  setCached(file, cached);
  const Connection database = open(file, cacheKiB);
  const Prepared query = prepare(database.get(), kReadOne);
  Rows random(kDataSeed + 1);
  Stopwatch watch;
  watch.start();
  readRows(database.get(), query, reads, amounts.rows, random);
  watch.stop();
  return watch.spent();
}

Spent readsSmall(const Opener& open, const std::filesystem::path& file, const Amounts& amounts) {
  return coldCache(open, file, amounts, kSmallCacheKiB, amounts.reads, true);
}

Spent readsLarge(const Opener& open, const std::filesystem::path& file, const Amounts& amounts) {
  return coldCache(open, file, amounts, kLargeCacheKiB, amounts.reads, true);
}

Spent readsFromDisk(const Opener& open, const std::filesystem::path& file, const Amounts& amounts) {
  return coldCache(open, file, amounts, kSmallCacheKiB, amounts.coldReads, false);
}

Spent readsWarm(const Opener& open, const std::filesystem::path& file, const Amounts& amounts) {
  fold(open, file);
  const Connection database = open(file, kLargeCacheKiB);
  const Prepared query = prepare(database.get(), kReadOne);
  const int rows = std::min(kWarmRows, amounts.rows);
  for (int row = 1; row <= rows; ++row) {
    sqlite3_bind_int64(query.get(), 1, row);
    runToEnd(database.get(), query);
  }
  Rows random(kDataSeed + 2);
  Stopwatch watch;
  watch.start();
  readRows(database.get(), query, amounts.reads * kWarmRounds, rows, random);
  watch.stop();
  return watch.spent();
}

Spent searches(const Opener& open, const std::filesystem::path& file, const Amounts& amounts) {
  fold(open, file);
  setCached(file, true);
  const Connection database = open(file, kSmallCacheKiB);
  const Prepared query =
      prepare(database.get(), "SELECT rowid FROM search WHERE search MATCH ? LIMIT 20");
  Rows words(kDataSeed);
  std::vector<std::string> asked;
  for (int i = 0; i < amounts.searches; ++i) {
    std::string text = words.word();
    text += ' ' + words.word();
    asked.push_back(std::move(text));
  }
  Stopwatch watch;
  watch.start();
  execute(database.get(), "BEGIN");
  for (const std::string& text : asked) {
    sqlite3_bind_text64(query.get(), 1, text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
    runToEnd(database.get(), query);
  }
  execute(database.get(), "COMMIT");
  watch.stop();
  return watch.spent();
}

}  // namespace

const std::vector<Workload>& storeWorkloads() {
  static const std::vector<Workload> workloads = {
      {"bulk-insert", 1.15, 1.08, true, bulkInsert},
      {"reads-2mb-cache", 1.45, 1.30, false, readsSmall},
      {"reads-64mb-cache", 1.20, 1.10, false, readsLarge},
      {"reads-from-disk", 1.05, 1.00, false, readsFromDisk},
      {"search-cold", 1.25, 1.15, false, searches},
      {"reads-warm", 1.03, 1.00, false, readsWarm},
      {"commits-normal", 1.15, 1.08, false, commitsNormal},
      {"commits-full", 1.05, 1.00, false, commitsFull},
  };
  return workloads;
}

Connection openPlain(const std::filesystem::path& file, int cacheKiB) {
  sqlite3* handle = nullptr;
  constexpr int kFlags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
                         SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
  const int result = sqlite3_open_v2(file.c_str(), &handle, kFlags, nullptr);
  Connection connection(handle, sqlite3_close_v2);
  if (result != SQLITE_OK) fail(handle, "opening " + file.string());
  for (const char* pragma : {"temp_store = MEMORY", "mmap_size = 0", "trusted_schema = OFF",
                             "foreign_keys = ON", "cache_spill = 8191", "journal_mode = WAL"}) {
    execute(handle, std::string("PRAGMA ") + pragma);
  }
  execute(handle, "PRAGMA cache_size = -" + std::to_string(cacheKiB));
  return connection;
}

}  // namespace waystation::bench

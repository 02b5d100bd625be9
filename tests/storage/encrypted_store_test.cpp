#include <gtest/gtest.h>
#include <sqlite3.h>

#include "storage/page_format.h"
#include "storage/store.h"
#include "tests/support/storage/store_on_disk.h"

namespace waystation::storage {
namespace {

TEST(EncryptedStore, KeepsRowsAcrossReopening) {
  const TemporaryDirectory directory;
  storeWithRows(directory / "store", 10);
  EXPECT_FALSE(std::filesystem::exists(logOf(directory / "store")));
  Database database(directory / "store", keyOf('k'), OpenMode::kReadWrite);
  EXPECT_EQ(numberFrom(database, "SELECT count(*) FROM people"), 10);
  EXPECT_EQ(textFrom(database, "PRAGMA integrity_check"), "ok");
  EXPECT_EQ(textFrom(database, "PRAGMA journal_mode"), "wal");
}

TEST(EncryptedStore, AReadOnlyConnectionReadsAndDoesNotWrite) {
  const TemporaryDirectory directory;
  storeWithRows(directory / "store", 3);
  Database database(directory / "store", keyOf('k'), OpenMode::kReadOnly);
  EXPECT_EQ(numberFrom(database, "SELECT count(*) FROM people"), 3);
  EXPECT_EQ(codeOf([&] { database.execute("DELETE FROM people"); }), "store.sqlite");
}

TEST(EncryptedStore, RecoversCommitsFromTheLogAfterACrash) {
  const TemporaryDirectory directory;
  const auto database = storeWithRows(directory / "store", 50);
  copyAsIfCrashed(directory / "store", directory / "copy");
  ASSERT_GT(std::filesystem::file_size(logOf(directory / "copy")), 50U * kFrameSize);
  Database copy(directory / "copy", keyOf('k'), OpenMode::kReadWrite);
  EXPECT_EQ(numberFrom(copy, "SELECT count(*) FROM people"), 50);
  EXPECT_EQ(textFrom(copy, "PRAGMA integrity_check"), "ok");
}

// SQLite's own size of a leaf fits a page of which nothing is reserved.
TEST(EncryptedStore, ALeafOfTheSearchIndexNeedsOnePage) {
  const TemporaryDirectory directory;
  Database database(directory / "store", keyOf('k'), OpenMode::kCreate);
  Store::createTables(database);
  Store store(database);
  Transaction transaction(database);
  for (int row = 1; row <= 300; ++row) {
    std::string words;
    for (int i = 0; i < 40; ++i) words += "w" + std::to_string(row * 7919 * (i + 1) % 3001) + " ";
    store.putSearch(row, words);
  }
  transaction.commit();
  const std::string pages = "SELECT count(*) FROM dbstat WHERE name = 'search_data' ";
  EXPECT_GT(numberFrom(database, pages + "AND pagetype = 'leaf'"), 10);
  EXPECT_EQ(numberFrom(database, pages + "AND pagetype = 'overflow'"), 0);
}

TEST(EncryptedStore, AWrongKeyChangesNothing) {
  const TemporaryDirectory directory;
  {
    const auto database = storeWithRows(directory / "store", 50);
    copyAsIfCrashed(directory / "store", directory / "copy");
  }
  const std::string main = bytesOf(directory / "copy");
  const std::string log = bytesOf(logOf(directory / "copy"));
  for (const OpenMode mode : {OpenMode::kReadWrite, OpenMode::kCreate, OpenMode::kReadOnly}) {
    EXPECT_EQ(codeOf([&] { Database(directory / "copy", keyOf('x'), mode); }), "store.wrong-key");
  }
  EXPECT_EQ(bytesOf(directory / "copy"), main);
  EXPECT_EQ(bytesOf(logOf(directory / "copy")), log);
  Database copy(directory / "copy", keyOf('k'), OpenMode::kReadWrite);
  EXPECT_EQ(numberFrom(copy, "SELECT count(*) FROM people"), 50);
}

TEST(EncryptedStore, AWrongKeyIsRefusedWhileTheStoreIsOpen) {
  const TemporaryDirectory directory;
  const auto database = storeWithRows(directory / "store", 1);
  EXPECT_EQ(codeOf([&] { Database(directory / "store", keyOf('x'), OpenMode::kReadWrite); }),
            "store.wrong-key");
  addRow(*database, 2, "still open");
}

// The first sector, the last, everything between, and all of it, torn while the log holds page 1.
TEST(EncryptedStore, RecoversWhenPageOneIsTorn) {
  const TemporaryDirectory directory;
  const auto database = storeWithRows(directory / "store", 50);
  copyAsIfCrashed(directory / "store", directory / "crashed");
  for (const auto& [from, to] : {std::pair{0, 512}, {3584, 4096}, {512, 3584}, {0, 4096}}) {
    copyAsIfCrashed(directory / "crashed", directory / "torn");
    std::string bytes = bytesOf(directory / "torn");
    for (int i = from; i < to; ++i) bytes[static_cast<std::size_t>(i)] = '\x5a';
    writeBytes(directory / "torn", bytes);
    EXPECT_EQ(codeOf([&] { Database(directory / "torn", keyOf('x'), OpenMode::kReadWrite); }),
              "store.wrong-key");
    EXPECT_EQ(bytesOf(directory / "torn"), bytes);
    EXPECT_EQ(bytesOf(logOf(directory / "torn")), bytesOf(logOf(directory / "crashed")));
    {
      Database torn(directory / "torn", keyOf('k'), OpenMode::kReadWrite);
      EXPECT_EQ(numberFrom(torn, "SELECT count(*) FROM people"), 50);
    }
    Database again(directory / "torn", keyOf('k'), OpenMode::kReadWrite);
    EXPECT_EQ(textFrom(again, "PRAGMA integrity_check"), "ok");
  }
}

TEST(EncryptedStore, ATornPageOneWithoutALogIsRefused) {
  const TemporaryDirectory directory;
  storeWithRows(directory / "store", 5);
  std::string bytes = bytesOf(directory / "store");
  bytes[1000] = static_cast<char>(bytes[1000] ^ 1);
  writeBytes(directory / "store", bytes);
  EXPECT_EQ(codeOf([&] { Database(directory / "store", keyOf('k'), OpenMode::kReadWrite); }),
            "store.damaged-page");
  EXPECT_EQ(bytesOf(directory / "store"), bytes);
}

TEST(EncryptedStore, RefusesForeignEmptyAndMissingFiles) {
  const TemporaryDirectory directory;
  const auto open = [&](OpenMode mode) {
    return codeOf([&] { Database(directory / "file", keyOf('k'), mode); });
  };
  EXPECT_EQ(open(OpenMode::kReadWrite), "store.missing");
  writeBytes(directory / "file", "");
  EXPECT_EQ(open(OpenMode::kReadWrite), "store.foreign-file");
  for (const std::string& content :
       {std::string("notes of a meeting"),
        std::string("SQLite format 3\0", 16) + std::string(8176, 'x'), std::string(5000, 'x')}) {
    writeBytes(directory / "file", content);
    EXPECT_EQ(open(OpenMode::kCreate), "store.foreign-file");
    EXPECT_EQ(open(OpenMode::kReadWrite), "store.foreign-file");
    EXPECT_EQ(bytesOf(directory / "file"), content);
  }
}

TEST(EncryptedStore, AnEmptiedDatabaseDoesNotCostItsLog) {
  const TemporaryDirectory directory;
  const auto database = storeWithRows(directory / "store", 5);
  copyAsIfCrashed(directory / "store", directory / "copy");
  writeBytes(directory / "copy", "");
  const std::string log = bytesOf(logOf(directory / "copy"));
  EXPECT_EQ(codeOf([&] { Database(directory / "copy", keyOf('k'), OpenMode::kCreate); }),
            "store.foreign-file");
  EXPECT_EQ(bytesOf(logOf(directory / "copy")), log);
}

std::string utf16(const std::string& text) {
  std::string wide;
  for (const char letter : text) wide += {letter, '\0'};
  return wide;
}

void expectNoNames(const std::filesystem::path& directory, int names) {
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string bytes = bytesOf(entry.path());
    for (int i = 1; i <= names; ++i) {
      const std::string name = "Nasrin" + std::to_string(10'000 + i);
      ASSERT_EQ(bytes.find(name), std::string::npos) << entry.path();
      ASSERT_EQ(bytes.find(utf16(name)), std::string::npos) << entry.path();
    }
    ASSERT_EQ(bytes.find("CREATE TABLE"), std::string::npos) << entry.path();
    ASSERT_EQ(bytes.find("SQLite format"), std::string::npos) << entry.path();
  }
}

TEST(EncryptedStore, ShowsNoNameInAnyFile) {
  const TemporaryDirectory directory;
  {
    Database database(directory / "store", keyOf('k'), OpenMode::kCreate);
    database.execute("CREATE TABLE people(id INTEGER PRIMARY KEY, name TEXT)");
    for (int i = 1; i <= 1000; ++i) addRow(database, i, "Nasrin" + std::to_string(10'000 + i));
    database.execute("CREATE INDEX by_name ON people(name DESC)");
    expectNoNames(directory.path(), 1000);
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    expectNoNames(directory.path(), 1000);
    // Now with a rollback journal that holds all of them.
    EXPECT_EQ(textFrom(database, "PRAGMA journal_mode = DELETE"), "delete");
    Transaction transaction(database);
    database.execute(
        "PRAGMA cache_size = 5; PRAGMA cache_spill = 5; UPDATE people SET name = name || 'x'");
    ASSERT_GT(bytesOf(journalOf(directory / "store")).size(), 10 * kPageSize);
    expectNoNames(directory.path(), 1000);
  }
  expectNoNames(directory.path(), 1000);
}

TEST(EncryptedStore, TheSameContentTwiceSharesOnlyWhatTheFormatSays) {
  const TemporaryDirectory directory;
  const auto first = storeWithRows(directory / "a", 20);
  const auto second = storeWithRows(directory / "b", 20);
  const std::string one = bytesOf(logOf(directory / "a"));
  const std::string two = bytesOf(logOf(directory / "b"));
  ASSERT_EQ(one.size(), two.size());
  for (std::size_t at = 0; at + 16 <= one.size(); at += 8) {
    // Key check at the start of page 1, and the unused bytes of a tail, are the same.
    const std::size_t within = at < kLogHeaderSize ? 0 : (at - kLogHeaderSize) % kFrameSize;
    if (within == kFrameHeaderSize || within == kFrameHeaderSize + 8) continue;
    ASSERT_NE(one.substr(at, 16), two.substr(at, 16)) << at;
  }
}

TEST(EncryptedStore, EverySchemaReservesTheTailOfEachPage) {
  const TemporaryDirectory directory;
  storeWithRows(directory / "store", 300);
  Database database(directory / "store", keyOf('k'), OpenMode::kReadWrite);
  const auto reserved = [&] {
    int bytes = -1;
    sqlite3_file_control(database.handle(), "main", SQLITE_FCNTL_RESERVE_BYTES, &bytes);
    return bytes;
  };
  EXPECT_EQ(reserved(), 64);
  database.execute("DELETE FROM people WHERE id % 2");
  database.execute("VACUUM");
  EXPECT_EQ(reserved(), 64);
  EXPECT_EQ(numberFrom(database, "PRAGMA page_size"), 4096);
  EXPECT_EQ(numberFrom(database, "SELECT count(*) FROM people"), 150);
}

TEST(EncryptedStore, RefusesAnotherPageSize) {
  const TemporaryDirectory directory;
  storeWithRows(directory / "store", 300);
  {
    Database database(directory / "store", keyOf('k'), OpenMode::kReadWrite);
    database.execute("PRAGMA journal_mode = DELETE; PRAGMA page_size = 8192");
    EXPECT_NE(codeOf([&] { database.execute("VACUUM"); }), "");
  }
  Database database(directory / "store", keyOf('k'), OpenMode::kReadWrite);
  EXPECT_EQ(numberFrom(database, "PRAGMA page_size"), 4096);
  EXPECT_EQ(numberFrom(database, "SELECT count(*) FROM people"), 300);
  EXPECT_EQ(textFrom(database, "PRAGMA integrity_check"), "ok");
}

TEST(EncryptedStore, MapsNoFileIntoMemory) {
  const TemporaryDirectory directory;
  const auto database = storeWithRows(directory / "store", 1);
  Statement query = database->statement("PRAGMA mmap_size = 1000000000");
  EXPECT_TRUE(!query.step() || query.integer(0) == 0);
}

TEST(EncryptedStore, LeavesNoIndexOfTheLogOnDisk) {
  const TemporaryDirectory directory;
  const auto database = storeWithRows(directory / "store", 5);
  EXPECT_TRUE(std::filesystem::exists(logOf(directory / "store")));
  EXPECT_FALSE(std::filesystem::exists((directory / "store").string() + "-shm"));
}

void sortEverything(Database& database) {
  database.execute("CREATE INDEX IF NOT EXISTS sorted ON people(name, id)");
  database.statement("SELECT * FROM people ORDER BY name || 'x' DESC").run();
  database.statement("SELECT name || id, count(*) FROM people GROUP BY 1").run();
  database.execute("CREATE TEMP TABLE t AS SELECT * FROM people; DROP TABLE t");
  // Each row fails or counts by itself: a statement journal, larger than SQLite keeps in memory.
  database.execute("BEGIN; UPDATE OR ABORT people SET name = name || 'y'; COMMIT");
  database.execute("VACUUM");
}

TEST(EncryptedStore, WritesNoTemporaryFile) {
  const TemporaryDirectory directory;
  const auto database = storeWithRows(directory / "store", 0);
  database->execute(
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) "
      "INSERT INTO people SELECT i, hex(randomblob(40)) FROM n; PRAGMA cache_size = 10; PRAGMA "
      "cache_spill = 1");
  sortEverything(*database);
  database->execute(
      "DROP INDEX sorted; PRAGMA temp_store = FILE; PRAGMA cache_size = 10; PRAGMA cache_spill = "
      "10");
  EXPECT_EQ(codeOf([&] { sortEverything(*database); }), "store.sqlite");
}

TEST(EncryptedStore, LeavesNoWayOutOfTheStoreToSql) {
  const TemporaryDirectory directory;
  const auto database = storeWithRows(directory / "store", 5);
  const std::string out = (directory / "out").string();
  for (const std::string& sql :
       {"VACUUM INTO 'file:" + out + "?vfs=unix'", "VACUUM INTO '" + out + "'",
        "VACUUM INTO 'file:" + out + "?vfs=unix-none'", "ATTACH 'file:" + out + "?vfs=unix' AS x",
        "ATTACH 'file:" + out + "?vfs=unix-excl' AS x", "ATTACH '" + out + "' AS x",
        "ATTACH '" + out + "' || '' AS x", "SELECT load_extension('" + out + "')"}) {
    EXPECT_EQ(codeOf([&] { database->execute(sql); }), "store.sqlite") << sql;
    EXPECT_FALSE(std::filesystem::exists(out)) << sql;
  }
  sqlite3* other = nullptr;
  EXPECT_NE(
      sqlite3_open_v2(out.c_str(), &other, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix"),
      SQLITE_OK);
  sqlite3_close(other);
  EXPECT_NE(sqlite3_open(out.c_str(), &other), SQLITE_OK);
  sqlite3_close(other);
  EXPECT_FALSE(std::filesystem::exists(out));
}

int backUp(Database& from, Database& to) {
  sqlite3_backup* backup = sqlite3_backup_init(to.handle(), "main", from.handle(), "main");
  if (backup == nullptr) return sqlite3_errcode(to.handle());
  const int stepped = sqlite3_backup_step(backup, -1);
  const int finished = sqlite3_backup_finish(backup);
  return stepped == SQLITE_DONE ? finished : stepped;
}

TEST(EncryptedStore, RefusesABackupFromADatabaseOfAnotherShape) {
  const auto plain = Database::inMemory();
  plain->execute("CREATE TABLE strangers(x); INSERT INTO strangers VALUES (zeroblob(20000))");
  for (const bool populated : {false, true}) {
    const TemporaryDirectory directory;
    {
      const auto database = storeWithRows(directory / "store", populated ? 30 : 0);
      EXPECT_NE(backUp(*plain, *database), SQLITE_OK);
    }
    Database database(directory / "store", keyOf('k'), OpenMode::kReadWrite);
    EXPECT_EQ(numberFrom(database, "SELECT count(*) FROM people"), populated ? 30 : 0);
    EXPECT_EQ(textFrom(database, "PRAGMA integrity_check"), "ok");
  }
}

TEST(EncryptedStore, BacksUpToAStoreUnderAnotherKey) {
  const TemporaryDirectory directory;
  const auto database = storeWithRows(directory / "store", 30);
  {
    Database backup(directory / "backup", keyOf('b'), OpenMode::kCreate);
    EXPECT_EQ(backUp(*database, backup), SQLITE_OK);
  }
  EXPECT_EQ(codeOf([&] { Database(directory / "backup", keyOf('k'), OpenMode::kReadOnly); }),
            "store.wrong-key");
  Database backup(directory / "backup", keyOf('b'), OpenMode::kReadOnly);
  EXPECT_EQ(numberFrom(backup, "SELECT count(*) FROM people"), 30);
}

TEST(EncryptedStore, LeavesNoHoleThatNobodySealed) {
  const TemporaryDirectory directory;
  {
    const auto database = storeWithRows(directory / "store", 5);
    Transaction transaction(*database);
    database->execute("CREATE TABLE large(x); INSERT INTO large VALUES (zeroblob(800000))");
    database->execute("DROP TABLE large");
    database->execute("CREATE TABLE small(x); INSERT INTO small VALUES (1)");
    transaction.commit();
  }
  const std::string bytes = bytesOf(directory / "store");
  ASSERT_GT(bytes.size(), 190 * kPageSize);
  ASSERT_EQ(bytes.size() % kPageSize, 0U);
  for (std::size_t at = 0; at < bytes.size(); at += kPageSize) {
    EXPECT_NE(bytes.substr(at, kPageSize), std::string(kPageSize, '\0')) << at / kPageSize + 1;
  }
  Database database(directory / "store", keyOf('k'), OpenMode::kReadWrite);
  EXPECT_EQ(textFrom(database, "PRAGMA integrity_check"), "ok");
  Database backup(directory / "backup", keyOf('b'), OpenMode::kCreate);
  EXPECT_EQ(backUp(database, backup), SQLITE_OK);
}

}  // namespace
}  // namespace waystation::storage

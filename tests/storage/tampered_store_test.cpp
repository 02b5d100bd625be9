#include <gtest/gtest.h>
#include <sqlite3.h>

#include "storage/page_format.h"
#include "storage/verify.h"
#include "tests/support/storage/store_on_disk.h"

namespace waystation::storage {
namespace {

std::string pageOf(const std::string& bytes, std::size_t number) {
  return bytes.substr((number - 1) * kPageSize, kPageSize);
}

// Reads all there is; the failure's code, or how many rows there were.
std::string readAll(const std::filesystem::path& file) {
  try {
    Database database(file, keyOf('k'), OpenMode::kReadOnly);
    Statement query = database.statement("SELECT id, name FROM people ORDER BY id");
    std::int64_t rows = 0;
    while (query.step()) {
      ++rows;
      EXPECT_EQ(query.integer(0), rows);
      EXPECT_EQ(query.text(1), "person " + std::to_string(rows));
    }
    return std::to_string(rows);
  } catch (const Failure& failure) {
    return failure.code();
  }
}

class TamperedStore : public testing::Test {
 protected:
  TamperedStore() {
    storeWithRows(file_, 0)->execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500) "
        "INSERT INTO people SELECT i, 'person ' || i FROM n");
    bytes_ = bytesOf(file_);
    pages_ = bytes_.size() / kPageSize;
  }

  void expectRefused(const std::string& bytes) {
    writeBytes(file_, bytes);
    EXPECT_EQ(readAll(file_), "store.damaged-page");
    EXPECT_EQ(bytesOf(file_), bytes);
    EXPECT_FALSE(verifyPages(file_, keyOf('k')).empty());
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "store";
  std::string bytes_;
  std::size_t pages_ = 0;
};

TEST_F(TamperedStore, IsReadableBeforeAnythingIsDoneToIt) {
  EXPECT_EQ(readAll(file_), "1500");
  EXPECT_GT(pages_, 8U);
  EXPECT_EQ(verifyPages(file_, keyOf('k')), std::vector<std::string>{});
}

TEST_F(TamperedStore, AFlippedByteOnAnyPageIsRefused) {
  for (std::size_t page = 1; page <= pages_; ++page) {
    // Ciphertext, nonce prefix, nonce, tag, epoch.
    for (const std::size_t at : {16U, 2000U, 4031U, 4032U, 4044U, 4056U, 4071U, 4075U}) {
      std::string bytes = bytes_;
      char& byte = bytes[(page - 1) * kPageSize + at];
      byte = static_cast<char>(byte ^ 0x10);
      expectRefused(bytes);
    }
  }
}

TEST_F(TamperedStore, SwappedPagesAreRefused) {
  for (std::size_t page = 2; page + 1 <= pages_; ++page) {
    std::string bytes = bytes_;
    bytes.replace((page - 1) * kPageSize, kPageSize, pageOf(bytes_, page + 1));
    bytes.replace(page * kPageSize, kPageSize, pageOf(bytes_, page));
    expectRefused(bytes);
  }
}

TEST_F(TamperedStore, APageOfAnotherDatabaseIsRefused) {
  storeWithRows(directory_ / "other", 300, 'o');
  const std::string other = bytesOf(directory_ / "other");
  std::string bytes = bytes_;
  bytes.replace(kPageSize, kPageSize, pageOf(other, 2));
  expectRefused(bytes);
}

TEST_F(TamperedStore, AZeroedPageIsRefused) {
  std::string bytes = bytes_;
  bytes.replace(kPageSize, kPageSize, std::string(kPageSize, '\0'));
  expectRefused(bytes);
}

TEST_F(TamperedStore, AFrameOfALogPastedIntoTheDatabaseAtAnotherPageIsRefused) {
  const auto database = storeWithRows(directory_ / "logged", 50);
  const std::string log = bytesOf(logOf(directory_ / "logged"));
  std::string bytes = bytes_;
  bytes.replace(2 * kPageSize, kPageSize, log.substr(kLogHeaderSize + kFrameHeaderSize, kPageSize));
  expectRefused(bytes);
}

TEST_F(TamperedStore, TheFailureNamesFileAndPage) {
  std::string bytes = bytes_;
  bytes[2 * kPageSize + 100] = static_cast<char>(bytes[2 * kPageSize + 100] ^ 1);
  writeBytes(file_, bytes);
  try {
    Database database(file_, keyOf('k'), OpenMode::kReadWrite);
    database.statement("SELECT * FROM people").run();
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_NE(std::string(failure.what()).find("Page 3 of " + file_.string()), std::string::npos)
        << failure.what();
  }
}

TEST_F(TamperedStore, VerifyFindsAFlipOnAFreePage) {
  Database(file_, keyOf('k'), OpenMode::kReadWrite).execute("DELETE FROM people WHERE id > 10");
  std::string bytes = bytesOf(file_);
  bytes[bytes.size() - 1000] = static_cast<char>(bytes[bytes.size() - 1000] ^ 1);
  writeBytes(file_, bytes);
  EXPECT_EQ(readAll(file_), "10");
  ASSERT_EQ(verifyPages(file_, keyOf('k')).size(), 1U);
  EXPECT_EQ(bytesOf(file_), bytes);
}

TEST(TamperedLog, GivesAPrefixOfTheCommitsAndNeverWrongData) {
  const TemporaryDirectory directory;
  const auto database = storeWithRows(directory / "store", 40);
  copyAsIfCrashed(directory / "store", directory / "crashed");
  const std::string log = bytesOf(logOf(directory / "crashed"));
  EXPECT_EQ(verifyPages(directory / "crashed", keyOf('k')), std::vector<std::string>{});
  int shorter = 0;
  for (std::size_t at = 0; at < log.size(); at += 211) {
    copyAsIfCrashed(directory / "crashed", directory / "copy");
    std::string bytes = log;
    bytes[at] = static_cast<char>(bytes[at] ^ 0x20);
    writeBytes(logOf(directory / "copy"), bytes);
    // The first frames hold the table itself: without them there is none.
    const std::string outcome = readAll(directory / "copy");
    EXPECT_TRUE(outcome == "store.sqlite" || std::stoi(outcome) <= 40) << outcome << " at " << at;
    if (outcome != "40") ++shorter;
  }
  EXPECT_GT(shorter, 700);
}

TEST(TamperedLog, AMovedFrameEndsIt) {
  const TemporaryDirectory directory;
  const auto database = storeWithRows(directory / "store", 40);
  copyAsIfCrashed(directory / "store", directory / "copy");
  std::string log = bytesOf(logOf(directory / "copy"));
  const std::size_t last = log.size() - kFrameSize;
  log.replace(last, kFrameSize, log.substr(last - kFrameSize, kFrameSize));
  writeBytes(logOf(directory / "copy"), log);
  EXPECT_EQ(readAll(directory / "copy"), "39");
}

TEST(TamperedLog, VerifyFindsDamageBeforeTheLastCommit) {
  const TemporaryDirectory directory;
  const auto database = storeWithRows(directory / "store", 40);
  copyAsIfCrashed(directory / "store", directory / "copy");
  std::string log = bytesOf(logOf(directory / "copy"));
  log[kLogHeaderSize + 20 * kFrameSize + 500] ^= 1;
  writeBytes(logOf(directory / "copy"), log);
  EXPECT_EQ(verifyPages(directory / "copy", keyOf('k')).size(), 1U);
}

TEST(TamperedLog, VerifyRunsBesideAnOpenStore) {
  const TemporaryDirectory directory;
  const auto database = storeWithRows(directory / "store", 40);
  EXPECT_EQ(verifyPages(directory / "store", keyOf('k')), std::vector<std::string>{});
  addRow(*database, 41, "after");
}

TEST(TamperedLog, DamageThatAppearsWhileTheStoreIsOpenIsAnError) {
  const TemporaryDirectory directory;
  const auto database = storeWithRows(directory / "store", 40);
  std::string log = bytesOf(logOf(directory / "store"));
  for (std::size_t at = kLogHeaderSize + 500; at < log.size(); at += kFrameSize) log[at] ^= 1;
  // In place: the connection has the file open.
  std::fstream file(logOf(directory / "store"), std::ios::in | std::ios::out | std::ios::binary);
  file << log;
  file.close();
  EXPECT_EQ(readAll(directory / "store"), "store.damaged-page");
}

// A plain log and a plain journal, as stock SQLite would write them, beside an encrypted store.
TEST(PlantedFiles, APlainLogIsNotUsed) {
  const TemporaryDirectory directory;
  storeWithRows(directory / "store", 20);
  const std::string before = bytesOf(directory / "store");
  std::string log("\x37\x7f\x06\x82\x00\x2d\xe2\x18\x00\x00\x10\x00", 12);
  log += std::string(20 + 5 * kFrameSize, 'P');
  writeBytes(logOf(directory / "store"), log);
  Database database(directory / "store", keyOf('k'), OpenMode::kReadWrite);
  EXPECT_EQ(numberFrom(database, "SELECT count(*) FROM people"), 20);
  EXPECT_EQ(bytesOf(directory / "store"), before);
}

TEST(PlantedFiles, APlainHotJournalChangesNoPage) {
  const TemporaryDirectory directory;
  {
    const auto database = storeWithRows(directory / "store", 20);
    database->execute("PRAGMA journal_mode = DELETE");
  }
  const std::string before = bytesOf(directory / "store");
  for (const char pageSize : {'\x10', '\x02'}) {
    std::string journal("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", 8);
    journal += std::string("\0\0\0\1\0\0\0\0\0\0\0\1\0\0\2\0\0\0", 18) + pageSize + '\0';
    journal.resize(kJournalHeaderSize, '\0');
    journal += std::string("\0\0\0\1", 4) + std::string(kPageSize, 'P') + std::string(4, '\0');
    writeBytes(journalOf(directory / "store"), journal);
    {
      Database database(directory / "store", keyOf('k'), OpenMode::kReadWrite);
      EXPECT_EQ(numberFrom(database, "SELECT count(*) FROM people"), 20);
      database.execute("PRAGMA journal_mode = DELETE");
    }
    EXPECT_FALSE(std::filesystem::exists(journalOf(directory / "store")));
    // Page 1 carries the journal mode, which opening changes.
    EXPECT_EQ(bytesOf(directory / "store").substr(kPageSize), before.substr(kPageSize));
  }
}

}  // namespace
}  // namespace waystation::storage

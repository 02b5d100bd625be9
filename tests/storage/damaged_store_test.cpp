// Every page of a database, and every frame of a log, damaged in every way: all of it is found.

#include <gtest/gtest.h>

#include "storage/page_format.h"
#include "storage/verify.h"
#include "tests/support/storage/store_on_disk.h"

namespace waystation::storage {
namespace {

constexpr int kRows = 600;

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

std::string storeOf(const std::filesystem::path& file, char key) {
  storeWithRows(file, 0, key)
      ->execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
                std::to_string(kRows) + ") INSERT INTO people SELECT i, 'person ' || i FROM n");
  return bytesOf(file);
}

// All pages of this store are part of the one table, so that reading it meets the damage.
class DamagedStore : public ::testing::Test {
 protected:
  std::string page(const std::string& bytes, std::size_t number) const {
    return bytes.substr((number - 1) * kPageSize, kPageSize);
  }

  std::string with(std::size_t number, const std::string& page) const {
    std::string bytes = whole_;
    return bytes.replace((number - 1) * kPageSize, kPageSize, page);
  }

  void expectFound(const std::string& bytes, const std::string& what) {
    writeBytes(file_, bytes);
    EXPECT_EQ(readAll(file_), "store.damaged-page") << what;
    EXPECT_FALSE(verifyPages(file_, keyOf('k')).empty()) << what;
    EXPECT_EQ(bytesOf(file_), bytes) << what;
  }

  TemporaryDirectory directory_;
  std::filesystem::path file_ = directory_ / "store";
  std::string whole_ = storeOf(file_, 'k');
  std::string other_ = storeOf(directory_ / "other", 'o');
  std::size_t pages_ = whole_.size() / kPageSize;
};

TEST_F(DamagedStore, APageThatIsZeroedIsFound) {
  ASSERT_GT(pages_, 4U);
  for (std::size_t number = 2; number <= pages_; ++number) {
    expectFound(with(number, std::string(kPageSize, '\0')), "page " + std::to_string(number));
  }
}

// Without its key check the first page says nothing about the key.
TEST_F(DamagedStore, AFirstPageThatIsZeroedIsNotOpened) {
  writeBytes(file_, with(1, std::string(kPageSize, '\0')));
  EXPECT_EQ(readAll(file_), "store.wrong-key");
}

TEST_F(DamagedStore, ASectorThatIsZeroedIsFound) {
  for (std::size_t number = 1; number <= pages_; ++number) {
    for (std::size_t at = 0; at < kPageSize; at += 512) {
      std::string bytes = page(whole_, number);
      bytes.replace(at, 512, std::string(512, '\0'));
      expectFound(with(number, bytes), std::to_string(number) + " at " + std::to_string(at));
    }
  }
}

TEST_F(DamagedStore, APageInAnotherPagesPlaceIsFound) {
  for (std::size_t number = 2; number <= pages_; ++number) {
    for (std::size_t from = 2; from <= pages_; ++from) {
      if (from == number) continue;
      expectFound(with(number, page(whole_, from)),
                  std::to_string(from) + " as " + std::to_string(number));
    }
  }
}

TEST_F(DamagedStore, APageOfAnotherDatabaseIsFound) {
  for (std::size_t number = 2; number <= pages_; ++number) {
    expectFound(with(number, page(other_, number)), "page " + std::to_string(number));
  }
}

TEST_F(DamagedStore, AFileThatIsCutIsFound) {
  for (std::size_t number = 2; number <= pages_; ++number) {
    const std::size_t start = (number - 1) * kPageSize;
    for (const std::size_t size : {start, start + 512, start + kPageSize - 1}) {
      expectFound(whole_.substr(0, size), "at byte " + std::to_string(size));
    }
  }
}

TEST_F(DamagedStore, APageTooManyIsFoundByTheCheck) {
  for (std::size_t number = 2; number <= pages_; ++number) {
    writeBytes(file_, whole_ + page(whole_, number));
    EXPECT_EQ(verifyPages(file_, keyOf('k')).size(), 1U);
    EXPECT_EQ(readAll(file_), std::to_string(kRows));
  }
}

// By its nature an older copy verifies: every page is one that was written there, under this key.
TEST(OlderCopy, OfOnePageVerifies) {
  const TemporaryDirectory directory;
  const std::string before = storeOf(directory / "store", 'k');
  Database(directory / "store", keyOf('k'), OpenMode::kReadWrite)
      .execute("UPDATE people SET name = 'another' WHERE id = 300");
  std::string after = bytesOf(directory / "store");
  ASSERT_EQ(after.size(), before.size());
  std::size_t changed = 0;
  for (std::size_t at = kPageSize; at < after.size(); at += kPageSize) {
    if (after.compare(at, kPageSize, before, at, kPageSize) == 0) continue;
    after.replace(at, kPageSize, before.substr(at, kPageSize));
    ++changed;
  }
  EXPECT_EQ(changed, 1U);
  writeBytes(directory / "store", after);
  EXPECT_EQ(verifyPages(directory / "store", keyOf('k')), std::vector<std::string>{});
  EXPECT_EQ(readAll(directory / "store"), std::to_string(kRows));
}

TEST(OlderCopy, OfTheWholeFileVerifies) {
  const TemporaryDirectory directory;
  const std::string before = storeOf(directory / "store", 'k');
  Database(directory / "store", keyOf('k'), OpenMode::kReadWrite).execute("DELETE FROM people");
  EXPECT_EQ(readAll(directory / "store"), "0");
  writeBytes(directory / "store", before);
  EXPECT_EQ(verifyPages(directory / "store", keyOf('k')), std::vector<std::string>{});
  EXPECT_EQ(readAll(directory / "store"), std::to_string(kRows));
}

class DamagedLog : public ::testing::Test {
 protected:
  DamagedLog() {
    // The table is in the database; each row from the first on is a commit of the log.
    storeWithRows(directory_ / "live", 0);
    live_ = std::make_unique<Database>(directory_ / "live", keyOf('k'), OpenMode::kReadWrite);
    for (int i = 1; i <= 12; ++i) addRow(*live_, i, "person " + std::to_string(i));
    copyAsIfCrashed(directory_ / "live", directory_ / "crashed");
    whole_ = bytesOf(logOf(directory_ / "crashed"));
    frames_ = (whole_.size() - kLogHeaderSize) / kFrameSize;
    storeWithRows(directory_ / "other", 0, 'o');
    Database other(directory_ / "other", keyOf('o'), OpenMode::kReadWrite);
    for (int i = 1; i <= 12; ++i) addRow(other, i, "person " + std::to_string(i));
    copyAsIfCrashed(directory_ / "other", directory_ / "other crashed");
    other_ = bytesOf(logOf(directory_ / "other crashed"));
  }

  static std::size_t startOf(std::size_t frame) { return kLogHeaderSize + frame * kFrameSize; }

  std::string with(std::size_t frame, const std::string& bytes) const {
    std::string log = whole_;
    return log.replace(startOf(frame), kFrameSize, bytes);
  }

  // How many commits come out of the log; readAll has seen that these are the first ones.
  int commitsOf(const std::string& log) {
    copyAsIfCrashed(directory_ / "crashed", directory_ / "copy");
    writeBytes(logOf(directory_ / "copy"), log);
    return std::stoi(readAll(directory_ / "copy"));
  }

  TemporaryDirectory directory_;
  std::unique_ptr<Database> live_;
  std::string whole_;
  std::string other_;
  std::size_t frames_ = 0;
};

TEST_F(DamagedLog, EndsAtAFrameThatIsZeroedOrOfAnotherLog) {
  ASSERT_EQ(frames_, 12U);
  ASSERT_EQ(commitsOf(whole_), 12);
  for (std::size_t frame = 0; frame < frames_; ++frame) {
    const int before = static_cast<int>(frame);
    EXPECT_EQ(commitsOf(with(frame, std::string(kFrameSize, '\0'))), before);
    EXPECT_EQ(commitsOf(with(frame, other_.substr(startOf(frame), kFrameSize))), before);
  }
}

TEST_F(DamagedLog, EndsAtAFrameInAnothersPlace) {
  for (std::size_t frame = 0; frame < frames_; ++frame) {
    for (std::size_t from = 0; from < frames_; ++from) {
      if (from == frame) continue;
      EXPECT_EQ(commitsOf(with(frame, whole_.substr(startOf(from), kFrameSize))),
                static_cast<int>(frame));
    }
  }
}

TEST_F(DamagedLog, EndsWhereItIsCut) {
  for (std::size_t size = 0; size < whole_.size(); size += 500) {
    const std::size_t kept = size < kLogHeaderSize ? 0 : (size - kLogHeaderSize) / kFrameSize;
    EXPECT_EQ(commitsOf(whole_.substr(0, size)), static_cast<int>(kept)) << size;
  }
}

TEST_F(DamagedLog, EndsAtASectorThatIsZeroed) {
  for (std::size_t at = 0; at + 512 <= whole_.size(); at += 512) {
    std::string log = whole_;
    log.replace(at, 512, std::string(512, '\0'));
    const std::size_t kept = at < kLogHeaderSize ? 0 : (at - kLogHeaderSize) / kFrameSize;
    EXPECT_EQ(commitsOf(log), static_cast<int>(kept)) << at;
  }
}

// A power cut can lose the write of one frame and keep those after it: a frame of the log as it
// was before a checkpoint stands there then.
TEST_F(DamagedLog, EndsAtAFrameOfAnEarlierGeneration) {
  live_->execute("PRAGMA wal_checkpoint(RESTART)");
  addRow(*live_, 13, std::string(5 * kPageSize, 'n'));
  copyAsIfCrashed(directory_ / "live", directory_ / "grown");
  const std::filesystem::path log = logOf(directory_ / "grown");
  std::string bytes = bytesOf(log);
  bytes.replace(startOf(2), kFrameSize, whole_, startOf(2), kFrameSize);
  writeBytes(log, bytes);
  EXPECT_EQ(verifyPages(directory_ / "grown", keyOf('k')), std::vector<std::string>{})
      << "nobody had been told that this transaction is kept";
  EXPECT_EQ(readAll(directory_ / "grown"), "12");

  addRow(*live_, 14, "person 14");
  copyAsIfCrashed(directory_ / "live", directory_ / "gone on");
  bytes = bytesOf(logOf(directory_ / "gone on"));
  bytes.replace(startOf(2), kFrameSize, whole_, startOf(2), kFrameSize);
  writeBytes(logOf(directory_ / "gone on"), bytes);
  ASSERT_EQ(verifyPages(directory_ / "gone on", keyOf('k')).size(), 1U);
  EXPECT_NE(verifyPages(directory_ / "gone on", keyOf('k'))[0].find("is damaged at byte " +
                                                                    std::to_string(startOf(2))),
            std::string::npos);
}

TEST_F(DamagedLog, OfAnotherDatabaseIsNotUsed) {
  EXPECT_EQ(commitsOf(other_), 0);
}

}  // namespace
}  // namespace waystation::storage

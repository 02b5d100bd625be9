// Backups of stores whose page key was changed, is being changed, or will not be changed to the
// end.

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "storage/key_rotation.h"
#include "tests/support/storage/backup_in_memory.h"

namespace waystation::storage {
namespace {

constexpr int kRows = 4'000;
const auto kToTheEnd = [](const RotationProgress&) { return true; };

// Some megabytes: several batches of a rotation.
void fill(Database& database) {
  database.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
                   std::to_string(kRows) +
                   ") INSERT INTO people SELECT i, 'person ' || i || hex(randomblob(500)) FROM n");
}

class BackupAndRotation : public ::testing::Test {
 protected:
  BackupAndRotation() {
    fill(*store_.connections->writer());
    content_ = contentOf(*store_.connections->reader());
  }

  std::unique_ptr<Database> another() {
    return std::make_unique<Database>(store_.directory / "s.db", keyOf('k'), OpenMode::kReadWrite);
  }

  static std::string contentOf(Database& database) {
    return textFrom(database, "SELECT group_concat(name) FROM people WHERE id <= 4000");
  }

  // The backup comes back with all that was there from the beginning.
  void requireWhole(const Backup& backup) {
    const auto file = store_.directory / ("r" + std::to_string(++restored_));
    restore(backup.bytes, file);
    Database database(file, keyOf('r'), OpenMode::kReadWrite);
    EXPECT_EQ(contentOf(database), content_);
    EXPECT_EQ(keyEpoch(database), 1U);
    EXPECT_FALSE(isRotationUnfinished(database));
    EXPECT_EQ(rotateKey(database, kToTheEnd), RotationEnd::kFinished);
    EXPECT_EQ(contentOf(database), content_);
  }

  SourceStore store_{0};
  std::string content_;
  int restored_ = 0;
};

TEST_F(BackupAndRotation, OfARotatedStore) {
  rotateKey(*another(), kToTheEnd);
  rotateKey(*another(), kToTheEnd);
  requireWhole(backUp(*store_.snapshot()));
}

TEST_F(BackupAndRotation, BegunInTheMiddleOfOne) {
  int batches = 0;
  const auto end = rotateKey(*another(), [&](const RotationProgress&) {
    if (++batches == 2) {
      EXPECT_TRUE(isRotationUnfinished(*store_.connections->reader()));
      requireWhole(backUp(*store_.snapshot()));
    }
    return true;
  });
  EXPECT_EQ(end, RotationEnd::kFinished);
  EXPECT_GT(batches, 2);
}

// The pages are overwritten, and the old key is destroyed, under a snapshot that stands.
TEST_F(BackupAndRotation, OneThatBeginsAndEndsWhileTheBackupIsMade) {
  const std::unique_ptr<Snapshot> snapshot = store_.snapshot();
  std::string first(kPageBodySize, '\0');
  snapshot->read(2, first.data());
  EXPECT_EQ(rotateKey(*another(), kToTheEnd), RotationEnd::kFinished);
  requireWhole(backUp(*snapshot));
}

TEST_F(BackupAndRotation, OfAStoreWhoseRotationWasStopped) {
  int batches = 0;
  rotateKey(*another(), [&](const RotationProgress&) { return ++batches < 2; });
  ASSERT_TRUE(isRotationUnfinished(*store_.connections->reader()));
  store_.connections.reset();
  store_.connections =
      std::make_unique<Connections>(store_.directory / "s.db", keyOf('k'), OpenMode::kReadWrite, 2);
  ASSERT_TRUE(isRotationUnfinished(*store_.connections->reader()));
  requireWhole(backUp(*store_.snapshot()));
}

TEST_F(BackupAndRotation, WhileOthersSave) {
  std::atomic<bool> isOver = false;
  std::thread saves([&] {
    for (std::int64_t i = 100'000; !isOver; ++i) {
      addRow(*store_.connections->writer(), i, "saved meanwhile");
    }
  });
  std::thread rotations([&] {
    const auto connection = another();
    while (!isOver) rotateKey(*connection, [&](const RotationProgress&) { return !isOver; });
  });
  for (int i = 0; i < 5; ++i) requireWhole(backUp(*store_.snapshot()));
  isOver = true;
  saves.join();
  rotations.join();
}

// What counts is the content, not what it is sealed under.
TEST_F(BackupAndRotation, ADifferenceOverARotationIsSmall) {
  const Backup whole = backUp(*store_.snapshot(), "whole");
  rotateKey(*another(), kToTheEnd);
  addRow(*store_.connections->writer(), 9'000, "somebody new");
  BackupReader base = readerOf(whole.bytes);
  base.next();
  base.next();
  BackupHead head = headOf("difference", whole.head.name);
  std::string bytes = encodeBackupHead(head);
  BackupWriter writer([&](std::string_view part) { bytes += part; }, backupKey(), head);
  const std::unique_ptr<Snapshot> snapshot = store_.snapshot();
  EXPECT_LE(writer.addDifference("node.db", *snapshot, base, kQuietly), 4U);
}

}  // namespace
}  // namespace waystation::storage

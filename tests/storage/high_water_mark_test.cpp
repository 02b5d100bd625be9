#include "storage/high_water_mark.h"

#include <gtest/gtest.h>

#include "storage/store.h"
#include "tests/support/storage/store_on_disk.h"

namespace waystation::storage {
namespace {

using Finding = HighWaterMark::Finding;

struct Marked {
  TemporaryDirectory directory;
  std::filesystem::path file = directory / "s.db";
  crypto::SystemRandom random;

  // One start of the node.
  Finding start(char key = 'm') {
    Database database(file, keyOf('k'), OpenMode::kCreate);
    Store::createTables(database);
    return mark(key).raise(database, random);
  }
  void accept() {
    Database database(file, keyOf('k'), OpenMode::kReadWrite);
    mark().accept(database);
  }
  HighWaterMark mark(char key = 'm') const {
    return HighWaterMark(directory / "mark", keyOf(key), "store id");
  }
};

TEST(HighWaterMark, SaysNothingAtOrdinaryStarts) {
  Marked node;
  for (int i = 0; i < 5; ++i) EXPECT_EQ(node.start(), Finding::kCurrent);
}

TEST(HighWaterMark, ShowsAnOlderCopyThatWasPutBackUntilItIsAccepted) {
  Marked node;
  node.start();
  copyAsIfCrashed(node.file, node.directory / "aside.db");
  node.start();
  node.start();
  copyAsIfCrashed(node.directory / "aside.db", node.file);
  EXPECT_EQ(node.start(), Finding::kOlderCopy);
  EXPECT_EQ(node.start(), Finding::kOlderCopy);
  node.accept();
  EXPECT_EQ(node.start(), Finding::kCurrent);
}

TEST(HighWaterMark, DoesNotMindAPowerCutBetweenTheDatabaseAndTheFile) {
  Marked node;
  node.start();
  const std::string before = bytesOf(node.directory / "mark");
  node.start();
  writeBytes(node.directory / "mark", before);
  EXPECT_EQ(node.start(), Finding::kCurrent);
}

TEST(HighWaterMark, ShowsThatItsFileIsGoneOrNotItsOwn) {
  Marked node;
  node.start();
  std::filesystem::remove(node.directory / "mark");
  EXPECT_EQ(node.start(), Finding::kMissing);
  node.accept();
  std::string bytes = bytesOf(node.directory / "mark");
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  writeBytes(node.directory / "mark", bytes);
  EXPECT_EQ(node.start(), Finding::kUnreadable);
  node.accept();
  EXPECT_EQ(node.start('x'), Finding::kUnreadable);
}

TEST(HighWaterMark, EverythingThatIsToldIsASentence) {
  EXPECT_EQ(sentenceOf(Finding::kCurrent), "");
  for (const Finding finding : {Finding::kOlderCopy, Finding::kMissing, Finding::kUnreadable}) {
    EXPECT_TRUE(sentenceOf(finding).ends_with("."));
  }
}

}  // namespace
}  // namespace waystation::storage

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/support/storage/store_on_disk.h"

namespace waystation::storage {
namespace {

TEST(Connections, FourReadersSeeWholeTransactionsWhileAWriterCommits) {
  const TemporaryDirectory directory;
  Connections connections(directory / "store", keyOf('k'), OpenMode::kCreate, 4);
  connections.writer()->execute(
      "CREATE TABLE pairs(a INTEGER, b INTEGER); PRAGMA wal_autocheckpoint = 30");
  constexpr int kTransactions = 300;
  std::atomic<bool> done = false;
  std::atomic<int> reads = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&] {
      std::int64_t before = 0;
      while (!done || reads < 4) {
        const auto reader = connections.reader();
        Statement query = reader->statement("SELECT count(*), sum(a), sum(b) FROM pairs");
        ASSERT_TRUE(query.step());
        ASSERT_EQ(query.integer(0) % 2, 0) << "half a transaction";
        ASSERT_EQ(query.integer(1), -query.integer(2));
        ASSERT_GE(query.integer(0), before);
        before = query.integer(0);
        ++reads;
      }
    });
  }
  for (int i = 1; i <= kTransactions; ++i) {
    const auto writer = connections.writer();
    Transaction transaction(*writer);
    for (int row = 0; row < 2; ++row) {
      writer->statement("INSERT INTO pairs VALUES (?, ?)").bind(1, i).bind(2, -i).run();
    }
    transaction.commit();
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  const auto reader = connections.reader();
  EXPECT_EQ(numberFrom(*reader, "SELECT count(*) FROM pairs"), 2 * kTransactions);
  EXPECT_EQ(textFrom(*reader, "PRAGMA integrity_check"), "ok");
}

TEST(Connections, AReaderSeesWhatTheWriterCommittedBefore) {
  const TemporaryDirectory directory;
  Connections connections(directory / "store", keyOf('k'), OpenMode::kCreate, 2);
  connections.writer()->execute("CREATE TABLE t(x)");
  for (int i = 1; i <= 50; ++i) {
    connections.writer()->execute("INSERT INTO t VALUES (1)");
    EXPECT_EQ(numberFrom(*connections.reader(), "SELECT count(*) FROM t"), i);
  }
}

TEST(Connections, AReaderDoesNotWrite) {
  const TemporaryDirectory directory;
  Connections connections(directory / "store", keyOf('k'), OpenMode::kCreate, 1);
  connections.writer()->execute("CREATE TABLE t(x)");
  EXPECT_EQ(codeOf([&] { connections.reader()->execute("INSERT INTO t VALUES (1)"); }),
            "store.sqlite");
}

}  // namespace
}  // namespace waystation::storage

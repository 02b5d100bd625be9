#include "storage/backup.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "storage/backup_file.h"
#include "tests/support/storage/backup_in_memory.h"

namespace waystation::storage {
namespace {

TEST(Backup, ComesBackUnderAnotherKey) {
  SourceStore store(200);
  const Backup backup = backUp(*store.snapshot());
  restore(backup.bytes, store.directory / "r.db");
  Database restored(store.directory / "r.db", keyOf('r'), OpenMode::kReadWrite);
  EXPECT_EQ(numberFrom(restored, "SELECT count(*) FROM people"), 200);
  EXPECT_EQ(textFrom(restored, "SELECT name FROM people WHERE id = 117"), "person 117");
  addRow(restored, 201, "somebody new");
}

TEST(Backup, HoldsTheMomentOfItsSnapshotWhileOthersWrite) {
  SourceStore store(50);
  std::unique_ptr<Snapshot> snapshot = store.snapshot();
  {
    const Connections::Lease writer = store.connections->writer();
    for (int i = 51; i <= 2'000; ++i) addRow(*writer, i, std::string(500, 'n'));
    writer->execute("DELETE FROM people WHERE id <= 10");
  }
  const Backup backup = backUp(*snapshot);
  snapshot.reset();
  restore(backup.bytes, store.directory / "r.db");
  Database restored(store.directory / "r.db", keyOf('r'), OpenMode::kReadOnly);
  EXPECT_EQ(numberFrom(restored, "SELECT count(*) FROM people"), 50);
  EXPECT_EQ(numberFrom(*store.connections->reader(), "SELECT count(*) FROM people"), 1'990);
}

TEST(Backup, OfAStoreThatFiveThreadsWriteToIsAPrefixOfEachThreadsWork) {
  SourceStore store(0);
  std::atomic<bool> stop = false;
  std::vector<std::thread> writers;
  for (std::int64_t thread = 0; thread < 5; ++thread) {
    writers.emplace_back([&, thread] {
      for (std::int64_t i = 1; !stop; ++i) {
        const Connections::Lease writer = store.connections->writer();
        Transaction transaction(*writer);
        addRow(*writer, thread * 1'000'000 + 2 * i, "first");
        addRow(*writer, thread * 1'000'000 + 2 * i + 1, "second");
        transaction.commit();
      }
    });
  }
  for (int round = 0; round < 5; ++round) {
    const Backup backup = backUp(*store.snapshot());
    const auto file = store.directory / ("r" + std::to_string(round));
    restore(backup.bytes, file);
    Database restored(file, keyOf('r'), OpenMode::kReadOnly);
    EXPECT_EQ(numberFrom(restored, "SELECT count(*) FROM people") % 2, 0);
    // Each thread's rows from its first to its last, without a gap.
    EXPECT_EQ(numberFrom(restored,
                         "SELECT count(*) FROM (SELECT max(id) - min(id) + 1 - count(*) AS gaps "
                         "FROM people GROUP BY id / 1000000) WHERE gaps <> 0"),
              0);
  }
  stop = true;
  for (std::thread& writer : writers) writer.join();
}

TEST(Backup, OfTwoDatabasesIsOfOneMoment) {
  SourceStore records(0);
  SourceStore files(0);
  std::atomic<bool> stop = false;
  // A file is there before the record that names it.
  std::thread writer([&] {
    for (std::int64_t i = 1; !stop; ++i) {
      const Connections::Lease record = records.connections->writer();
      addRow(*files.connections->writer(), i, "a file");
      addRow(*record, i, "a record");
    }
  });
  for (int round = 0; round < 20; ++round) {
    const auto snapshots =
        Snapshot::ofAll({{*records.connections, records.directory / "s.db", records.key},
                         {*files.connections, files.directory / "s.db", files.key}},
                        kNever);
    std::vector<std::int64_t> counts;
    for (const auto& snapshot : snapshots) {
      const auto file = records.directory / ("r" + std::to_string(round));
      std::filesystem::remove(file);
      restore(backUp(*snapshot).bytes, file);
      Database restored(file, keyOf('r'), OpenMode::kReadOnly);
      counts.push_back(numberFrom(restored, "SELECT count(*) FROM people"));
    }
    EXPECT_EQ(counts[0], counts[1]);
  }
  stop = true;
  writer.join();
}

TEST(Backup, OfADamagedStoreIsRefused) {
  SourceStore store(500);
  std::unique_ptr<Snapshot> snapshot = store.snapshot();
  std::string bytes = bytesOf(store.directory / "s.db");
  ASSERT_GT(bytes.size(), 3 * kPageSize);
  bytes[2 * kPageSize + 100] = static_cast<char>(bytes[2 * kPageSize + 100] ^ 1);
  std::fstream out(store.directory / "s.db", std::ios::in | std::ios::out | std::ios::binary);
  out << bytes << std::flush;
  EXPECT_EQ(codeOf([&] { backUp(*snapshot); }), "store.damaged-page");
}

TEST(Backup, IsRefusedWhereverABitIsFlipped) {
  SourceStore store(20);
  const Backup backup = backUp(*store.snapshot());
  ASSERT_EQ(codeOfReading(backup.bytes), "");
  const std::size_t step = std::max<std::size_t>(1, backup.bytes.size() / 400);
  for (std::size_t i = 0; i < backup.bytes.size(); i += i < 300 ? 1 : step) {
    std::string bytes = backup.bytes;
    bytes[i] = static_cast<char>(bytes[i] ^ 0x10);
    const std::string code = codeOfReading(bytes);
    EXPECT_TRUE(code == "backup.damaged" || code == "backup.foreign-file" ||
                code == "backup.cut-short")
        << "byte " << i << ": " << code;
  }
}

TEST(Backup, CutAnywhereIsRefused) {
  SourceStore store(20);
  Backup backup = backUp(*store.snapshot());
  const std::size_t headSize = encodeBackupHead(backup.head).size();
  const std::size_t step = std::max<std::size_t>(1, backup.bytes.size() / 100);
  for (std::size_t size = 0; size < backup.bytes.size(); size += size < 200 ? 1 : step) {
    const std::string code = codeOfReading(backup.bytes.substr(0, size));
    EXPECT_TRUE(code == (size < 8 ? "backup.foreign-file" : "backup.cut-short") ||
                (size > headSize && code == "backup.damaged"))
        << size << " bytes: " << code;
  }
  EXPECT_NE(codeOfReading(backup.bytes + "x"), "");
}

// Parts that authenticate one by one must also come in their order, and to their end.
TEST(Backup, WithItsPartsCutOffOrExchangedIsRefused) {
  constexpr std::size_t kSealedChunk = 256 * 1024 + 16;
  SourceStore store(0);
  {
    const Connections::Lease writer = store.connections->writer();
    crypto::SystemRandom random;
    for (int i = 1; i <= 400; ++i) addRow(*writer, i, crypto::toHex(random.bytes(2'000)));
  }
  Backup backup = backUp(*store.snapshot());
  const std::size_t start = encodeBackupHead(backup.head).size();
  ASSERT_GT(backup.bytes.size(), start + 3 * kSealedChunk);
  EXPECT_EQ(codeOfReading(backup.bytes.substr(0, start + 2 * kSealedChunk)), "backup.cut-short");
  const std::string first = backup.bytes.substr(start, kSealedChunk);
  const std::string second = backup.bytes.substr(start + kSealedChunk, kSealedChunk);
  std::string exchanged = backup.bytes;
  exchanged.replace(start, 2 * kSealedChunk, second + first);
  EXPECT_EQ(codeOfReading(exchanged), "backup.damaged");
}

TEST(Backup, OfALaterVersionSaysSo) {
  SourceStore store(1);
  Backup backup = backUp(*store.snapshot());
  std::string head = encodeBackupHead(backup.head);
  head[9] = 2;
  const std::string_view covered(head.data(), head.size() - 32);
  head = std::string(covered) + std::string(crypto::view(crypto::sha256(covered)));
  EXPECT_EQ(codeOfReading(head), "backup.newer");
}

TEST(Backup, OpensUnderItsOwnKeyOnly) {
  SourceStore store(5);
  const Backup backup = backUp(*store.snapshot());
  EXPECT_EQ(codeOf([&] { readerOf(backup.bytes, 'x').skipToEnd(); }), "backup.damaged");
}

TEST(Backup, DifferenceHoldsOnlyWhatChanged) {
  SourceStore store(3'000);
  const Backup whole = backUp(*store.snapshot(), "whole");
  addRow(*store.connections->writer(), 5'000, "somebody new");
  const std::unique_ptr<Snapshot> snapshot = store.snapshot();

  BackupReader baseReader = readerOf(whole.bytes);
  baseReader.next();
  baseReader.next();
  BackupHead head = headOf("difference", whole.head.name);
  std::string bytes = encodeBackupHead(head);
  BackupWriter writer([&](std::string_view part) { bytes += part; }, backupKey(), head);
  const std::uint32_t changed = writer.addDifference("node.db", *snapshot, baseReader, kQuietly);
  writer.finish();
  EXPECT_GT(changed, 0U);
  EXPECT_LE(changed, 4U);

  BackupReader under = readerOf(whole.bytes);
  under.next();
  under.next();
  BackupReader reader = readerOf(bytes);
  const BackupSection section = reader.next();
  RebuiltDatabase rebuilt(store.directory / "r.db", keyOf('r'));
  rebuildDatabase(rebuilt, reader, section, &under, kQuietly);
  EXPECT_EQ(reader.next().type, BackupSection::Type::kEnd);
  Database restored(store.directory / "r.db", keyOf('r'), OpenMode::kReadOnly);
  EXPECT_EQ(numberFrom(restored, "SELECT count(*) FROM people"), 3'001);
}

// The seeds of fuzz_backup_reader: what this program wrote once, it reads for ever.
TEST(Backup, OfEarlierDaysComesBack) {
  const std::filesystem::path seeds =
      std::filesystem::path(WAYSTATION_SOURCE_DIR) / "tests/fuzz/corpus/fuzz_backup_reader";
  const std::string whole = bytesOf(seeds / "whole").substr(1);
  const std::string difference = bytesOf(seeds / "difference").substr(1);
  BackupReader under = readerOf(whole);
  EXPECT_EQ(under.next().bytes, "{}");
  under.next();
  BackupReader reader = readerOf(difference);
  EXPECT_EQ(reader.next().bytes, "{}");
  const BackupSection section = reader.next();
  EXPECT_EQ(section.type, BackupSection::Type::kDifference);
  const TemporaryDirectory directory;
  {
    RebuiltDatabase rebuilt(directory / "r.db", keyOf('r'));
    rebuildDatabase(rebuilt, reader, section, &under, kQuietly);
  }
  Database restored(directory / "r.db", keyOf('r'), OpenMode::kReadOnly);
  EXPECT_EQ(textFrom(restored, "SELECT name FROM people WHERE id = 99"), "person 99");
  EXPECT_EQ(textFrom(restored, "SELECT name FROM people WHERE id = 100"), "somebody else");
}

TEST(BackupFile, IsThereWholeOrNotAtAll) {
  const TemporaryDirectory directory;
  const auto target = directory / "b.backup";
  {
    NewBackupFile file(target);
    file.write("half");
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
  NewBackupFile file(target);
  file.write("whole");
  file.sync();
  EXPECT_FALSE(std::filesystem::exists(target));
  file.keep();
  EXPECT_EQ(bytesOf(target), "whole");
  EXPECT_EQ(codeOf([&] { NewBackupFile again(target); }), "backup.exists");
  EXPECT_EQ(codeOf([&] { NewBackupFile lost(directory / "none" / "b"); }), "backup.unwritable");
  EXPECT_EQ(codeOf([&] { openBackupFile(directory / "none"); }), "backup.foreign-file");
}

}  // namespace
}  // namespace waystation::storage

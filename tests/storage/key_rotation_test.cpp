#include "storage/key_rotation.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <map>
#include <random>
#include <thread>

#include "storage/page_format.h"
#include "storage/verify.h"
#include "tests/support/storage/store_on_disk.h"

namespace waystation::storage {
namespace {

const auto kToTheEnd = [](const RotationProgress&) { return true; };

std::filesystem::path beside(const std::filesystem::path& file, const char* suffix) {
  return file.string() + suffix;
}

void copyWhole(const std::filesystem::path& from, const std::filesystem::path& to) {
  copyAsIfCrashed(from, to);
  for (const char* suffix : {"-keys", "-rekey"}) {
    std::filesystem::remove(beside(to, suffix));
    if (std::filesystem::exists(beside(from, suffix))) {
      std::filesystem::copy_file(beside(from, suffix), beside(to, suffix));
    }
  }
}

// Some megabytes: several batches.
void fill(Database& database, int rows) {
  database.execute("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < " +
                   std::to_string(rows) +
                   ") INSERT INTO people SELECT i, 'person ' || i || hex(zeroblob(1000)) FROM n");
  database.execute("PRAGMA wal_checkpoint(TRUNCATE)");
}

// How many pages of the file are of each epoch.
std::map<std::uint32_t, int> epochsOf(const std::filesystem::path& file) {
  const std::string bytes = bytesOf(file);
  std::map<std::uint32_t, int> epochs;
  for (std::size_t at = 0; at < bytes.size(); at += kPageSize) {
    ++epochs[PageFormat::epochOf(bytes.data() + at)];
  }
  return epochs;
}

std::unique_ptr<Database> opened(const std::filesystem::path& file, char key = 'k') {
  return std::make_unique<Database>(file, keyOf(key), OpenMode::kReadWrite);
}

TEST(KeyRotation, BringsEveryPageUnderANewKeyAndDestroysTheOldOne) {
  const TemporaryDirectory directory;
  std::string before;
  {
    const auto database = storeWithRows(directory / "store", 0);
    fill(*database, 2000);
    before = bytesOf(directory / "store");
    EXPECT_EQ(keyEpoch(*database), 1U);
    EXPECT_EQ(rotateKey(*database, kToTheEnd), RotationEnd::kFinished);
    EXPECT_EQ(keyEpoch(*database), 2U);
    EXPECT_FALSE(isRotationUnfinished(*database));
    EXPECT_EQ(rotateKey(*database, kToTheEnd), RotationEnd::kFinished);
    EXPECT_EQ(rotateKey(*database, kToTheEnd), RotationEnd::kFinished);
    addRow(*database, 100'000, "after");
  }
  const auto epochs = epochsOf(directory / "store");
  EXPECT_EQ(epochs.size(), 1U);
  EXPECT_TRUE(epochs.contains(4)) << epochs.begin()->first;
  EXPECT_EQ(verifyPages(directory / "store", keyOf('k')), std::vector<std::string>{});
  EXPECT_FALSE(std::filesystem::exists(beside(directory / "store", "-rekey")));
  {
    const auto database = opened(directory / "store");
    EXPECT_EQ(numberFrom(*database, "SELECT count(*) FROM people"), 2001);
    EXPECT_EQ(textFrom(*database, "PRAGMA integrity_check"), "ok");
  }
  // Page 2 as it was under the first key: no key that is left opens it.
  std::string bytes = bytesOf(directory / "store");
  bytes.replace(kPageSize, kPageSize, before.substr(kPageSize, kPageSize));
  writeBytes(directory / "store", bytes);
  EXPECT_EQ(verifyPages(directory / "store", keyOf('k')).size(), 1U);
}

TEST(KeyRotation, RunsWhileOthersReadAndSave) {
  const TemporaryDirectory directory;
  const auto writer = storeWithRows(directory / "store", 0);
  fill(*writer, 8000);
  std::atomic<bool> isOver = false;
  std::int64_t saved = 0;
  std::thread saves([&] {
    for (; !isOver; ++saved) addRow(*writer, 100'000 + saved, "saved meanwhile");
  });
  std::vector<std::thread> reads;
  for (int i = 0; i < 3; ++i) {
    reads.emplace_back([&, i] {
      Database reader(directory / "store", keyOf('k'), OpenMode::kReadOnly, 64);
      for (std::int64_t id = i + 1; !isOver; id = (id + 2) % 8000 + 1) {
        ASSERT_EQ(textFrom(reader,
                           "SELECT substr(name, 1, length('person ' || id)) FROM people "
                           "WHERE id = " +
                               std::to_string(id)),
                  "person " + std::to_string(id));
      }
    });
  }
  std::uint64_t last = 0;
  int calls = 0;
  EXPECT_EQ(rotateKey(*opened(directory / "store"),
                      [&](const RotationProgress& progress) {
                        EXPECT_LE(last, progress.pagesDone);
                        EXPECT_LE(progress.pagesDone, progress.pages);
                        last = progress.pagesDone;
                        ++calls;
                        return true;
                      }),
            RotationEnd::kFinished);
  isOver = true;
  saves.join();
  for (std::thread& read : reads) read.join();
  EXPECT_GT(calls, 5);
  writer->execute("PRAGMA wal_checkpoint(TRUNCATE)");
  EXPECT_EQ(epochsOf(directory / "store").size(), 1U);
  EXPECT_EQ(numberFrom(*writer, "SELECT count(*) FROM people"), 8000 + saved);
  EXPECT_EQ(verifyPages(directory / "store", keyOf('k')), std::vector<std::string>{});
}

// The files as they are after each batch, and before the first: what a kill leaves.
TEST(KeyRotation, GoesOnFromWhereItWasStoppedOrKilled) {
  const TemporaryDirectory directory;
  const auto database = storeWithRows(directory / "store", 0);
  fill(*database, 6000);
  for (int calls = 0;; ++calls) {
    int left = calls;
    const RotationEnd end =
        rotateKey(*database, [&](const RotationProgress&) { return --left > 0; });
    EXPECT_EQ(keyEpoch(*database), 2U) << "a second call makes no second key";
    copyWhole(directory / "store", directory / "killed");
    EXPECT_EQ(verifyPages(directory / "killed", keyOf('k')), std::vector<std::string>{});
    const auto killed = opened(directory / "killed");
    EXPECT_EQ(isRotationUnfinished(*killed), end == RotationEnd::kStopped);
    addRow(*killed, 100'000, "in between");
    if (end == RotationEnd::kFinished) break;
    EXPECT_EQ(rotateKey(*killed, kToTheEnd), RotationEnd::kFinished);
    EXPECT_EQ(numberFrom(*killed, "SELECT count(*) FROM people"), 6001);
    EXPECT_EQ(textFrom(*killed, "PRAGMA integrity_check"), "ok");
    ASSERT_LT(calls, 50);
  }
}

TEST(KeyRotation, APageTornWhileItWasOverwrittenIsMended) {
  const TemporaryDirectory directory;
  std::string before;
  {
    const auto database = storeWithRows(directory / "store", 0);
    fill(*database, 500);
    before = bytesOf(directory / "store");
    EXPECT_EQ(rotateKey(*database,
                        [](const RotationProgress& progress) { return progress.pagesDone == 0; }),
              RotationEnd::kStopped);
    copyWhole(directory / "store", directory / "torn");
  }
  const std::string after = bytesOf(directory / "torn");
  std::string bytes = after;
  std::string batch;
  for (std::uint32_t page = 1; page <= 7; ++page) {
    const std::size_t at = (page - 1) * kPageSize;
    bytes.replace(at + 1024, 2048, before.substr(at + 1024, 2048));
    if (page == 1) bytes.replace(at, 512, std::string(512, 'x'));
    if (page == 1) bytes.replace(at + 3584, 512, std::string(512, 'x'));
    std::string number(4, '\0');
    storeBigEndian32(number.data(), page);
    batch += number + after.substr(at, kPageSize);
  }
  batch += "torn";
  writeBytes(directory / "torn", bytes);
  writeBytes(beside(directory / "torn", "-rekey"), batch);
  const auto torn = opened(directory / "torn");
  EXPECT_EQ(bytesOf(directory / "torn"), after);
  EXPECT_EQ(rotateKey(*torn, kToTheEnd), RotationEnd::kFinished);
  EXPECT_EQ(numberFrom(*torn, "SELECT count(*) FROM people"), 500);
  EXPECT_EQ(textFrom(*torn, "PRAGMA integrity_check"), "ok");
}

TEST(KeyRotation, ABatchThatIsNoLongerNeededChangesNothing) {
  const TemporaryDirectory directory;
  std::string old;
  {
    const auto database = storeWithRows(directory / "store", 0);
    fill(*database, 50);
    old = bytesOf(directory / "store");
    database->execute("UPDATE people SET name = 'newer'");
  }
  std::string number(4, '\0');
  storeBigEndian32(number.data(), 2);
  writeBytes(beside(directory / "store", "-rekey"), number + old.substr(kPageSize, kPageSize));
  const std::string bytes = bytesOf(directory / "store");
  EXPECT_EQ(
      numberFrom(*opened(directory / "store"), "SELECT count(*) FROM people WHERE name = 'newer'"),
      50);
  EXPECT_EQ(bytesOf(directory / "store").substr(kPageSize), bytes.substr(kPageSize));
}

TEST(KeyRotation, ADamagedPageStopsItAndNoKeyIsLost) {
  const TemporaryDirectory directory;
  {
    const auto database = storeWithRows(directory / "store", 0);
    fill(*database, 50);
  }
  const std::string whole = bytesOf(directory / "store");
  std::string bytes = whole;
  bytes[5 * kPageSize + 9] = static_cast<char>(bytes[5 * kPageSize + 9] ^ 1);
  writeBytes(directory / "store", bytes);
  {
    const auto database = opened(directory / "store");
    EXPECT_EQ(codeOf([&] { rotateKey(*database, kToTheEnd); }), "store.damaged-page");
    EXPECT_TRUE(isRotationUnfinished(*database));
  }
  bytes = bytesOf(directory / "store");
  bytes.replace(5 * kPageSize, kPageSize, whole.substr(5 * kPageSize, kPageSize));
  writeBytes(directory / "store", bytes);
  const auto database = opened(directory / "store");
  EXPECT_EQ(rotateKey(*database, kToTheEnd), RotationEnd::kFinished);
  EXPECT_EQ(numberFrom(*database, "SELECT count(*) FROM people"), 50);
}

TEST(KeyRing, WithoutItOrWithAWrongKeyTheStoreIsRefusedUnchanged) {
  const TemporaryDirectory directory;
  {
    const auto database = storeWithRows(directory / "store", 20);
    rotateKey(*database, kToTheEnd);
    addRow(*database, 21, "in the log");
    copyWhole(directory / "store", directory / "copy");
  }
  const std::string main = bytesOf(directory / "copy");
  const std::string log = bytesOf(logOf(directory / "copy"));
  const std::string ring = bytesOf(beside(directory / "copy", "-keys"));
  EXPECT_EQ(codeOf([&] { opened(directory / "copy", 'x'); }), "store.wrong-key");
  std::filesystem::remove(beside(directory / "copy", "-keys"));
  EXPECT_EQ(codeOf([&] { opened(directory / "copy"); }), "store.keys-missing");
  EXPECT_EQ(bytesOf(directory / "copy"), main);
  EXPECT_EQ(bytesOf(logOf(directory / "copy")), log);
  writeBytes(beside(directory / "copy", "-keys"), ring);
  EXPECT_EQ(numberFrom(*opened(directory / "copy"), "SELECT count(*) FROM people"), 21);
}

TEST(KeyRing, OneSlotIsEnoughWhereverTheOtherIsTorn) {
  const TemporaryDirectory directory;
  rotateKey(*storeWithRows(directory / "store", 20), kToTheEnd);
  const auto file = beside(directory / "store", "-keys");
  const std::string ring = bytesOf(file);
  ASSERT_EQ(ring.size(), 2 * 4096U);
  for (const std::size_t slot : {0U, 4096U}) {
    std::string zeroed = ring;
    zeroed.replace(slot, 4096, std::string(4096, '\0'));
    writeBytes(file, zeroed);
    EXPECT_EQ(keyEpoch(*opened(directory / "store")), 2U);
  }
  for (std::size_t at = 0; at < ring.size(); ++at) {
    if (at % 4096 >= 92) continue;  // zeros, to the end of the slot
    std::string torn = ring;
    torn[at] = static_cast<char>(torn[at] ^ 1);
    writeBytes(file, torn);
    ASSERT_EQ(codeOf([&] { opened(directory / "store"); }), "") << at;
    char& other = torn[(at + 4096) % 8192];
    other = static_cast<char>(other ^ 1);
    writeBytes(file, torn);
    ASSERT_EQ(codeOf([&] { opened(directory / "store"); }), "store.wrong-key") << at;
  }
}

TEST(KeyRing, WhoseMakingWasCutOffCountsAsNone) {
  const TemporaryDirectory directory;
  storeWithRows(directory / "store", 20);
  for (const char byte : {'\0', '?'}) {
    writeBytes(beside(directory / "store", "-keys"),
               std::string(4096, '\0') + std::string(4000, byte));
    EXPECT_EQ(codeOf([&] { opened(directory / "store", 'x'); }), "store.wrong-key");
    const auto database = opened(directory / "store");
    EXPECT_EQ(numberFrom(*database, "SELECT count(*) FROM people"), 20);
    EXPECT_EQ(keyEpoch(*database), 1U);
  }
  EXPECT_EQ(rotateKey(*opened(directory / "store"), kToTheEnd), RotationEnd::kFinished);
  EXPECT_EQ(keyEpoch(*opened(directory / "store")), 2U);
}

// A restored database has the key that it was made with; the ring of the one before may lie there.
TEST(KeyRing, OfAnotherDatabaseUnderTheSameKeyIsNotUsed) {
  const TemporaryDirectory directory;
  rotateKey(*storeWithRows(directory / "rotated", 20), kToTheEnd);
  storeWithRows(directory / "store", 30);
  std::filesystem::copy_file(beside(directory / "rotated", "-keys"),
                             beside(directory / "store", "-keys"));
  {
    const auto database = opened(directory / "store");
    EXPECT_EQ(numberFrom(*database, "SELECT count(*) FROM people"), 30);
    EXPECT_EQ(rotateKey(*database, kToTheEnd), RotationEnd::kFinished);
  }
  EXPECT_EQ(numberFrom(*opened(directory / "store"), "SELECT count(*) FROM people"), 30);
}

[[noreturn]] void rotateAndSave(const std::filesystem::path& file, int acknowledgements) {
  try {
    Database writer(file, keyOf('k'), OpenMode::kReadWrite);
    std::thread rotates([&] {
      Database connection(file, keyOf('k'), OpenMode::kReadWrite);
      for (;;) rotateKey(connection, kToTheEnd);
    });
    std::int64_t id = numberFrom(writer, "SELECT max(id) FROM people");
    for (;;) {
      ++id;
      addRow(writer, id, "person " + std::to_string(id));
      if (::write(acknowledgements, &id, sizeof id) != sizeof id) ::_exit(1);
    }
  } catch (const std::exception& error) {
    ::write(STDERR_FILENO, error.what(), std::strlen(error.what()));
  }
  ::_exit(2);
}

TEST(KeyRotation, NoAcknowledgedSaveIsLostToKills) {
  const TemporaryDirectory directory;
  const std::filesystem::path file = directory / "store";
  fill(*storeWithRows(file, 0), 1500);
  std::mt19937 random(20262);
  std::uint32_t epoch = 1;
  // More rounds on a machine so slow that no rotation came to its end.
  for (int round = 0; round < 25 || (epoch <= 2 && round < 200); ++round) {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) rotateAndSave(file, ends[1]);
    ::close(ends[1]);
    std::int64_t last = 0;
    std::int64_t id = 0;
    if (::read(ends[0], &id, sizeof id) == sizeof id) last = id;
    ::usleep(static_cast<unsigned>(random() % 250'000));  // any point of the rotation
    ::kill(child, SIGKILL);
    while (::read(ends[0], &id, sizeof id) == sizeof id) last = id;
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself";
    ASSERT_EQ(verifyPages(file, keyOf('k')), std::vector<std::string>{}) << round;
    const auto database = opened(file);
    ASSERT_GE(numberFrom(*database, "SELECT max(id) FROM people"), last) << round;
    ASSERT_EQ(textFrom(*database, "PRAGMA integrity_check"), "ok") << round;
    epoch = keyEpoch(*database);
  }
  const auto database = opened(file);
  EXPECT_GT(keyEpoch(*database), 2U);
  if (isRotationUnfinished(*database)) rotateKey(*database, kToTheEnd);
  database->execute("PRAGMA wal_checkpoint(TRUNCATE)");
  EXPECT_EQ(epochsOf(file).size(), 1U);
}

}  // namespace
}  // namespace waystation::storage

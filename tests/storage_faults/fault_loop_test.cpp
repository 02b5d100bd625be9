// Each call to the disk fails once, and from then on for ever.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <set>

#include "storage/verify.h"
#include "tests/storage_faults/watched_disk.h"
#include "tests/support/storage/store_on_disk.h"

namespace waystation::storage {
namespace {

using waystation::testing::DiskCall;
using waystation::testing::DiskFault;
using waystation::testing::DiskImage;
using waystation::testing::PowerCut;
using waystation::testing::SeededRandom;
using waystation::testing::WatchedDisk;

constexpr int kSaves = 6;
constexpr unsigned kSync = static_cast<unsigned>(DiskCall::kSync);

// A save is two rows: half of it would be seen.
void save(Database& database, std::int64_t number) {
  Transaction transaction(database);
  addRow(database, 2 * number, std::string(3000, 'a'));
  addRow(database, 2 * number + 1, std::string(3000, 'b'));
  transaction.commit();
}

using Numbers = std::set<std::int64_t>;

// The saves that are there; a half one is a failure of the test.
Numbers savesIn(Database& database) {
  Numbers found;
  Statement query = database.statement("SELECT id, length(name) FROM people ORDER BY id");
  while (query.step()) {
    EXPECT_EQ(query.integer(1), 3000);
    EXPECT_EQ(query.integer(0) % 2, 0) << "half a save";
    found.insert(query.integer(0) / 2);
    EXPECT_TRUE(query.step());
    EXPECT_EQ(query.integer(0) % 2, 1) << "half a save";
  }
  return found;
}

Numbers savesOn(const std::filesystem::path& file) {
  Database database(file, keyOf('k'), OpenMode::kReadWrite);
  EXPECT_EQ(textFrom(database, "PRAGMA integrity_check"), "ok");
  EXPECT_EQ(verifyPages(file, keyOf('k')), std::vector<std::string>{});
  return savesIn(database);
}

// What a node does in a short life: opens its store, saves, folds the log, saves, closes.
struct Life {
  Numbers acknowledged;
  std::set<std::string> codes;
  std::string said;
  std::function<void(std::int64_t)> onAcknowledged;

  void attempt(const std::function<void()>& act) {
    try {
      act();
    } catch (const Failure& failure) {
      codes.insert(failure.code());
      said += std::string(failure.what()) + "\n";
    }
  }

  void trySave(Database& database, std::int64_t number) {
    attempt([&] {
      save(database, number);
      acknowledged.insert(number);
      if (onAcknowledged) onAcknowledged(number);
    });
  }

  std::unique_ptr<Database> open(const std::filesystem::path& file) {
    std::unique_ptr<Database> database;
    attempt([&] {
      database = std::make_unique<Database>(file, keyOf('k'), OpenMode::kReadWrite);
      database->execute("PRAGMA cache_size = 4");
    });
    return database;
  }

  std::unique_ptr<Database> live(const std::filesystem::path& file) {
    auto database = open(file);
    for (std::int64_t number = 1; database && number <= kSaves; ++number) {
      trySave(*database, number);
      attempt([&] { savesIn(*database); });
      if (number == kSaves / 2) {
        attempt([&] { database->execute("PRAGMA wal_checkpoint(TRUNCATE)"); });
      }
    }
    return database;
  }
};

class FaultLoop : public ::testing::Test {
 protected:
  FaultLoop() {
    std::filesystem::create_directory(folder_);
    storeWithRows(file_, 0);
    start_ = waystation::testing::readImage(folder_);
  }

  void restart() { waystation::testing::writeImage(start_, folder_); }

  std::uint64_t callsOfALife(unsigned calls) {
    restart();
    WatchedDisk disk(folder_);
    Life life;
    life.live(file_).reset();
    EXPECT_EQ(life.acknowledged.size(), static_cast<std::size_t>(kSaves));
    EXPECT_EQ(life.codes, std::set<std::string>{});
    const std::uint64_t seen = disk.callsSeen(calls);
    disk.finish();
    return seen;
  }

  // The whole life with one fault; then without it, and after a power cut.
  Life liveWith(const DiskFault& fault) {
    restart();
    WatchedDisk disk(folder_);
    disk.fail(fault);
    Life life;
    auto database = life.live(file_);
    if (database && fault.forEver) checkReading(*database, fault, life);
    disk.fail({});
    if (!database) database = life.open(file_);
    EXPECT_TRUE(database) << "the store does not open after the fault";
    if (!database) return life;
    const std::set<std::string> codes = life.codes;
    life.trySave(*database, 100);
    EXPECT_EQ(life.codes, codes);
    EXPECT_TRUE(life.acknowledged.contains(100)) << "the store does not work on after the fault:\n"
                                                 << life.said;
    EXPECT_EQ(savesIn(*database), life.acknowledged);
    const waystation::testing::DiskRecord record = disk.finish();
    database.reset();
    EXPECT_EQ(savesOn(file_), life.acknowledged);
    PowerCut cut(record);
    while (cut.advance()) {
    }
    SeededRandom random(1);
    waystation::testing::writeImage(cut.image(PowerCut::Fate::kNothing, random), folder_);
    EXPECT_EQ(savesOn(file_), life.acknowledged) << "after a power cut";
    return life;
  }

  // A disk that takes nothing more can still be read.
  static void checkReading(Database& database, const DiskFault& fault, const Life& life) {
    if ((fault.calls & static_cast<unsigned>(DiskCall::kRead)) != 0) return;
    EXPECT_EQ(savesIn(database), life.acknowledged);
  }

  void loop(DiskCall call, int error) {
    const auto calls = static_cast<unsigned>(call);
    const std::uint64_t count = callsOfALife(calls);
    ASSERT_GT(count, 0U);
    for (std::uint64_t from = 0; from < count; ++from) {
      for (const bool forEver : {false, true}) {
        SCOPED_TRACE("from call " + std::to_string(from) + (forEver ? " for ever" : " once"));
        const Life life = liveWith({calls, from, forEver, error});
        codes_.insert(life.codes.begin(), life.codes.end());
        if (HasFailure()) return;
      }
    }
  }

  TemporaryDirectory directory_;
  std::filesystem::path folder_ = directory_ / "node";
  std::filesystem::path file_ = folder_ / "store";
  DiskImage start_;
  std::set<std::string> codes_;
};

TEST_F(FaultLoop, AWriteThatFails) {
  loop(DiskCall::kWrite, EIO);
}

TEST_F(FaultLoop, AFullDiskIsSaidToBeFull) {
  loop(DiskCall::kWrite, ENOSPC);
  EXPECT_TRUE(codes_.contains("store.full"));
  EXPECT_EQ(codes_, std::set<std::string>{"store.full"});
}

TEST_F(FaultLoop, AWriteOfHalfTheBytes) {
  loop(DiskCall::kWrite, 0);
}

TEST_F(FaultLoop, AReadThatFails) {
  loop(DiskCall::kRead, EIO);
}

TEST_F(FaultLoop, ATruncateThatFails) {
  loop(DiskCall::kTruncate, EIO);
}

TEST_F(FaultLoop, AFileThatCannotBeOpened) {
  loop(DiskCall::kOpen, EIO);
}

TEST_F(FaultLoop, AFileThatCannotBeMade) {
  loop(DiskCall::kOpen, ENOSPC);
}

TEST_F(FaultLoop, AFileThatCannotBeDeleted) {
  loop(DiskCall::kDelete, EIO);
}

TEST_F(FaultLoop, ADirectoryThatCannotBeSynced) {
  loop(DiskCall::kSyncDirectory, EIO);
  EXPECT_EQ(codes_, std::set<std::string>{"store.unsynced"});
}

// The child says over a pipe what it has acknowledged, until the disk fails to sync.
TEST_F(FaultLoop, ASyncThatFailsEndsTheProcess) {
  const std::uint64_t count = callsOfALife(kSync);
  ASSERT_GT(count, 5U);
  for (std::uint64_t from = 0; from < count; ++from) {
    SCOPED_TRACE("sync " + std::to_string(from));
    restart();
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(ends[0]);
      ::close(STDERR_FILENO);
      WatchedDisk disk(folder_);
      disk.fail({kSync, from, false, EIO});
      Life life;
      life.onAcknowledged = [&](std::int64_t number) {
        if (::write(ends[1], &number, sizeof number) != sizeof number) ::_exit(1);
      };
      life.live(file_).reset();
      ::_exit(0);
    }
    ::close(ends[1]);
    Numbers acknowledged;
    for (std::int64_t number; ::read(ends[0], &number, sizeof number) == sizeof number;) {
      acknowledged.insert(number);
    }
    ::close(ends[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) << "status " << status;
    Numbers there = savesOn(file_);
    // The save whose sync failed was promised to nobody; all before it were.
    there.erase(static_cast<std::int64_t>(acknowledged.size()) + 1);
    EXPECT_EQ(there, acknowledged);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace waystation::storage

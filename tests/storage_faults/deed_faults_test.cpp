// Each call to the disk fails, once or from then on for ever, while a node changes its page key,
// makes a backup, restores one, or takes in an attachment: nothing is said to be done that is not,
// and what was there before stays whole.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "storage/backup_file.h"
#include "storage/chunk_store.h"
#include "storage/key_rotation.h"
#include "storage/verify.h"
#include "tests/storage_faults/watched_disk.h"
#include "tests/support/storage/backup_in_memory.h"

namespace waystation::storage {
namespace {

using waystation::testing::DiskCall;
using waystation::testing::DiskFault;
using waystation::testing::DiskImage;
using waystation::testing::WatchedDisk;

constexpr int kRows = 60;

// How a deed ended in a process of its own.
enum class End { kDone, kRefused, kAborted, kOther };

End endOf(int status) {
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) return End::kAborted;
  if (!WIFEXITED(status)) return End::kOther;
  if (WEXITSTATUS(status) == 0) return End::kDone;
  return WEXITSTATUS(status) == 1 ? End::kRefused : End::kOther;
}

struct Kind {
  DiskCall call;
  int error;  // 0: half of a write
};

constexpr Kind kKinds[] = {
    {DiskCall::kRead, EIO},   {DiskCall::kWrite, EIO},        {DiskCall::kWrite, ENOSPC},
    {DiskCall::kWrite, 0},    {DiskCall::kTruncate, EIO},     {DiskCall::kSync, EIO},
    {DiskCall::kOpen, EIO},   {DiskCall::kOpen, ENOSPC},      {DiskCall::kDelete, EIO},
    {DiskCall::kRename, EIO}, {DiskCall::kSyncDirectory, EIO}};

class DeedFaults : public ::testing::Test {
 protected:
  DeedFaults() { std::filesystem::create_directory(folder_); }

  void makeStore() {
    const auto database = storeWithRows(folder_ / "store", kRows);
    database->execute("UPDATE people SET name = name || hex(zeroblob(400))");
    content_ = contentOf(*database);
  }

  static std::string contentOf(Database& database) {
    return textFrom(database, "SELECT group_concat(name) FROM people");
  }

  // The store as it was, and good to work with.
  void requireStore() {
    EXPECT_EQ(verifyPages(folder_ / "store", keyOf('k')), std::vector<std::string>{});
    Database database(folder_ / "store", keyOf('k'), OpenMode::kReadWrite);
    EXPECT_EQ(contentOf(database), content_);
    addRow(database, kRows + 1, "later");
  }

  // `deed` runs in a child on what stands in the folder now; `judge` looks at what it leaves.
  void loop(const std::function<void()>& deed, const std::function<void(End)>& judge) {
    start_ = waystation::testing::readImage(folder_);
    for (const Kind& kind : kKinds) {
      const auto calls = static_cast<unsigned>(kind.call);
      const std::uint64_t count = callsOf(deed, calls);
      for (std::uint64_t from = 0; from < count; ++from) {
        for (const bool forEver : {false, true}) {
          SCOPED_TRACE("calls " + std::to_string(calls) + " error " + std::to_string(kind.error) +
                       " from " + std::to_string(from) + (forEver ? " for ever" : " once"));
          waystation::testing::writeImage(start_, folder_);
          const End end = runWith(deed, {calls, from, forEver, kind.error});
          EXPECT_NE(end, End::kOther);
          judge(end);
          ++runs_;
          if (HasFailure()) return;
        }
      }
    }
    EXPECT_GT(runs_, 100) << "hardly anything failed: the test tests nothing";
  }

  std::filesystem::path folder() const { return folder_; }

 private:
  std::uint64_t callsOf(const std::function<void()>& deed, unsigned calls) {
    waystation::testing::writeImage(start_, folder_);
    WatchedDisk disk(folder_);
    deed();
    const std::uint64_t seen = disk.callsSeen(calls);
    disk.finish();
    return seen;
  }

  End runWith(const std::function<void()>& deed, const DiskFault& fault) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::close(STDERR_FILENO);
      try {
        WatchedDisk disk(folder_);
        disk.fail(fault);
        deed();
        ::_exit(0);
      } catch (const Failure&) {
        ::_exit(1);
      } catch (...) {
        ::_exit(2);
      }
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return endOf(status);
  }

  TemporaryDirectory directory_;
  std::filesystem::path folder_ = directory_ / "node";
  std::string content_;
  DiskImage start_;
  int runs_ = 0;
};

TEST_F(DeedFaults, AChangeOfThePageKeyIsFinishedOrGoesOn) {
  makeStore();
  const auto rotate = [](Database& database) {
    return rotateKey(database, [](const RotationProgress&) { return true; });
  };
  loop(
      [&] {
        Database database(folder() / "store", keyOf('k'), OpenMode::kReadWrite);
        rotate(database);
      },
      [&](End end) {
        {
          Database database(folder() / "store", keyOf('k'), OpenMode::kReadWrite);
          if (end == End::kDone) {
            EXPECT_FALSE(isRotationUnfinished(database));
            EXPECT_EQ(keyEpoch(database), 2U);
          }
          if (isRotationUnfinished(database)) {
            EXPECT_EQ(rotate(database), RotationEnd::kFinished);
          }
        }
        requireStore();
      });
}

TEST_F(DeedFaults, ABackupIsWholeOrNotThere) {
  makeStore();
  std::filesystem::create_directory(folder() / "stick");
  const auto target = folder() / "stick" / "backup";
  const auto readBack = [](const std::filesystem::path& file) {
    ByteSource source = openBackupFile(file);
    const BackupHead head = readBackupHead(source);
    BackupReader(source, backupKey(), head).skipToEnd();
  };
  loop(
      [&] {
        BackupHead head = headOf("salt");
        Connections connections(folder() / "store", keyOf('k'), OpenMode::kReadWrite, 1);
        const crypto::Secret key = keyOf('k');
        const auto snapshots =
            Snapshot::ofAll({{connections, folder() / "store", key}}, [] { return true; });
        NewBackupFile file(target);
        file.write(encodeBackupHead(head));
        BackupWriter writer([&](std::string_view bytes) { file.write(bytes); }, backupKey(), head);
        writer.addDatabase("node.db", *snapshots.front(), kQuietly);
        writer.finish();
        file.sync();
        readBack(file.partial());
        file.keep();
      },
      [&](End end) {
        if (end == End::kDone) {
          EXPECT_TRUE(std::filesystem::exists(target));
        }
        // Also where only the last sync, of the folder, failed.
        if (std::filesystem::exists(target)) readBack(target);
        requireStore();
      });
}

TEST_F(DeedFaults, ARestoreIsWholeOrRefused) {
  SourceStore source(kRows);
  const std::string bytes = backUp(*source.snapshot()).bytes;
  const std::string content = contentOf(*source.connections->reader());
  writeBytes(folder() / "backup", bytes);
  loop(
      [&] {
        ByteSource input = openBackupFile(folder() / "backup");
        const BackupHead head = readBackupHead(input);
        BackupReader reader(input, backupKey(), head);
        reader.next();
        const BackupSection section = reader.next();
        {
          RebuiltDatabase rebuilt(folder() / "store", keyOf('r'));
          rebuildDatabase(rebuilt, reader, section, nullptr, kQuietly);
        }
        reader.skipToEnd();
        syncDirectory(folder());
      },
      [&](End end) {
        EXPECT_EQ(bytesOf(folder() / "backup"), bytes);
        if (end != End::kDone) return;
        EXPECT_EQ(verifyPages(folder() / "store", keyOf('r')), std::vector<std::string>{});
        Database database(folder() / "store", keyOf('r'), OpenMode::kReadWrite);
        EXPECT_EQ(contentOf(database), content);
      });
}

TEST_F(DeedFaults, AnAcknowledgedPartOfAnAttachmentIsThere) {
  constexpr std::size_t kParts = 5;
  std::string content(kParts * kChunkSize - 100, 'x');
  for (std::size_t i = 0; i < kParts; ++i) content[i * kChunkSize] = static_cast<char>('a' + i);
  ManifestBuilder builder;
  builder.add(content);
  const FileManifest manifest = builder.finish();
  {
    Database database(folder() / "files.db", keyOf('f'), OpenMode::kCreate);
    ChunkStore::createTables(database);
  }
  // Outlasts the child.
  auto* const acknowledged = static_cast<std::size_t*>(::mmap(
      nullptr, sizeof(std::size_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  loop(
      [&] {
        *acknowledged = 0;
        Database database(folder() / "files.db", keyOf('f'), OpenMode::kReadWrite);
        ChunkStore chunks(database);
        for (std::uint32_t i = 0; i < kParts; ++i) {
          Transaction transaction(database);
          chunks.putManifest(manifest, "record");
          chunks.putChunk(manifest.id, i, content.substr(i * kChunkSize, kChunkSize));
          transaction.commit();
          *acknowledged = i + 1;
        }
      },
      [&](End end) {
        EXPECT_EQ(verifyPages(folder() / "files.db", keyOf('f')), std::vector<std::string>{});
        Database database(folder() / "files.db", keyOf('f'), OpenMode::kReadWrite);
        ChunkStore chunks(database);
        EXPECT_EQ(chunks.findDamage([] {}), std::vector<std::string>{});
        const auto there = static_cast<std::size_t>(chunks.countChunks());
        EXPECT_GE(there, *acknowledged);
        EXPECT_LE(there, *acknowledged + 1);
        if (end == End::kDone) {
          EXPECT_EQ(chunks.read(manifest.id, 0, content.size()), content);
        }
      });
  ::munmap(acknowledged, sizeof(std::size_t));
}

}  // namespace
}  // namespace waystation::storage

// The key file on a disk that fails: whole at every moment, old or new, and new once that was said.

#include <gtest/gtest.h>

#include <cerrno>

#include "crypto/failure.h"
#include "crypto/key_slots.h"
#include "tests/storage_faults/watched_disk.h"
#include "tests/support/temporary_directory.h"

namespace waystation::testing {
namespace {

using crypto::KeySlots;
using crypto::SlotKind;

const std::string kPassphrase = "a passphrase of the tests";
const std::string kToken(32, 't');

class KeyFileFaults : public ::testing::Test {
 protected:
  KeyFileFaults() {
    std::filesystem::create_directory(folder_);
    crypto::SystemRandom random;
    KeySlots slots = KeySlots::create(file_, random, kPassphrase, {1, 8, 1});
    master_ = slots.open(SlotKind::kPassphrase, kPassphrase).master.clone();
    slots.add(master_, random, SlotKind::kKeyFile, kToken, "token");
    start_ = readImage(folder_);
  }

  // Adds a third slot; whether that was said to be done.
  bool addSlot() {
    crypto::SystemRandom random;
    try {
      KeySlots(file_).add(master_, random, SlotKind::kKeyFile, std::string(32, 'u'), "other");
      return true;
    } catch (const Failure& failure) {
      EXPECT_TRUE(failure.code() == "key.write-failed" || failure.code() == "key.file-unreadable" ||
                  failure.code() == "key.file-missing")
          << failure.code();
      return false;
    }
  }

  void expectWhole(bool isDone, const std::string& when) {
    const KeySlots slots(file_);
    EXPECT_EQ(slots.open(SlotKind::kKeyFile, kToken).slot, 2) << when;
    const std::size_t count = slots.list().size();
    EXPECT_TRUE(count == 3 || (count == 2 && !isDone)) << count << " slots " << when;
  }

  // False when there are not so many such calls.
  bool failAt(const DiskFault& fault) {
    writeImage(start_, folder_);
    WatchedDisk disk(folder_);
    disk.fail(fault);
    const bool isDone = addSlot();
    const bool hasFailed = disk.callsSeen(fault.calls) > fault.from;
    disk.fail({});
    expectWhole(isDone, "after the fault");
    const DiskRecord record = disk.finish();
    PowerCut cut(record);
    while (cut.advance()) {
    }
    SeededRandom random(3);
    for (const PowerCut::Fate fate : {PowerCut::Fate::kNothing, PowerCut::Fate::kAnySector}) {
      writeImage(cut.image(fate, random), folder_);
      expectWhole(isDone, "after a power cut");
    }
    return hasFailed;
  }

  TemporaryDirectory directory_;
  std::filesystem::path folder_ = directory_ / "node";
  std::filesystem::path file_ = folder_ / "keys";
  crypto::Secret master_;
  DiskImage start_;
};

TEST_F(KeyFileFaults, EachCallThatFailsLeavesAWholeFile) {
  for (const DiskCall call : {DiskCall::kRead, DiskCall::kWrite, DiskCall::kSync, DiskCall::kOpen,
                              DiskCall::kDelete, DiskCall::kRename, DiskCall::kSyncDirectory}) {
    for (const bool forEver : {false, true}) {
      for (const int error : {EIO, ENOSPC}) {
        std::uint64_t from = 0;
        while (failAt({static_cast<unsigned>(call), from, forEver, error})) ++from;
        EXPECT_GT(from, 0U) << "no such call: " << static_cast<unsigned>(call);
      }
    }
  }
}

TEST_F(KeyFileFaults, AWriteOfHalfTheBytesLeavesAWholeFile) {
  for (const bool forEver : {false, true}) {
    failAt({static_cast<unsigned>(DiskCall::kWrite), 0, forEver, 0});
  }
}

}  // namespace
}  // namespace waystation::testing

#include "server/node_upgrade.h"

#include <gtest/gtest.h>

#include "server/node_restore.h"
#include "storage/store.h"
#include "storage/store_schema.h"
#include "tests/support/test_node.h"

namespace waystation::server {
namespace {

using waystation::testing::keysOf;
using waystation::testing::kTestPassphrase;
using waystation::testing::makeNodeOfVersion;
using waystation::testing::openNode;

constexpr std::size_t kOld = 4;
// Of the attachments, which are as this version of the program makes them.
const std::string kEnding = "-" + std::to_string(storage::chunkMigrations().size()) + ".wsbackup";
// Tables that the next step makes, and the last one.
constexpr const char* kObstacles[] = {"devices", "returning_roots"};

// A node whose records an earlier version of the program wrote.
class Upgrade : public ::testing::Test {
 protected:
  Upgrade() { makeNodeOfVersion(path("node"), kOld, {{"from before", "the upgrade"}}); }

  std::filesystem::path path(const std::string& name) const { return directory_.path() / name; }

  std::unique_ptr<storage::Database> open() const {
    return std::make_unique<storage::Database>(
        path("node") / kRecordsFile, keysOf(path("node")).database, storage::OpenMode::kReadWrite);
  }

  // Has the step after `version` fail, by a table of the name that it gives to its own.
  void plantAnObstacle(const std::string& name) const {
    open()->execute("CREATE TABLE " + name + "(x)");
  }
  void takeObstacleAway(const std::string& name) const { open()->execute("DROP TABLE " + name); }

  std::string codeOfOpening(std::string* sentence = nullptr) const {
    try {
      openNode(path("node"));
    } catch (const Failure& failure) {
      if (sentence != nullptr) *sentence = failure.what();
      return failure.code();
    }
    return "";
  }

  std::vector<std::string> backups() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path("node"))) {
      const std::string name = entry.path().filename().string();
      if (name.find("upgrad") != std::string::npos) names.push_back(name);
    }
    return names;
  }

  waystation::testing::TempDirectory directory_;
};

TEST_F(Upgrade, IsDoneAtOpeningAndABackupOfTheOldDataStays) {
  {
    const auto node = openNode(path("node"));
    const storage::Connections::Lease reader = node->connections().reader();
    EXPECT_EQ(storage::schemaVersion(*reader), storage::storeMigrations().size());
    EXPECT_EQ(storage::Store(*reader).meta("from before"), "the upgrade");
  }
  const std::string name = "before-upgrade-from-" + std::to_string(kOld) + kEnding;
  EXPECT_EQ(backups(), std::vector<std::string>{name});
  EXPECT_EQ(codeOfOpening(), "");
  EXPECT_EQ(backups(), std::vector<std::string>{name}) << "one more for nothing";
  RestoreOrder order;
  order.directory = path("restored");
  order.file = path("node") / name;
  restoreBackup(
      order,
      [] {
        return crypto::SlotSecret{crypto::SlotKind::kPassphrase,
                                  crypto::Secret::copyOf(kTestPassphrase)};
      },
      [](std::uint64_t, std::uint64_t) {});
  const auto restored = openNode(path("restored"));
  EXPECT_EQ(storage::Store(*restored->connections().reader()).meta("from before"), "the upgrade");
}

TEST_F(Upgrade, ThatFailsLeavesTheOldDataWholeAndSaysWhatToDo) {
  plantAnObstacle(kObstacles[0]);
  std::string sentence;
  EXPECT_EQ(codeOfOpening(&sentence), "node.upgrade-failed");
  const std::string name = "upgrading-from-" + std::to_string(kOld) + kEnding;
  EXPECT_NE(sentence.find(name), std::string::npos) << sentence;
  EXPECT_EQ(codeOfOpening(), "node.upgrade-failed");
  EXPECT_EQ(backups(), std::vector<std::string>{name}) << "starts must not fill the disk";
  EXPECT_EQ(storage::schemaVersion(*open()), kOld);
  EXPECT_EQ(storage::Store(*open()).meta("from before"), "the upgrade");
  takeObstacleAway(kObstacles[0]);
  EXPECT_EQ(codeOfOpening(), "");
  EXPECT_EQ(backups(),
            std::vector<std::string>{"before-upgrade-from-" + std::to_string(kOld) + kEnding});
}

TEST_F(Upgrade, ThatFailsAfterSomeStepsKeepsTheBackupFromBeforeThem) {
  plantAnObstacle(kObstacles[1]);
  EXPECT_EQ(codeOfOpening(), "node.upgrade-failed");
  const std::size_t reached = storage::schemaVersion(*open());
  EXPECT_GT(reached, kOld);
  EXPECT_LT(reached, storage::storeMigrations().size());
  EXPECT_EQ(codeOfOpening(), "node.upgrade-failed");
  EXPECT_EQ(backups(),
            std::vector<std::string>{"upgrading-from-" + std::to_string(kOld) + kEnding});
}

TEST_F(Upgrade, WithoutRoomForTheBackupChangesNothing) {
  // In the place where the backup would be made.
  std::filesystem::create_directories(path("node") / "upgrade-backup.new.partial" / "taken");
  std::string sentence;
  EXPECT_EQ(codeOfOpening(&sentence), "backup.unwritable") << sentence;
  EXPECT_NE(sentence.find("Nothing was changed"), std::string::npos) << sentence;
  EXPECT_EQ(storage::schemaVersion(*open()), kOld);
}

}  // namespace
}  // namespace waystation::server

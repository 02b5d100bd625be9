#include "server/daily_backup.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "crypto/failure.h"
#include "tests/server/application_support.h"

namespace waystation::server {
namespace {

using testing::RunningNode;
using testing::waitUntil;

constexpr std::chrono::milliseconds kAtOnce{1};
constexpr std::int64_t kHourMs = 3'600'000;
const BackupProgress kUnseen = [](std::uint64_t, std::uint64_t) {};

class DailyBackups : public ::testing::Test {
 protected:
  DailyBackups() { std::filesystem::create_directory(stick()); }

  std::filesystem::path stick() const { return directory_.path() / "stick"; }
  BackupPlan plan() const { return {stick().string(), 14}; }
  Node& node() { return office_.node(); }
  std::vector<std::filesystem::path> backups() const {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(stick())) {
      if (entry.path().extension() == ".wsbackup") found.push_back(entry.path());
    }
    return found;
  }
  std::string codeOfPlanned(const BackupProgress& progress = kUnseen) {
    try {
      makePlannedBackup(node(), plan(), progress);
      return "made";
    } catch (const Failure& failure) {
      return failure.code();
    }
  }
  std::string codeOf(const BackupOrder& order, const BackupProgress& progress) {
    try {
      makeBackupOf(node(), order, progress);
      return "made";
    } catch (const Failure& failure) {
      return failure.code();
    }
  }
  bool isBeingWritten() const {
    for (const auto& entry : std::filesystem::directory_iterator(stick())) {
      if (entry.path().extension() == ".partial") return true;
    }
    return false;
  }
  // As by a clock that differs from this machine's.
  BackupResult madeBefore(std::int64_t milliseconds, int keep = 14) {
    BackupSource source = node().backupSource();
    source.nowMs -= milliseconds;
    BackupOrder order;
    order.target = stick();
    order.keep = keep;
    return makeBackup(source, order, kUnseen);
  }
  // The folder that the stick was mounted on is there, and is another.
  std::filesystem::path unplug() const {
    std::filesystem::path away = directory_.path() / "away";
    std::filesystem::rename(stick(), away);
    std::filesystem::create_directory(stick());
    return away;
  }
  void plugIn(const std::filesystem::path& away) const {
    std::filesystem::remove(stick());
    std::filesystem::rename(away, stick());
  }

  waystation::testing::TempDirectory directory_;
  RunningNode office_{Role::kOffice, "NBO"};
};

TEST_F(DailyBackups, AreDueWhereTheDiskHoldsNoneOfTheLastDay) {
  planDailyBackups(node(), plan());
  EXPECT_TRUE(isBackupDue(node(), plan())) << "there is none at all";
  madeBefore(25 * kHourMs);
  EXPECT_TRUE(isBackupDue(node(), plan()));
  madeBefore(-2 * kHourMs);
  EXPECT_TRUE(isBackupDue(node(), plan())) << "the clock was put back";
  madeBefore(23 * kHourMs);
  EXPECT_FALSE(isBackupDue(node(), plan()));
}

TEST_F(DailyBackups, AreMadeByTheServerOnceADayTheFirstWholeAndTheNextAsDifferences) {
  planDailyBackups(node(), {stick().string(), 3});
  std::vector<DailyBackup::Attempt> attempts;
  DailyBackup daily(
      node(), [&](const DailyBackup::Attempt& attempt) { attempts.push_back(attempt); }, kAtOnce);
  daily.start();
  EXPECT_TRUE(waitUntil([&] { return backupStanding(node()).lastMs != 0; }));
  daily.stop();
  EXPECT_EQ(daily.failed().code, "");
  ASSERT_EQ(attempts.size(), 1U);
  EXPECT_TRUE(attempts[0].made->isWhole);
  EXPECT_EQ(backups().size(), 1U) << "one a day";
  const BackupStanding standing = backupStanding(node());
  EXPECT_TRUE(std::filesystem::exists(standing.lastFile));
  EXPECT_EQ(standing.plan->keep, 3);
  EXPECT_FALSE(makePlannedBackup(node(), plan(), kUnseen).isWhole);
}

TEST_F(DailyBackups, AreMadeAtTheStartOfAServerThatWasOffWhenOneWasDue) {
  planDailyBackups(node(), plan());
  madeBefore(40 * kHourMs);
  office_.start();  // it looks every ten minutes, and this test does not wait for that
  EXPECT_TRUE(waitUntil([&] { return backupStanding(node()).lastMs != 0; }));
  office_.stop();
  EXPECT_EQ(backups().size(), 2U);
}

TEST_F(DailyBackups, WaitForTheDiskThatWasNamed) {
  planDailyBackups(node(), plan());
  const std::filesystem::path away = unplug();
  EXPECT_EQ(codeOfPlanned(), "backup.disk-missing");
  DailyBackup daily(node(), {}, kAtOnce);
  daily.start();
  EXPECT_TRUE(waitUntil([&] { return !daily.failed().code.empty(); }));
  EXPECT_EQ(daily.failed().code, "backup.disk-missing");
  EXPECT_NE(daily.failed().failure.find(stick().string()), std::string::npos);
  EXPECT_TRUE(std::filesystem::is_empty(stick())) << "something was written beside the disk";
  plugIn(away);
  EXPECT_TRUE(waitUntil([&] { return backupStanding(node()).lastMs != 0; }))
      << "it was not tried again";
  EXPECT_TRUE(waitUntil([&] { return daily.failed().code.empty(); }));
  EXPECT_EQ(backups().size(), 1U);
}

// Also by hand, where no mark is looked for.
TEST_F(DailyBackups, LeaveNothingBesideADiskThatGoesAwayMeanwhile) {
  planDailyBackups(node(), plan());
  for (const bool isPlanned : {true, false}) {
    std::filesystem::path away;
    const auto pulledOut = [&](std::uint64_t, std::uint64_t) {
      if (isBeingWritten()) away = unplug();
    };
    BackupOrder order;
    order.target = stick();
    EXPECT_EQ(isPlanned ? codeOfPlanned(pulledOut) : codeOf(order, pulledOut),
              "backup.disk-missing");
    ASSERT_FALSE(away.empty());
    EXPECT_TRUE(std::filesystem::is_empty(stick()));
    EXPECT_EQ(backupStanding(node()).lastMs, 0);
    plugIn(away);
  }
}

TEST_F(DailyBackups, AreNotBegunAnewBesideADiskThatWentAwayWhileItsEarlierOneWasRead) {
  const std::filesystem::path base = madeBefore(30 * kHourMs).file;
  std::filesystem::resize_file(base, std::filesystem::file_size(base) - 100);
  std::filesystem::path away;
  BackupOrder order;
  order.target = stick();
  // Before it is opened, so what fails then is not there.
  EXPECT_EQ(codeOf(order,
                   [&](std::uint64_t, std::uint64_t) {
                     if (away.empty()) away = unplug();
                   }),
            "backup.disk-missing");
  EXPECT_TRUE(std::filesystem::is_empty(stick()));
}

TEST_F(DailyBackups, AreTriedAgainEachHourOnADiskThatCannotTakeThem) {
  planDailyBackups(node(), plan());
  const std::filesystem::path config = node().directory() / "node.json";
  std::filesystem::rename(config, directory_.path() / "aside.json");
  std::vector<std::string> codes;
  DailyBackup daily(node(), [&](const auto& attempt) { codes.push_back(attempt.code); });
  for (int look = 0; look < 6; ++look) daily.look();
  EXPECT_EQ(codes, std::vector<std::string>{"backup.unreadable"});
  EXPECT_EQ(daily.failed().code, "backup.unreadable");
  daily.look();
  EXPECT_EQ(codes.size(), 2U);
  std::filesystem::rename(directory_.path() / "aside.json", config);
  for (int look = 0; look < 6; ++look) daily.look();
  EXPECT_EQ(daily.failed().code, "");
  EXPECT_EQ(codes.size(), 3U);
  EXPECT_EQ(backups().size(), 1U);
}

TEST_F(DailyBackups, EndWhenTheyAreEndedAndOthersAreRemembered) {
  planDailyBackups(node(), plan());
  endDailyBackups(node());
  EXPECT_FALSE(backupStanding(node()).plan);
  BackupOrder order;
  order.target = directory_.path() / "by-hand.wsbackup";
  makeBackupOf(node(), order, kUnseen);
  EXPECT_EQ(backupStanding(node()).lastFile, order.target);
  EXPECT_NE(backupStanding(node()).lastMs, 0);
  office_.start();
  office_.stop();
  EXPECT_TRUE(backups().empty());
}

TEST_F(DailyBackups, ArePlannedStillWhereTheNodeIsOpenedAnew) {
  const std::filesystem::path directory = directory_.path() / "mba";
  std::unique_ptr<Node> mba = waystation::testing::makeNode(directory, Role::kOffice, "MBA");
  planDailyBackups(*mba, {stick().string(), 5});
  const BackupResult made = makePlannedBackup(*mba, {stick().string(), 5}, kUnseen);
  mba.reset();
  mba = waystation::testing::openNode(directory);
  const BackupStanding standing = backupStanding(*mba);
  EXPECT_EQ(standing.plan->place, stick().string());
  EXPECT_EQ(standing.plan->keep, 5);
  EXPECT_EQ(standing.lastFile, made.file);
  EXPECT_NE(standing.lastMs, 0);
}

TEST_F(DailyBackups, AreToldOfInStatusHealthAndMetrics) {
  office_.start();
  std::optional<http::Client> client(std::in_place, office_.peopleSettings());
  const auto gets = [&](const std::string& path) { return client->send("GET", path).body; };
  const auto metrics = [&](const std::string& line) {
    return gets("/metrics").find("\nwaystation_backup_" + line + "\n") != std::string::npos;
  };
  const auto health = [&] { return http::parseJson(gets("/health")); };
  const auto state = [&] { return office_.application().status().at("backup"); };
  EXPECT_TRUE(state().at("last").is_null());
  EXPECT_TRUE(state().at("dailyTo").is_null());
  EXPECT_TRUE(metrics("planned 0"));
  EXPECT_TRUE(metrics("failing 0"));
  office_.stop();

  planDailyBackups(node(), plan());
  const std::filesystem::path away = unplug();
  office_.start();
  client.emplace(office_.peopleSettings());
  EXPECT_TRUE(waitUntil([&] { return state().contains("failure"); }));
  EXPECT_NE(state().at("failure").get<std::string>().find("not there"), std::string::npos);
  EXPECT_EQ(health().at("warnings"), http::Json::array({"backup.disk-missing"}));
  EXPECT_TRUE(metrics("planned 1"));
  EXPECT_TRUE(metrics("failing 1"));

  plugIn(away);
  makePlannedBackup(node(), plan(), kUnseen);  // by hand
  EXPECT_FALSE(state().contains("failure")) << "told though it is mended";
  EXPECT_EQ(state().at("dailyTo"), stick().string());
  EXPECT_TRUE(state().at("last").is_string());
  EXPECT_EQ(health().at("warnings"), http::Json::array());
  EXPECT_TRUE(metrics("failing 0"));
  EXPECT_TRUE(
      metrics("last_timestamp_seconds " + std::to_string(backupStanding(node()).lastMs / 1000)));
}

TEST_F(DailyBackups, AreGivenUpWhenTheServerStopsAlsoWhileTheyAreReadBack) {
  planDailyBackups(node(), plan());
  // In a small store the first news after its beginning is that it is read back.
  const auto stopping = [&](std::uint64_t, std::uint64_t) {
    if (isBeingWritten()) throw Failure("command.cancelled", "The server is stopping.");
  };
  EXPECT_EQ(codeOfPlanned(stopping), "command.cancelled");
  const std::filesystem::directory_iterator all(stick());
  EXPECT_EQ(std::distance(begin(all), end(all)), 1) << "more than the mark is left";
  EXPECT_EQ(backupStanding(node()).lastMs, 0);
}

TEST_F(DailyBackups, AreGivenUpByTheirThreadWhenItIsStopped) {
  planDailyBackups(node(), plan());
  office_.person("Okello");
  // Whoever reads keeps the log from being folded, which a backup begins with.
  std::optional<storage::Connections::Lease> reader(node().connections().reader());
  (*reader)->execute("BEGIN");
  storage::Store(**reader).countRecords("");
  std::vector<DailyBackup::Attempt> attempts;
  DailyBackup daily(
      node(), [&](const DailyBackup::Attempt& attempt) { attempts.push_back(attempt); }, kAtOnce);
  daily.start();
  const auto entries = [&] {
    const std::filesystem::directory_iterator all(stick());
    return std::distance(begin(all), end(all));
  };
  EXPECT_TRUE(waitUntil([&] { return entries() == 2; })) << "it did not begin";
  daily.stop();
  EXPECT_EQ(entries(), 1) << "more than the mark is left";
  EXPECT_TRUE(attempts.empty()) << "told as a failure";
  EXPECT_EQ(daily.failed().code, "");
  (*reader)->execute("COMMIT");
  reader.reset();
  daily.start();
  EXPECT_TRUE(waitUntil([&] { return backupStanding(node()).lastMs != 0; }));
}

TEST_F(DailyBackups, AreNotPlannedWhereNothingCanBeWritten) {
  EXPECT_THROW(planDailyBackups(node(), {(directory_.path() / "nowhere").string(), 14}), Failure);
  EXPECT_FALSE(backupStanding(node()).plan);
}

TEST_F(DailyBackups, AreKeptThoughTheClockSaysThatTheyAreTheOldest) {
  const auto later = madeBefore(-24 * kHourMs, 2).file;
  const auto latest = madeBefore(-48 * kHourMs, 2).file;
  const BackupResult now = madeBefore(0, 2);
  EXPECT_TRUE(std::filesystem::exists(now.file)) << "removed as soon as it was made";
  EXPECT_TRUE(std::filesystem::exists(latest));
  EXPECT_TRUE(std::filesystem::exists(later)) << "the others stand on it";
}

}  // namespace
}  // namespace waystation::server

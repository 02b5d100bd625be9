#include "tests/storage_faults/crash_states.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <set>

#include "tests/support/temporary_directory.h"

namespace waystation::testing {
namespace {

CrashReport reportOf(const std::string& name, PlantedFault planted, std::size_t states = 150) {
  for (const std::unique_ptr<Workload>& workload : allWorkloads()) {
    if (workload->name() != name) continue;
    CrashSettings settings;
    settings.states = states;
    settings.planted = planted;
    return checkCrashStates(*workload, settings);
  }
  throw std::logic_error(name);
}

std::string written(const std::filesystem::path& file, const std::string& bytes, bool sync) {
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t done = ::write(descriptor, bytes.data() + at, bytes.size() - at);
    if (done <= 0) break;
    at += static_cast<std::size_t>(done);
  }
  if (sync) ::fsync(descriptor);
  ::close(descriptor);
  return bytes;
}

// A file that is overwritten where it stands: what nobody should do.
class OverwrittenFile final : public Workload {
 public:
  std::string name() const override { return "overwritten file"; }
  void run(const std::filesystem::path& directory, Promises& promises) override {
    promises.begin("");
    for (const char content : {'a', 'b', 'c'}) {
      const std::string bytes(4 * 512, content);
      promises.make([&] { written(directory / "file", bytes, true); }, [&] { return bytes; });
    }
  }
  std::string recover(const std::filesystem::path& directory, bool) override {
    const DiskImage image = readImage(directory);
    return image.files.contains("file") ? image.files.at("file") : "";
  }
  void goOn(const std::filesystem::path&) override {}
};

TEST(CrashStates, FindNothingWrongWithTheStore) {
  const CrashReport report = reportOf("saves", PlantedFault::kNone);
  EXPECT_EQ(report.states, 150U);
  EXPECT_TRUE(report.isClean()) << report.failures.front();
}

TEST(CrashStates, FindADiskThatLiesAboutSyncs) {
  EXPECT_FALSE(reportOf("saves", PlantedFault::kSyncsLie).isClean());
}

TEST(CrashStates, FindAnAcknowledgementThatComesTooEarly) {
  EXPECT_GT(reportOf("saves", PlantedFault::kPromisesTooEarly).lost, 0U);
}

TEST(CrashStates, FindHalfAChange) {
  OverwrittenFile workload;
  const CrashReport report = checkCrashStates(workload, {});
  EXPECT_GT(report.torn, 0U);
}

TEST(CrashStates, AreTheSameForTheSameSeed) {
  const CrashReport first = reportOf("saves", PlantedFault::kPromisesTooEarly);
  const CrashReport second = reportOf("saves", PlantedFault::kPromisesTooEarly);
  EXPECT_EQ(first.lost, second.lost);
  EXPECT_EQ(first.cutPoints, second.cutPoints);
  EXPECT_EQ(first.failures, second.failures);
}

TEST(WatchedDisk, NoticesWhatIsWrittenByAWayThatItDoesNotWatch) {
  const TemporaryDirectory directory;
  WatchedDisk disk(directory.path());
  written(directory / "watched", "abc", false);
  std::ofstream(directory / "unwatched") << "abc";
  EXPECT_THROW(disk.finish(), std::runtime_error);
}

TEST(PowerCut, KeepsWhatWasSyncedAndNoMoreThanWasWritten) {
  const TemporaryDirectory directory;
  WatchedDisk disk(directory.path());
  written(directory / "file", std::string(1024, 'a'), true);
  const DiskRecord unsettled = disk.finish();
  SeededRandom random(1);
  PowerCut cut(unsettled);
  while (cut.advance()) {
  }
  // The file's bytes are synced; that there is such a file is not.
  EXPECT_TRUE(cut.image(PowerCut::Fate::kNothing, random).files.empty());
  EXPECT_EQ(cut.image(PowerCut::Fate::kEverything, random).files.at("file"),
            std::string(1024, 'a'));
}

TEST(PowerCut, TearsAtSectors) {
  const TemporaryDirectory directory;
  written(directory / "file", std::string(2048, 'a'), false);
  WatchedDisk disk(directory.path());
  written(directory / "file", std::string(2048, 'b'), false);
  const DiskRecord record = disk.finish();
  PowerCut cut(record);
  while (cut.advance()) {
  }
  SeededRandom random(2);
  // Kept, lost, zeros, noise: each sector by itself.
  std::set<std::string> seen;
  for (int i = 0; i < 300; ++i) {
    const std::string bytes = cut.image(PowerCut::Fate::kAnySector, random).files.at("file");
    std::string kinds;
    for (std::size_t at = 0; at < bytes.size(); at += 512) {
      const std::string sector = bytes.substr(at, 512);
      const bool isPlain = sector == std::string(512, sector[0]);
      kinds += !isPlain ? 'n' : sector[0] == '\0' ? '0' : sector[0];
    }
    seen.insert(kinds);
  }
  EXPECT_TRUE(seen.contains("abab"));
  EXPECT_TRUE(seen.contains("bbbb"));
  EXPECT_GT(seen.size(), 50U);
}

}  // namespace
}  // namespace waystation::testing

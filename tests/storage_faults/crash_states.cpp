#include "tests/storage_faults/crash_states.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <unordered_set>

#include "crypto/hash.h"
#include "tests/support/temporary_directory.h"

namespace waystation::testing {

namespace {

constexpr std::size_t kMostFailures = 5;
constexpr std::size_t kStatesBetweenGoingOn = 8;
constexpr std::size_t kStatesBetweenSecondCuts = 8;
constexpr int kSecondCuts = 3;
// Rounds over all cut points without a new state, after which there is none.
constexpr int kFruitlessRounds = 8;

// How far the workload had come at a cut.
struct Progress {
  std::size_t begun = 0;
  std::size_t acknowledged = 0;

  void take(const DiskOperation& operation) {
    if (operation.kind != DiskOperation::Kind::kNote) return;
    const auto number = static_cast<std::size_t>(operation.offset / 2);
    if (operation.offset % 2 == 0) begun = number;
    if (operation.offset % 2 == 1) acknowledged = number;
  }
};

std::string identityOf(const DiskImage& image, const Progress& progress) {
  crypto::Sha256 sum;
  sum.update(std::to_string(progress.begun) + " " + std::to_string(progress.acknowledged));
  for (const std::string& name : image.directories) sum.update("\n" + name);
  for (const auto& [name, bytes] : image.files) {
    sum.update("\n" + name + "\n" + std::to_string(bytes.size()) + "\n").update(bytes);
  }
  const crypto::Sha256Digest digest = sum.finish();
  return std::string(crypto::view(digest).substr(0, 16));
}

class Check {
 public:
  Check(Workload& workload, const CrashSettings& settings)
      : workload_(workload), settings_(settings), random_(settings.seed) {
    report_.workload = workload.name();
  }

  CrashReport run() {
    record();
    const std::size_t cuts = record_.operations.size();
    report_.cutPoints = cuts;
    // With few states for many cuts, a round looks at some of the cuts only.
    const std::size_t stride =
        std::max<std::size_t>(1, cuts / std::max<std::size_t>(1, settings_.states / 2));
    for (int fruitless = 0; fruitless < kFruitlessRounds && !isDone(); ++round_) {
      const std::size_t before = report_.states;
      lookAtCuts(stride, random_.draw() % stride);
      fruitless = report_.states == before ? fruitless + 1 : 0;
    }
    return std::move(report_);
  }

 private:
  bool isDone() const { return report_.states >= settings_.states; }

  void record() {
    const TemporaryDirectory directory;
    WatchedDisk disk(directory.path());
    Promises promises(&disk);
    if (settings_.planted == PlantedFault::kSyncsLie) disk.lieAboutSyncs();
    if (settings_.planted == PlantedFault::kPromisesTooEarly) promises.promiseTooEarly();
    workload_.run(directory.path(), promises);
    record_ = disk.finish();
    contents_ = promises.contents();
  }

  PowerCut::Fate fate() {
    // The plainest states first: nothing of what was not synced, then all of it.
    if (round_ < PowerCut::kFates) return static_cast<PowerCut::Fate>(round_);
    return static_cast<PowerCut::Fate>(2 + random_.draw() % (PowerCut::kFates - 2));
  }

  void lookAtCuts(std::size_t stride, std::size_t first) {
    PowerCut cut(record_);
    Progress progress;
    for (std::size_t at = 0; cut.advance() && !isDone(); ++at) {
      progress.take(record_.operations[at]);
      if (at % stride != first) continue;
      const PowerCut::Fate how = fate();
      if (cut.isAllOnDisk() && how != PowerCut::Fate::kNothing) continue;
      look(cut.image(how, random_), progress, "after operation " + std::to_string(at));
    }
  }

  // Looks at one state, unless it has been looked at before.
  void look(const DiskImage& image, const Progress& progress, const std::string& where) {
    if (!seen_.insert(identityOf(image, progress)).second) return;
    const std::size_t number = report_.states++;
    writeImage(image, scratch_.path());
    const bool cutsAgain = number % kStatesBetweenSecondCuts == 1;
    std::optional<WatchedDisk> disk;
    disk.emplace(scratch_.path(), image);
    try {
      judge(workload_.recover(scratch_.path(), progress.acknowledged == 0), progress, where, image);
      if (number % kStatesBetweenGoingOn == 0) workload_.goOn(scratch_.path());
    } catch (const std::exception& error) {
      ++report_.unreadable;
      fail("unreadable " + where + ": " + error.what(), image);
    }
    if (!cutsAgain) return;
    const DiskRecord recovery = disk->finish();
    disk.reset();
    cutAgain(recovery, progress, where);
  }

  // The power goes a second time, while the program recovers from the first.
  void cutAgain(const DiskRecord& recovery, const Progress& progress, const std::string& where) {
    if (recovery.operations.empty()) return;
    for (int i = 0; i < kSecondCuts && !isDone(); ++i) {
      const std::size_t at = random_.draw() % recovery.operations.size();
      PowerCut cut(recovery);
      while (cut.position() <= at) cut.advance();
      const auto how = static_cast<PowerCut::Fate>(random_.draw() % PowerCut::kFates);
      look(cut.image(how, random_), progress,
           where + ", then after " + std::to_string(at) + " of recovery");
    }
  }

  void judge(const std::string& content, const Progress& progress, const std::string& where,
             const DiskImage& image) {
    const auto from = contents_.begin();
    const auto is = [&](std::size_t first, std::size_t last) {
      const auto limit = [&](std::size_t n) {
        return static_cast<std::ptrdiff_t>(std::min(n, contents_.size()));
      };
      return std::find(from + limit(first), from + limit(last), content) != from + limit(last);
    };
    if (is(progress.acknowledged, progress.begun + 1)) return;
    const std::string promised = std::to_string(progress.acknowledged) + " changes acknowledged, " +
                                 std::to_string(progress.begun) + " begun";
    if (is(0, progress.acknowledged)) {
      ++report_.lost;
      fail("lost " + where + ": " + promised, image);
    } else {
      ++report_.torn;
      fail("torn " + where + ": " + promised, image);
    }
  }

  void fail(const std::string& sentence, const DiskImage& image) {
    if (report_.failures.size() >= kMostFailures) return;
    report_.failures.push_back(sentence);
    if (settings_.keep.empty()) return;
    writeImage(image,
               settings_.keep / (report_.workload + "-" + std::to_string(report_.failures.size())));
  }

  Workload& workload_;
  const CrashSettings& settings_;
  SeededRandom random_;
  CrashReport report_;
  DiskRecord record_;
  std::vector<std::string> contents_;
  std::unordered_set<std::string> seen_;
  TemporaryDirectory scratch_;
  int round_ = 0;
};

}  // namespace

CrashReport checkCrashStates(Workload& workload, const CrashSettings& settings) {
  return Check(workload, settings).run();
}

}  // namespace waystation::testing

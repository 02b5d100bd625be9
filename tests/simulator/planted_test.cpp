// Faults planted in the engine: the simulator has to find each. This test program is linked so
// that the engine's calls of some of its functions come here first (the linker's --wrap, see
// tests/CMakeLists.txt); nothing in the engine or in `simulate` knows of it.

#include <gtest/gtest.h>

#include <algorithm>

#include "sync/erasure.h"
#include "sync/scopes.h"
#include "tests/simulator/story.h"

namespace {

using waystation::storage::FeedType;
using waystation::storage::LeafRow;
using waystation::storage::Store;
using waystation::sync::Change;
using waystation::sync::Edit;
using waystation::sync::Field;
using waystation::sync::Passage;
using waystation::sync::Record;
using waystation::sync::Sibling;
using waystation::sync::Work;

enum class Fault {
  kNone,
  kJoinDropsASibling,          // where two values stand side by side, the older one goes
  kJoinKeepsWhatWasRead,       // a write does not take away what its writer had read
  kHubAnswersBeforeItApplies,  // a change is counted and answered for, and not applied
  kForeignRootLeaks,           // a root goes to an office that it does not concern
  kScopeIsNotCheckedAtAll,     // changes are fed whole, whatever they touch
  kJoinAltersAValue,           // a form that this version does not write is written anew
  kErasedIsLetIn,              // what comes late about an erased record is taken
};

Fault planted = Fault::kNone;
int hubApplied = 0;

// Siblings that were there before the join and that the change had read come back.
bool joinedWithoutForgetting(Record& record, const Change& change, const Edit& edit);

}  // namespace

// NOLINTBEGIN(bugprone-reserved-identifier): the names are those that the linker asks for.
bool realJoinEdit(Record& record, const Change& change, const Edit& edit) asm(
    "__real__ZN10waystation4sync8joinEditERNS0_6RecordERKNS0_6ChangeERKNS0_4EditE");
bool wrappedJoinEdit(Record& record, const Change& change, const Edit& edit) asm(
    "__wrap__ZN10waystation4sync8joinEditERNS0_6RecordERKNS0_6ChangeERKNS0_4EditE");
std::int64_t
realApply(Work* work, const Change& change, std::int64_t fromLeaf, const Passage& passage) asm(
    "__real__ZN10waystation4sync4Work5applyERKNS0_6ChangeElRKNS0_7"
    "PassageE");
std::int64_t
wrappedApply(Work* work, const Change& change, std::int64_t fromLeaf, const Passage& passage) asm(
    "__wrap__ZN10waystation4sync4Work5applyERKNS0_6ChangeElRKNS0_7"
    "PassageE");
void realFanOut(
    Work& work, const Change& change, std::int64_t seq, std::int64_t fromLeaf,
    bool roundabout) asm("__real__ZN10waystation4sync6fanOutERNS0_4WorkERKNS0_6ChangeEllb");
void wrappedFanOut(
    Work& work, const Change& change, std::int64_t seq, std::int64_t fromLeaf,
    bool roundabout) asm("__wrap__ZN10waystation4sync6fanOutERNS0_4WorkERKNS0_6ChangeEllb");
Change realProjection(Store& store, std::int64_t leaf, const Change& change) asm(
    "__real__ZN10waystation4sync13projectionForERNS_7storage5StoreElRKNS0_6ChangeE");
Change wrappedProjection(Store& store, std::int64_t leaf, const Change& change) asm(
    "__wrap__ZN10waystation4sync13projectionForERNS_7storage5StoreElRKNS0_6ChangeE");
Change realWithoutErased(Work& work, Change change) asm(
    "__real__ZN10waystation4sync13withoutErasedERNS0_4WorkENS0_6ChangeE");
Change wrappedWithoutErased(Work& work, Change change) asm(
    "__wrap__ZN10waystation4sync13withoutErasedERNS0_4WorkENS0_6ChangeE");
bool realTouchesErased(Store& store, const Change& change) asm(
    "__real__ZN10waystation4sync13touchesErasedERNS_7storage5StoreERKNS0_6ChangeE");
bool wrappedTouchesErased(Store& store, const Change& change) asm(
    "__wrap__ZN10waystation4sync13touchesErasedERNS_7storage5StoreERKNS0_6ChangeE");
// NOLINTEND(bugprone-reserved-identifier)

bool wrappedJoinEdit(Record& record, const Change& change, const Edit& edit) {
  if (planted == Fault::kJoinKeepsWhatWasRead) return joinedWithoutForgetting(record, change, edit);
  const bool changed = realJoinEdit(record, change, edit);
  if (planted == Fault::kJoinDropsASibling) {
    for (auto& [name, field] : record.fields) {
      if (field.size() > 1) field.erase(field.begin());
    }
  }
  const auto later = record.fields.find("field_of_a_later_version");
  if (planted == Fault::kJoinAltersAValue && later != record.fields.end()) {
    for (Sibling& sibling : later->second) sibling.value = "\"shorter\"";
  }
  return changed;
}

Change wrappedWithoutErased(Work& work, Change change) {
  if (planted == Fault::kErasedIsLetIn) return change;
  return realWithoutErased(work, std::move(change));
}

bool wrappedTouchesErased(Store& store, const Change& change) {
  return planted != Fault::kErasedIsLetIn && realTouchesErased(store, change);
}

std::int64_t wrappedApply(Work* work, const Change& change, std::int64_t fromLeaf,
                          const Passage& passage) {
  const bool skipped =
      planted == Fault::kHubAnswersBeforeItApplies && fromLeaf != 0 && ++hubApplied % 10 == 0;
  return skipped ? 0 : realApply(work, change, fromLeaf, passage);
}

void wrappedFanOut(Work& work, const Change& change, std::int64_t seq, std::int64_t fromLeaf,
                   bool roundabout) {
  realFanOut(work, change, seq, fromLeaf, roundabout);
  if (planted != Fault::kForeignRootLeaks || work.replica().hasHub()) return;
  Store& store = work.store();
  for (const LeafRow& leaf : store.leaves()) {
    const std::string root = change.edits.front().record.bytes();
    if (change.dot.counter % 5 != 0 || !store.root(root) || store.inScope(leaf.leaf, root))
      continue;
    store.addScope(leaf.leaf, root);
    store.appendFeed(leaf.leaf, FeedType::kEnter, root, 0);
  }
}

Change wrappedProjection(Store& store, std::int64_t leaf, const Change& change) {
  if (planted == Fault::kScopeIsNotCheckedAtAll) return change;
  return realProjection(store, leaf, change);
}

namespace {

bool joinedWithoutForgetting(Record& record, const Change& change, const Edit& edit) {
  const Record before = record;
  const bool changed = realJoinEdit(record, change, edit);
  for (const auto& [name, field] : before.fields) {
    if (name.starts_with('_')) continue;
    for (const Sibling& sibling : field) {
      Field& now = record.fields[name];
      const auto at =
          std::lower_bound(now.begin(), now.end(), sibling,
                           [](const Sibling& a, const Sibling& b) { return a.dot < b.dot; });
      if (at == now.end() || at->dot != sibling.dot) now.insert(at, sibling);
    }
  }
  return changed;
}

// The promises that stories of a few seeds break with this fault.
std::set<std::string> brokenBy(Fault fault) {
  planted = fault;
  std::set<std::string> broken;
  waystation::simulator::Settings settings;
  for (settings.seed = 1; settings.seed <= 8 && broken.empty(); ++settings.seed) {
    const auto outcome = waystation::simulator::lived(settings);
    for (const auto& violation : outcome.violations) broken.insert(violation.rule);
  }
  planted = Fault::kNone;
  return broken;
}

using Rules = std::set<std::string>;

TEST(Simulator, FindsAJoinThatAltersAValue) {
  EXPECT_TRUE(brokenBy(Fault::kJoinAltersAValue).contains("a value is not as it was saved"));
}

TEST(Simulator, FindsWhatComesBackThoughItWasErased) {
  EXPECT_FALSE(brokenBy(Fault::kErasedIsLetIn).empty());
}

TEST(Simulator, LeavesOutOfAStoryWhatDoesNotMatterToWhatItBreaks) {
  planted = Fault::kForeignRootLeaks;
  waystation::simulator::Settings settings;
  settings.offices = 20;
  settings.days = 2;
  const auto outcome = waystation::simulator::lived(settings);
  ASSERT_FALSE(outcome.violations.empty());
  const std::string rule = outcome.violations.front().rule;
  const auto story = waystation::simulator::shortest(settings, outcome.story, rule, 5'000);
  const auto again = waystation::simulator::retold(settings, story);
  planted = Fault::kNone;
  EXPECT_LE(story.size(), 10U) << "of " << outcome.story.size();
  ASSERT_FALSE(again.violations.empty());
  EXPECT_EQ(again.violations.front().rule, rule);
}

TEST(Simulator, FindsNothingWhereNothingIsPlanted) {
  EXPECT_EQ(brokenBy(Fault::kNone), Rules{});
}

TEST(Simulator, FindsAJoinThatDropsASibling) {
  const Rules broken = brokenBy(Fault::kJoinDropsASibling);
  EXPECT_TRUE(broken.contains("a sibling is lost") || broken.contains("digests differ"));
}

TEST(Simulator, FindsAJoinThatKeepsWhatItsWriterHadRead) {
  const Rules broken = brokenBy(Fault::kJoinKeepsWhatWasRead);
  EXPECT_TRUE(broken.contains("a sibling is resurrected") || broken.contains("digests differ"));
}

TEST(Simulator, FindsAHubThatAnswersForWhatItDidNotApply) {
  EXPECT_FALSE(brokenBy(Fault::kHubAnswersBeforeItApplies).empty());
}

TEST(Simulator, FindsARootThatGoesToAnOfficeThatItDoesNotConcern) {
  const Rules broken = brokenBy(Fault::kForeignRootLeaks);
  EXPECT_TRUE(broken.contains("an office is sent what it may not have"));
}

TEST(Simulator, FindsChangesThatAreFedWithEditsOfRecordsOutOfScope) {
  const Rules broken = brokenBy(Fault::kScopeIsNotCheckedAtAll);
  EXPECT_TRUE(broken.contains("an office is sent what it may not have"));
}

}  // namespace

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "tests/model/histories.h"

namespace waystation::model {
namespace {

// WAYSTATION_MODEL_OPERATIONS says how many operations a story has; 9 is all there are.
Settings settingsOf(Join join) {
  Settings settings;
  if (const char* asked = std::getenv("WAYSTATION_MODEL_OPERATIONS")) {
    settings.operations = std::atoi(asked);
  }
  settings.join = std::move(join);
  return settings;
}

// The real join with one comparison turned round: what stands there already is never asked whether
// it has read what comes.
bool forgetfulJoin(sync::Record& record, const sync::Change& change, const sync::Edit& edit) {
  for (const sync::Write& write : edit.writes) {
    sync::Field& field = record.fields[write.field];
    const sync::Sibling fresh{change.dot, write.seen, write.value, change.time, change.author};
    const bool known = std::any_of(field.begin(), field.end(), [&](const sync::Sibling& present) {
      return present.dot == fresh.dot;
    });
    if (known) continue;
    std::erase_if(field, [&](const sync::Sibling& s) { return fresh.replaces(s.dot); });
    const auto at = std::lower_bound(
        field.begin(), field.end(), fresh,
        [](const sync::Sibling& a, const sync::Sibling& b) { return a.dot < b.dot; });
    field.insert(at, fresh);
  }
  return true;
}

TEST(Model, HasOneStateWhateverTheOrderAndLosesNoSibling) {
  const Result result = explored(settingsOf(sync::joinEdit));
  for (const std::string& problem : result.problems) ADD_FAILURE() << problem;
  EXPECT_GT(result.states, 100U);
  std::printf("%llu states, %llu steps, %llu late or repeated changes, %llu orders\n",
              static_cast<unsigned long long>(result.states),
              static_cast<unsigned long long>(result.steps),
              static_cast<unsigned long long>(result.lateChanges),
              static_cast<unsigned long long>(result.orders));
}

TEST(Model, FindsAComparisonTurnedRoundInTheJoin) {
  EXPECT_FALSE(explored(settingsOf(forgetfulJoin)).problems.empty());
}

// The counterexample to the design's first version: 8,382 of 92,058 histories lose a value.
TEST(Model, FindsThatAPlainVersionVectorLosesWhatAStalePageHadNotRead) {
  Settings settings = settingsOf(sync::joinEdit);
  settings.plainVectors = true;
  EXPECT_FALSE(explored(settings).problems.empty());
}

// The real rule with one comparison left out: that a deletion has read each sibling.
bool hiddenByAnyDeletion(const sync::Record& record) {
  const sync::Field* deleted = record.field(sync::kDeletedField);
  return deleted != nullptr &&
         std::all_of(deleted->begin(), deleted->end(), [](const sync::Sibling& sibling) {
           return sync::deletionOf(sibling.value).has_value();
         });
}

TEST(Model, FindsADeletionThatHidesWhatTheDeleterHadNotRead) {
  Settings settings = settingsOf(sync::joinEdit);
  settings.isHidden = hiddenByAnyDeletion;
  EXPECT_FALSE(explored(settings).problems.empty());
}

TEST(Histories, OfOneFieldHaveOneStateOfEachCutWhateverTheOrderAndLoseNoSibling) {
  const HistoryResult result = histories({});
  for (const std::string& problem : result.problems) ADD_FAILURE() << problem;
  EXPECT_EQ(result.orders, 490U);  // of two writes at each of three replicas, but for renaming
  EXPECT_GT(result.histories, 100'000U);
  EXPECT_LT(result.joins, result.merges / 100) << "each join is done once";
}

TEST(Histories, FindAComparisonTurnedRoundInTheJoin) {
  HistorySettings settings;
  settings.writes = {2, 1, 0};
  settings.join = forgetfulJoin;
  EXPECT_FALSE(histories(settings).problems.empty());
}

TEST(Histories, FindThatAPlainVersionVectorLosesWhatAStalePageHadNotRead) {
  HistorySettings settings;
  settings.plainVectors = true;
  EXPECT_FALSE(histories(settings).problems.empty());
}

// The real join, which takes a third write's place in a field where two stand side by side.
bool joinOfTwo(sync::Record& record, const sync::Change& change, const sync::Edit& edit) {
  const bool changed = sync::joinEdit(record, change, edit);
  for (auto& [name, field] : record.fields) {
    if (field.size() > 2) field.erase(field.begin());
  }
  return changed;
}

TEST(Histories, FindAJoinThatKeepsNoMoreThanTwoSiblings) {
  HistorySettings settings;
  settings.join = joinOfTwo;
  EXPECT_FALSE(histories(settings).problems.empty());
}

}  // namespace
}  // namespace waystation::model

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/simulator/story.h"

namespace waystation::simulator {
namespace {

Settings settingsOf(std::uint64_t seed) {
  Settings settings;
  settings.seed = seed;
  return settings;
}

TEST(Simulator, TellsTheSameStoryTwiceFromOneSeed) {
  const Outcome once = lived(settingsOf(7));
  const Outcome twice = lived(settingsOf(7));
  EXPECT_EQ(once.trace, twice.trace);
  EXPECT_EQ(once.faults, twice.faults);
  EXPECT_NE(once.trace, lived(settingsOf(8)).trace);
}

TEST(Simulator, TellsARecordedStoryAgainAsItWas) {
  const Outcome once = lived(settingsOf(9));
  std::vector<Event> story;
  for (const Event& event : once.story) story.push_back(parsedEvent(printed(event)).value());
  EXPECT_EQ(retold(settingsOf(9), story).trace, once.trace);
}

void expectFaults(Settings settings, std::uint64_t seeds, const std::vector<const char*>& kinds) {
  std::map<std::string, std::int64_t> faults;
  for (settings.seed = 1; settings.seed <= seeds; ++settings.seed) {
    for (const auto& [kind, count] : lived(settings).faults) faults[kind] += count;
  }
  for (const char* kind : kinds) EXPECT_GT(faults[kind], 0) << kind;
}

TEST(Simulator, InjectsEveryKindOfFault) {
  expectFaults(settingsOf(1), 20,
               {"answer cut",
                "answer lost",
                "request cut",
                "request in parts",
                "late request",
                "repeated request",
                "later version",
                "clock set back",
                "clock set forward",
                "restart",
                "restore",
                "crash while saving",
                "crash of a hub in an exchange",
                "crash of a leaf in an exchange",
                "hand-over",
                "stale save",
                "deletion",
                "restoral",
                "erasure",
                "list of erasures lost",
                "lie in a request",
                "older answer"});
}

TEST(Simulator, InjectsWhatGoesBackwardsAndRoamsWhereAsked) {
  Settings settings = settingsOf(1);
  settings.backwards = true;
  settings.hostile = 1;
  expectFaults(
      settings, 12,
      {"clone", "failover of headquarters", "restore of headquarters", "attack: forges a dot"});
  settings.backwards = false;
  settings.roaming = true;
  settings.phones = 5;
  expectFaults(settings, 4, {"phone at another office"});
}

// A checker that were always content would not be noticed otherwise.
TEST(Ledger, ExpectsWhatNobodyReadWhoSavedLater) {
  Ledger ledger;
  ledger.saved(1, 0, 10, "need", {});
  ledger.saved(2, 1, 10, "need", {1});
  ledger.saved(3, 2, 10, "need", {1});
  EXPECT_EQ(ledger.expected(10, "need"), (Ledger::Saves{2, 3}));
  ledger.saved(4, 0, 10, "need", {2, 3});
  EXPECT_EQ(ledger.expected(10, "need"), (Ledger::Saves{4}));
  ledger.lost(4, {10, "need"});
  EXPECT_EQ(ledger.expected(10, "need"), (Ledger::Saves{2, 3}));
}

TEST(Ledger, HidesWhatWasDeletedBySomebodyWhoHadReadItAll) {
  Ledger ledger;
  ledger.saved(1, 0, 10, "need", {});
  ledger.saved(2, 0, 10, "_deleted", {});
  ledger.deleted(2, 10, {{"need", {1}}});
  EXPECT_TRUE(ledger.hidden(10));
  ledger.saved(3, 1, 10, "need", {1});
  EXPECT_FALSE(ledger.hidden(10)) << "an edit that the deleter had not read";
  ledger.saved(4, 0, 10, "_deleted", {2});
  ledger.deleted(4, 10, {{"need", {3}}});
  EXPECT_TRUE(ledger.hidden(10));
  ledger.saved(5, 2, 10, "_deleted", {2});
  EXPECT_FALSE(ledger.hidden(10)) << "restored apart from it";
}

TEST(Ledger, TakesWhoReadAValueToHaveReadWhatItsWriterRead) {
  Ledger ledger;
  ledger.saved(1, 0, 10, "need", {});
  ledger.saved(2, 0, 10, "need", {1});
  ledger.saved(3, 0, 10, "need", {2});
  ledger.lost(2, {10, "need"});
  EXPECT_EQ(ledger.expected(10, "need"), (Ledger::Saves{3}));
}

TEST(Grants, LetARootBringWhatItNamesAndNothingElse) {
  Grants grants;
  grants.named(1, 2);
  grants.named(2, 3);
  grants.meant(7, 1);
  EXPECT_TRUE(grants.everMeant(7, 3));
  EXPECT_FALSE(grants.everMeant(8, 1));
  EXPECT_EQ(grants.withNamed({2}), (std::set<std::int64_t>{2, 3}));
}

}  // namespace
}  // namespace waystation::simulator

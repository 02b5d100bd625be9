#include "sync/clock.h"

#include <gtest/gtest.h>

#include "tests/support/sync_nodes.h"

namespace waystation::sync {
namespace {

using testing::enrol;
using testing::exchange;
using testing::exchangeAll;
using testing::ManualClock;
using testing::TestNode;

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kTenYearsMs = 3650 * 24 * kHourMs;

TEST(Clock, OfSomebodyTenYearsAheadMovesOursByAnHourAtMost) {
  ManualClock now;
  HybridClock clock(now, 0);
  clock.next();
  clock.observe(static_cast<HybridTime>(now.nowMs() + kTenYearsMs) << 16);
  EXPECT_EQ(physicalMs(clock.next()), now.nowMs() + kHourMs);
}

TEST(Clock, SteppingBackStillGivesTimesThatGrow) {
  ManualClock now;
  HybridClock clock(now, 0);
  const HybridTime before = clock.next();
  now.set(0);
  const HybridTime after = clock.next();
  EXPECT_GT(after, before);
  EXPECT_GT(clock.next(), after);
  now.set(-5);  // before 1970
  EXPECT_GT(HybridClock(now, 0).next(), 0U);
}

// Ten years ahead, in 1970, and back again while they exchange: no save is refused for it, what
// somebody read is before what they wrote on top of it, and each side knows how far it is off.
TEST(Clock, WhereverItStandsRefusesNothingAndTurnsNoOrder) {
  TestNode hq("HQ", false, 1);
  TestNode nairobi("NBO", true, 2);
  TestNode mombasa("MBA", true, 3);
  enrol(hq, nairobi);
  enrol(hq, mombasa);
  const std::int64_t now = hq.clock().nowMs();
  nairobi.clock().set(now + kTenYearsMs);
  mombasa.clock().set(0);
  const RecordId id =
      nairobi.create("case_file", {{"status", "\"opened in ten years\""}, {"need", "\"shelter\""}});
  exchangeAll(hq, nairobi);
  hq.edit(id, "_scope", "[\"MBA\"]");
  exchangeAll(hq, mombasa);
  mombasa.edit(id, "status", "\"seen in 1970\"");
  EXPECT_EQ(exchange(hq, mombasa).clockOffsetMs, now + 1 - mombasa.clock().nowMs());
  nairobi.clock().set(now - kTenYearsMs);  // somebody sets it right, and more
  exchangeAll(hq, nairobi);
  nairobi.edit(id, "status", "\"seen again\"");
  exchangeAll(hq, nairobi);
  exchangeAll(hq, mombasa);
  for (TestNode* node : {&hq, &nairobi, &mombasa}) {
    EXPECT_EQ(node->record(id)->value("status"), "\"seen again\"") << node->name();
    EXPECT_EQ(node->record(id)->field("status")->size(), 1U) << node->name();
  }
  EXPECT_TRUE(hq.quarantine().empty());
  EXPECT_EQ(exchange(hq, nairobi).agreement, Agreement::kAgree);
}

TEST(Clock, IsPrintedInUtcWithMilliseconds) {
  EXPECT_EQ(formatTime(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(formatTime(1'795'461'960'007), "2026-11-23T19:26:00.007Z");
}

}  // namespace
}  // namespace waystation::sync

#include "tests/simulator/crash.h"

#include <gtest/gtest.h>

#include <functional>

#include "crypto/failure.h"
#include "sync/healing.h"

namespace waystation::simulator {
namespace {

using testing::enrol;
using testing::exchangeAll;
using testing::TestNode;

// What the store says of itself: digests fit the states, and the journal makes the same states.
void expectWhole(TestNode& node) {
  const storage::Connections::Lease writer = node.connections().writer();
  sync::Work work(node.replica(), *writer);
  EXPECT_EQ(sync::checkSomeRoots(work, 1'000'000), 0U) << node.name();
  std::vector<sync::RecordId> ids;
  work.store().eachRecord(
      [&](const storage::RecordRow& row) { ids.push_back(sync::RecordId::fromBytes(row.id)); });
  for (const sync::RecordId& id : ids) EXPECT_FALSE(work.rebuild(id)) << node.name();
}

// Runs a deed again and again, the process dying so many steps of the store later each time, until
// it is through.
void dieAtEveryStep(TestNode& node, int stride, const std::function<void()>& deed,
                    const std::function<void()>& check) {
  for (int steps = 1;; steps += stride) {
    ASSERT_LT(steps, 1'000'000);
    bool died = false;
    {
      const Crash crash(node, steps);
      try {
        deed();
      } catch (const Failure&) {
        EXPECT_TRUE(crash.happened());
      }
      died = crash.happened();
    }
    if (!died) return;
    node.restart();
    check();
  }
}

TEST(Crash, AtAnyStepOfASaveLeavesItWholeOrNotAtAll) {
  TestNode office("NBO", true, 2);
  const sync::RecordId id = office.create("case_file", {{"status", "\"0\""}});
  int saved = 0;
  dieAtEveryStep(
      office, 1, [&] { office.edit(id, "status", "\"" + std::to_string(++saved) + "\""); },
      [&] { expectWhole(office); });
  EXPECT_EQ(office.record(id)->value("status"), "\"" + std::to_string(saved) + "\"");
  expectWhole(office);
}

TEST(Crash, AtManyStepsOfAnExchangeLosesNothingAtEitherEnd) {
  for (const bool atHub : {false, true}) {
    TestNode hq("HQ", false, 1);
    TestNode office("NBO", true, 2);
    enrol(hq, office);
    const sync::RecordId down =
        hq.create("case_file", {{"_custody", "\"NBO\""}, {"status", "\"0\""}});
    const sync::RecordId up = office.create("person", {{"name", "\"0\""}});
    TestNode& victim = atHub ? hq : office;
    int tries = 0;
    dieAtEveryStep(
        victim, 997,
        [&] {
          ++tries;
          exchangeAll(hq, office);
        },
        [&] {
          expectWhole(victim);
          hq.edit(down, "status", "\"" + std::to_string(tries) + "\"");
          office.edit(up, "name", "\"" + std::to_string(tries) + "\"");
        });
    exchangeAll(hq, office);
    EXPECT_EQ(exchangeAll(hq, office).agreement, sync::Agreement::kAgree);
    EXPECT_EQ(office.record(down)->value("status"), "\"" + std::to_string(tries - 1) + "\"");
    EXPECT_EQ(hq.record(up)->value("name"), "\"" + std::to_string(tries - 1) + "\"");
    expectWhole(hq);
    expectWhole(office);
  }
}

}  // namespace
}  // namespace waystation::simulator

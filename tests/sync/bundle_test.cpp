#include "sync/bundle.h"

#include <gtest/gtest.h>

#include "crypto/failure.h"
#include "tests/support/bundle_pair.h"

namespace waystation::sync {
namespace {

using testing::atHub;
using testing::atLeaf;
using testing::enrol;
using testing::exchange;
using testing::exchangeAll;
using testing::readDown;
using testing::readUp;
using testing::Stick;
using testing::TestNode;
using testing::writeDown;
using testing::writeUp;
using State = BundleRead::State;

struct Pair {
  TestNode hq{"HQ", false, 1};
  TestNode office{"NBO", true, 2};

  Pair() { enrol(hq, office); }
  RecordId caseAtHq(const std::string& status = "\"new\"") {
    return hq.create("case_file", {{"_custody", "\"NBO\""}, {"status", status}});
  }
  BundleRead up() { return readUp(hq, writeUp(office, hq)); }
  BundleRead down() { return readDown(office, hq, writeDown(hq, office)); }
  // As often as two nodes that have nothing more to say need.
  void settle() {
    up();
    down();
    up();
    down();
  }
  std::int64_t unacknowledged() {
    const storage::Connections::Lease reader = office.connections().reader();
    storage::Store store(*reader);
    return store.countUpwardAfter(readLeafState(store).acknowledgedSeq);
  }
  FeedCursor feed() {
    const storage::Connections::Lease reader = office.connections().reader();
    storage::Store store(*reader);
    return readLeafState(store).feed;
  }
  std::uint64_t feedAcked() {
    const storage::Connections::Lease reader = hq.connections().reader();
    return storage::Store(*reader).leafByName("NBO")->feedAcked;
  }
  std::size_t keptAt(TestNode& node) {
    const storage::Connections::Lease reader = node.connections().reader();
    return storage::Store(*reader).keptBundles().size();
  }
  // The link says the same as the sticks did, and has nothing to send.
  void expectAgreementByLink() {
    const ExchangeOutcome first = exchange(hq, office);
    EXPECT_EQ(first.changesUp, 0U);
    EXPECT_EQ(first.changesDown, 0U);
    EXPECT_EQ(first.rootsEntered, 0U);
    EXPECT_EQ(exchangeAll(hq, office).agreement, Agreement::kAgree);
    EXPECT_EQ(hq.digest(), office.digest());
  }
};

TEST(Bundle, TwoNodesThatExchangeOnlyByBundlesAgree) {
  Pair pair;
  const RecordId fromHq = pair.caseAtHq();
  const RecordId fromOffice = pair.office.create("person", {{"name", "\"Hawa\""}});
  pair.settle();
  EXPECT_TRUE(pair.hq.record(fromOffice));
  ASSERT_TRUE(pair.office.record(fromHq));
  pair.office.edit(fromHq, "status", "\"open\"");
  pair.hq.edit(fromOffice, "name", "\"Hawa B.\"");
  pair.settle();
  EXPECT_EQ(pair.hq.record(fromHq)->value("status"), "\"open\"");
  EXPECT_EQ(pair.office.record(fromOffice)->value("name"), "\"Hawa B.\"");
  EXPECT_EQ(pair.hq.digest(), pair.office.digest());
  EXPECT_EQ(pair.up().agreement, Agreement::kAgree);
  EXPECT_EQ(pair.down().agreement, Agreement::kAgree);
  pair.expectAgreementByLink();
}

TEST(Bundle, WritingMovesNoCursorAndALostOneIsMadeGoodByTheNext) {
  Pair pair;
  const RecordId id = pair.office.create("person", {{"name", "\"Hawa\""}});
  writeUp(pair.office, pair.hq);  // lost
  EXPECT_EQ(pair.unacknowledged(), 1);
  writeDown(pair.hq, pair.office);  // lost too
  EXPECT_EQ(pair.feedAcked(), 0U);
  EXPECT_EQ(pair.up().changes, 1U);
  EXPECT_TRUE(pair.hq.record(id));
  EXPECT_EQ(pair.unacknowledged(), 1);  // until the acknowledgement has come back
  EXPECT_TRUE(pair.down().acknowledged);
  EXPECT_EQ(pair.unacknowledged(), 0);
  EXPECT_EQ(writeUp(pair.office, pair.hq).written.changes, 0U);
}

TEST(Bundle, ReadTwiceChangesNothingAndSaysSo) {
  Pair pair;
  pair.caseAtHq();
  pair.office.create("person", {{"name", "\"Hawa\""}});
  const Stick up = writeUp(pair.office, pair.hq);
  EXPECT_EQ(readUp(pair.hq, up).state, State::kApplied);
  const StateSum atHq = pair.hq.digest();
  const BundleRead again = readUp(pair.hq, up);
  EXPECT_EQ(again.state, State::kReadBefore);
  EXPECT_EQ(again.readBeforeMs, pair.hq.clock().nowMs());
  EXPECT_EQ(pair.hq.digest(), atHq);
  const Stick down = writeDown(pair.hq, pair.office);
  EXPECT_EQ(readDown(pair.office, pair.hq, down).state, State::kApplied);
  EXPECT_EQ(readDown(pair.office, pair.hq, down).state, State::kReadBefore);
  pair.settle();
  pair.expectAgreementByLink();
}

TEST(Bundle, AnOldOneReadAfterALaterOneChangesNothing) {
  Pair pair;
  const RecordId id = pair.office.create("person", {{"name", "\"A\""}});
  const Stick firstUp = writeUp(pair.office, pair.hq);
  pair.office.edit(id, "name", "\"B\"");
  const RecordId given = pair.caseAtHq();
  const Stick firstDown = writeDown(pair.hq, pair.office);
  pair.hq.edit(given, "status", "\"open\"");
  pair.settle();
  EXPECT_EQ(readUp(pair.hq, firstUp).state, State::kNothingNew);
  EXPECT_EQ(readDown(pair.office, pair.hq, firstDown).state, State::kNothingNew);
  EXPECT_EQ(pair.hq.record(id)->value("name"), "\"B\"");
  EXPECT_EQ(pair.office.record(given)->value("status"), "\"open\"");
  EXPECT_EQ(pair.unacknowledged(), 0);
  pair.expectAgreementByLink();
}

TEST(Bundle, AnOldOneReadAfterTheLinkCameBackMovesNothingBack) {
  Pair pair;
  const RecordId id = pair.caseAtHq();
  pair.office.create("person", {{"name", "\"A\""}});
  const Stick up = writeUp(pair.office, pair.hq);
  const Stick down = writeDown(pair.hq, pair.office);
  exchangeAll(pair.hq, pair.office);
  pair.office.edit(id, "status", "\"open\"");
  pair.hq.edit(id, "priority", "\"high\"");
  exchangeAll(pair.hq, pair.office);
  const FeedCursor feed = pair.feed();
  const std::uint64_t acked = pair.feedAcked();
  readUp(pair.hq, up);
  readDown(pair.office, pair.hq, down);
  EXPECT_EQ(pair.feed(), feed);
  EXPECT_EQ(pair.feedAcked(), acked);
  EXPECT_EQ(pair.unacknowledged(), 0);
  pair.expectAgreementByLink();
}

TEST(Bundle, ThatOverlapsWhatCameByTheLinkAddsTheRest) {
  Pair pair;
  std::vector<RecordId> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(pair.caseAtHq());
  exchangeAll(pair.hq, pair.office);
  for (int i = 0; i < 5; ++i) ids.push_back(pair.caseAtHq());
  exchange(pair.hq, pair.office);  // brings these, and is not acknowledged yet
  for (int i = 0; i < 5; ++i) ids.push_back(pair.caseAtHq());
  pair.hq.edit(ids[7], "status", "\"open\"");
  EXPECT_EQ(pair.down().state, State::kApplied);
  for (const RecordId& id : ids) EXPECT_TRUE(pair.office.record(id));
  EXPECT_EQ(pair.office.record(ids[7])->value("status"), "\"open\"");
  pair.settle();
  pair.expectAgreementByLink();
}

TEST(Bundle, InPartsReadInTheWrongOrderWaitForTheirTurn) {
  Pair pair;
  BundleTerms terms;
  terms.mostBytes = 1;
  terms.partBytes = 500;
  for (int i = 0; i < 30; ++i) pair.office.create("person", {{"name", "\"a longer name\""}});
  for (int i = 0; i < 30; ++i) pair.caseAtHq();
  const auto allOf = [&](BundleSeries series) {
    std::vector<Stick> sticks;
    do {
      sticks.emplace_back();
      sticks.back().written = series.write(testing::sinkInto(sticks.back().bytes));
    } while (sticks.back().written.more);
    return sticks;
  };
  const std::vector<Stick> up = allOf({atLeaf(pair.office, pair.hq), "HQ", terms});
  ASSERT_GE(up.size(), 3U);
  for (std::size_t i = up.size(); i-- > 1;) {
    EXPECT_EQ(readUp(pair.hq, up[i]).state, State::kKeptAside);
  }
  EXPECT_EQ(readUp(pair.hq, up[1]).state, State::kKeptAside);  // twice is once
  EXPECT_EQ(pair.keptAt(pair.hq), up.size() - 1);
  EXPECT_EQ(readUp(pair.hq, up[0]).keptApplied, up.size() - 1);
  EXPECT_EQ(pair.keptAt(pair.hq), 0U);
  const std::vector<Stick> down = allOf({atHub(pair.hq), "NBO", terms});
  ASSERT_GE(down.size(), 3U);
  for (std::size_t i = down.size(); i-- > 1;) {
    EXPECT_EQ(readDown(pair.office, pair.hq, down[i]).state, State::kKeptAside);
  }
  EXPECT_EQ(readDown(pair.office, pair.hq, down[0]).keptApplied, down.size() - 1);
  EXPECT_EQ(pair.unacknowledged(), 0);
  EXPECT_EQ(pair.up().agreement, Agreement::kAgree);
  pair.expectAgreementByLink();
}

TEST(Bundle, AHubThatWasPutBackAsksAgainForWhatItLost) {
  Pair pair;
  pair.office.create("person", {{"name", "\"A\""}});
  pair.settle();
  const std::string backup = pair.hq.copyOfStore();
  const RecordId lost = pair.office.create("person", {{"name", "\"B\""}});
  pair.settle();
  EXPECT_EQ(pair.unacknowledged(), 0);
  pair.hq.startOnCopy(backup);
  const RecordId later = pair.office.create("person", {{"name", "\"C\""}});
  const BundleRead early = pair.up();
  EXPECT_EQ(early.state, State::kKeptAside);
  EXPECT_TRUE(early.asksAgain);
  EXPECT_TRUE(pair.down().asksAgain);
  pair.settle();
  EXPECT_TRUE(pair.hq.record(lost));
  EXPECT_TRUE(pair.hq.record(later));
  EXPECT_EQ(pair.keptAt(pair.hq), 0U);
  pair.expectAgreementByLink();
}

TEST(Bundle, AnOfficeThatWasPutBackGetsWhatItLost) {
  Pair pair;
  const RecordId first = pair.caseAtHq();
  pair.settle();
  const std::string backup = pair.office.copyOfStore();
  const RecordId given = pair.caseAtHq();
  pair.office.edit(first, "status", "\"open\"");
  pair.settle();
  pair.office.startOnCopy(backup);
  EXPECT_EQ(pair.down().state, State::kKeptAside);
  pair.settle();
  pair.settle();
  EXPECT_TRUE(pair.office.record(given));
  ASSERT_TRUE(pair.office.record(first));
  EXPECT_EQ(pair.office.record(first)->value("status"), "\"open\"");
  EXPECT_EQ(pair.hq.digest(), pair.office.digest());
}

TEST(Bundle, ConflictsHandOversAndWhatIsKeptAsideTravelByStick) {
  Pair pair;
  TestNode other{"MBA", true, 3};
  enrol(pair.hq, other);
  const RecordId id = pair.caseAtHq();
  pair.settle();
  pair.office.edit(id, "status", "\"open\"");
  pair.hq.edit(id, "status", "\"closed\"");
  pair.settle();
  EXPECT_EQ(pair.office.record(id)->field("status")->size(), 2U);
  EXPECT_EQ(pair.hq.record(id)->field("status")->size(), 2U);
  pair.hq.edit(id, "_custody", "\"MBA\"");
  EXPECT_EQ(pair.down().rootsLeft, 1U);
  EXPECT_FALSE(pair.office.record(id));
  EXPECT_EQ(readDown(other, pair.hq, writeDown(pair.hq, other)).rootsEntered, 1U);
  EXPECT_TRUE(other.record(id));
  pair.settle();
  EXPECT_EQ(exchangeAll(pair.hq, pair.office).agreement, Agreement::kAgree);
}

TEST(Bundle, FromARevokedOfficeIsRefusedAndOneForItIsNotWritten) {
  Pair pair;
  pair.office.create("person", {{"name", "\"A\""}});
  const Stick up = writeUp(pair.office, pair.hq);
  {
    const storage::Connections::Lease writer = pair.hq.connections().writer();
    Work work(pair.hq.replica(), *writer);
    storage::LeafRow leaf = *work.store().leafByName("NBO");
    leaf.revoked = true;
    work.store().putLeaf(leaf);
    work.commit();
  }
  const StateSum before = pair.hq.digest();
  try {
    readUp(pair.hq, up);
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), "bundle.sender-revoked");
  }
  EXPECT_EQ(pair.hq.digest(), before);
  EXPECT_THROW(writeDown(pair.hq, pair.office), Failure);
}

}  // namespace
}  // namespace waystation::sync

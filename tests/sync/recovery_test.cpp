#include <gtest/gtest.h>

#include "crypto/failure.h"
#include "tests/support/sync_nodes.h"

namespace waystation::sync {
namespace {

using testing::Cut;
using testing::enrol;
using testing::exchange;
using testing::exchangeAll;
using testing::exchangeCut;
using testing::TestNode;

struct Pair {
  TestNode hq{"HQ", false, 11};
  TestNode office{"NBO", true, 12};

  Pair() { enrol(hq, office); }
  void expectEqual() {
    exchangeAll(hq, office);
    EXPECT_EQ(exchangeAll(hq, office).agreement, Agreement::kAgree);
    EXPECT_TRUE(hq.quarantine().empty());
  }
};

std::string codeOf(const std::function<void()>& act) {
  try {
    act();
  } catch (const Failure& failure) {
    return failure.code();
  }
  return "";
}

std::int64_t journalSize(TestNode& node) {
  const storage::Connections::Lease reader = node.connections().reader();
  storage::Statement count = reader->statement("SELECT count(*) FROM journal");
  count.step();
  return count.integer(0);
}

// Something to send on both sides: changes up, an ENTER, a CHANGE and a LEAVE down.
struct Busy : Pair {
  Busy() {
    const RecordId leaving = office.create("case_file", {{"status", "\"old\""}});
    const RecordId shared = hq.create("case_file", {{"_custody", "\"NBO\""}, {"a", "\"1\""}});
    exchangeAll(hq, office);
    hq.edit(leaving, "_custody", "\"MBA\"");
    hq.edit(shared, "a", "\"hq\"");
    hq.create("notice", {{"_scope", "\"all\""}, {"text", "\"read me\""}});
    office.edit(shared, "a", "\"office\"");
    office.edit(leaving, "status", "\"late\"");
    office.create("person", {{"name", "\"A\""}});
  }
};

TEST(Recovery, FromACutAtEveryByteOfTheRequestLosesAndDoublesNothing) {
  std::int64_t expected = 0;
  for (std::size_t at = 0;; ++at) {
    Busy nodes;
    const bool whole = exchangeCut(nodes.hq, nodes.office, {.requestBytes = at});
    nodes.expectEqual();
    ASSERT_FALSE(HasFailure()) << "cut at " << at;
    if (at == 0) expected = journalSize(nodes.hq);
    ASSERT_EQ(journalSize(nodes.hq), expected) << "cut at " << at;
    if (whole) break;
  }
}

TEST(Recovery, FromACutAtEveryByteOfTheAnswerLosesAndDoublesNothing) {
  std::int64_t expected = 0;
  for (std::size_t at = 0;; ++at) {
    Busy nodes;
    const bool whole = exchangeCut(nodes.hq, nodes.office, {.answerBytes = at});
    nodes.expectEqual();
    ASSERT_FALSE(HasFailure()) << "cut at " << at;
    if (at == 0) expected = journalSize(nodes.office);
    ASSERT_EQ(journalSize(nodes.office), expected) << "cut at " << at;
    if (whole) break;
  }
}

TEST(Recovery, OfALostAcknowledgementSendsTheSameAgainWithoutHarm) {
  Pair nodes;
  const RecordId id = nodes.office.create("person", {{"name", "\"A\""}});
  exchangeCut(nodes.hq, nodes.office, {.answerBytes = 0});
  nodes.office.edit(id, "name", "\"B\"");
  nodes.expectEqual();
  EXPECT_EQ(nodes.hq.record(id)->value("name"), "\"B\"");
  EXPECT_EQ(journalSize(nodes.hq), 2);
}

TEST(Recovery, OfAnEmptyHeadquartersBringsEverythingFromTheOffice) {
  Pair nodes;
  const RecordId id = nodes.office.create("person", {{"name", "\"A\""}});
  exchangeAll(nodes.hq, nodes.office);
  nodes.office.restart();
  nodes.office.edit(id, "name", "\"B\"");
  exchangeAll(nodes.hq, nodes.office);
  nodes.office.restart();
  nodes.office.edit(id, "phone", "\"1\"");

  TestNode fresh("HQ", false, 99);
  enrol(fresh, nodes.office);
  EXPECT_TRUE(exchange(fresh, nodes.office).rewound);
  EXPECT_EQ(exchangeAll(fresh, nodes.office).agreement, Agreement::kAgree);
  EXPECT_EQ(fresh.record(id)->value("name"), "\"B\"");
  EXPECT_EQ(fresh.record(id)->value("phone"), "\"1\"");
  EXPECT_EQ(fresh.digest(), nodes.office.digest());
}

// The office has gone on under a new incarnation: what comes before has to be asked for first.
TEST(Recovery, OfAnOlderHeadquartersAsksForWhatItLostBeforeWhatFollows) {
  Pair nodes;
  const RecordId id = nodes.office.create("person", {{"name", "\"A\""}});
  exchangeAll(nodes.hq, nodes.office);
  const std::string backup = nodes.hq.copyOfStore();
  nodes.office.edit(id, "phone", "\"lost at headquarters\"");
  exchangeAll(nodes.hq, nodes.office);
  nodes.hq.startOnCopy(backup);
  nodes.office.restart();
  nodes.office.edit(id, "name", "\"B\"");
  EXPECT_TRUE(exchange(nodes.hq, nodes.office).rewound);
  nodes.expectEqual();
  EXPECT_EQ(nodes.hq.record(id)->value("phone"), "\"lost at headquarters\"");
  EXPECT_EQ(nodes.hq.record(id)->value("name"), "\"B\"");
}

TEST(Recovery, OfAnOlderHeadquartersNeedsNothingNewFromTheOffice) {
  Pair nodes;
  const RecordId id = nodes.office.create("person", {{"name", "\"A\""}});
  exchangeAll(nodes.hq, nodes.office);
  const std::string backup = nodes.hq.copyOfStore();
  nodes.office.edit(id, "name", "\"B\"");
  nodes.hq.create("notice", {{"_scope", "\"all\""}});
  exchangeAll(nodes.hq, nodes.office);
  nodes.hq.startOnCopy(backup);
  exchangeAll(nodes.hq, nodes.office);
  EXPECT_EQ(nodes.hq.record(id)->value("name"), "\"B\"");
}

TEST(Recovery, OfAnOlderOfficeBringsItsOwnLostChangesHomeThoughItWritesNothing) {
  Pair nodes;
  const RecordId id = nodes.office.create("person", {{"name", "\"A\""}});
  exchangeAll(nodes.hq, nodes.office);
  const std::string backup = nodes.office.copyOfStore();
  nodes.office.edit(id, "name", "\"B\"");
  exchangeAll(nodes.hq, nodes.office);
  nodes.office.startOnCopy(backup);
  EXPECT_EQ(nodes.office.record(id)->value("name"), "\"A\"");
  nodes.expectEqual();
  EXPECT_EQ(nodes.office.record(id)->value("name"), "\"B\"");
  EXPECT_EQ(exchange(nodes.hq, nodes.office).rootsEntered, 0U) << "and only once";
}

TEST(Recovery, OfAnOlderOfficeKeepsWhatItWroteMeanwhileBesideWhatItLost) {
  Pair nodes;
  const RecordId id = nodes.office.create("person", {{"name", "\"A\""}});
  exchangeAll(nodes.hq, nodes.office);
  const std::string backup = nodes.office.copyOfStore();
  nodes.office.restart();  // what is lost was written under another incarnation
  nodes.office.edit(id, "name", "\"B\"");
  exchangeAll(nodes.hq, nodes.office);
  nodes.office.startOnCopy(backup);
  nodes.office.edit(id, "name", "\"C\"");
  nodes.expectEqual();
  EXPECT_EQ(nodes.office.record(id)->field("name")->size(), 2U);
  EXPECT_EQ(exchange(nodes.hq, nodes.office).rootsEntered, 0U) << "and only once";
}

TEST(Recovery, OfAnOlderOfficeBringsHomeWhatItLostThoughTheFirstAnswerIsNeverMade) {
  Pair nodes;
  const RecordId id = nodes.office.create("person", {{"name", "\"A\""}});
  exchangeAll(nodes.hq, nodes.office);
  const std::string backup = nodes.office.copyOfStore();
  nodes.office.edit(id, "name", "\"B\"");
  exchangeAll(nodes.hq, nodes.office);
  nodes.office.startOnCopy(backup);
  nodes.office.edit(id, "phone", "\"1\"");
  {
    LeafExchange up(nodes.office.replica(), nodes.office.connections(), nodes.office.key());
    HubExchange down(nodes.hq.replica(), nodes.hq.connections(), "NBO");
    down.receive(up.request());
  }
  nodes.expectEqual();
  EXPECT_EQ(nodes.office.record(id)->value("name"), "\"B\"");
}

// The copy was made before the office had ever exchanged: what it holds is at the hub all the same.
TEST(Recovery, OfAnOlderOfficeThatHoldsSavesNotYetAcknowledgedThenComesToAnEnd) {
  Pair nodes;
  const RecordId id = nodes.office.create("person", {{"name", "\"A\""}});
  const std::string backup = nodes.office.copyOfStore();
  nodes.office.edit(id, "name", "\"B\"");
  exchangeAll(nodes.hq, nodes.office);
  nodes.office.startOnCopy(backup);
  nodes.expectEqual();
  EXPECT_EQ(nodes.office.record(id)->value("name"), "\"B\"");
  EXPECT_EQ(exchange(nodes.hq, nodes.office).changesUp, 0U) << "nothing is sent for ever";
  EXPECT_EQ(exchange(nodes.hq, nodes.office).rootsEntered, 0U);
}

TEST(Recovery, OfAnOlderOfficeTakesAwayAgainWhatWasHandedOverSince) {
  Pair nodes;
  const RecordId id = nodes.office.create("case_file", {{"status", "\"open\""}});
  exchangeAll(nodes.hq, nodes.office);
  const std::string backup = nodes.office.copyOfStore();
  nodes.hq.edit(id, "_custody", "\"MBA\"");
  exchangeAll(nodes.hq, nodes.office);
  ASSERT_FALSE(nodes.office.record(id));
  nodes.office.startOnCopy(backup);
  ASSERT_TRUE(nodes.office.record(id));
  exchangeAll(nodes.hq, nodes.office);
  EXPECT_FALSE(nodes.office.record(id));
}

TEST(Recovery, OfAClonedOfficeKeepsTheWorkOfBothBoxes) {
  Pair nodes;
  const RecordId id = nodes.office.create("person", {{"name", "\"A\""}});
  exchangeAll(nodes.hq, nodes.office);
  const std::string image = nodes.office.copyOfStore();
  nodes.office.restart();
  nodes.office.edit(id, "name", "\"first box\"");
  exchangeAll(nodes.hq, nodes.office);
  const std::string firstBox = nodes.office.copyOfStore();
  nodes.office.startOnCopy(image);
  nodes.office.edit(id, "phone", "\"second box\"");
  exchangeAll(nodes.hq, nodes.office);
  EXPECT_EQ(nodes.office.record(id)->value("name"), "\"first box\"");
  nodes.office.startOnCopy(firstBox);
  nodes.office.edit(id, "need", "\"first again\"");
  exchangeAll(nodes.hq, nodes.office);
  for (TestNode* node : {&nodes.hq, &nodes.office}) {
    EXPECT_EQ(node->record(id)->value("name"), "\"first box\"");
    EXPECT_EQ(node->record(id)->value("phone"), "\"second box\"");
    EXPECT_EQ(node->record(id)->value("need"), "\"first again\"");
  }
}

// The chain of an office reaches back over what it no longer may hold.
TEST(Recovery, OfAnEmptyHeadquartersGetsPastChangesThatWereHandedOverWithTheirCase) {
  Pair nodes;
  const RecordId gone = nodes.office.create("case_file", {{"status", "\"open\""}});
  const RecordId kept = nodes.office.create("person", {{"name", "\"A\""}});
  exchangeAll(nodes.hq, nodes.office);
  nodes.hq.edit(gone, "_custody", "\"MBA\"");
  exchangeAll(nodes.hq, nodes.office);
  ASSERT_FALSE(nodes.office.record(gone));
  nodes.office.edit(kept, "name", "\"B\"");

  TestNode fresh("HQ", false, 99);
  enrol(fresh, nodes.office);
  EXPECT_EQ(exchangeAll(fresh, nodes.office).agreement, Agreement::kAgree);
  EXPECT_EQ(fresh.record(kept)->value("name"), "\"B\"");
}

// A machine set back without a restart: two changes bear one name, and neither side guesses.
TEST(Recovery, OfAMachineSetBackWhileItRanIsRefusedAloud) {
  TestNode hq("HQ", false, 11);
  TestNode office("NBO", true, 12);
  enrol(hq, office);
  const RecordId id = office.create("person", {{"name", "\"A\""}});
  exchangeAll(hq, office);
  TestNode twin("NBO", true, 12);  // the same seed draws the same incarnation
  ASSERT_EQ(twin.replica().incarnation(), office.replica().incarnation());
  twin.startOnCopy(office.copyOfStore());
  office.edit(id, "name", "\"B\"");
  exchangeAll(hq, office);

  // On the same incarnation, the twin's second change is another one.
  TestNode other("NBO", true, 12);
  other.create("person", {{"name", "\"A\""}});
  other.create("person", {{"name", "\"another second\""}});
  EXPECT_EQ(codeOf([&] { exchange(hq, other); }), "sync.chain-broken");
  EXPECT_EQ(hq.record(id)->value("name"), "\"B\"");
}

TEST(Recovery, OfAMachineThatLacksItsOwnNewestChangesIsRefusedAloud) {
  TestNode hq("HQ", false, 11);
  TestNode office("NBO", true, 12);
  enrol(hq, office);
  const RecordId id = office.create("person", {{"name", "\"A\""}});
  exchangeAll(hq, office);
  office.edit(id, "name", "\"B\"");
  exchangeAll(hq, office);
  TestNode behind("NBO", true, 12);
  behind.create("person", {{"name", "\"A\""}});
  EXPECT_EQ(codeOf([&] { exchange(hq, behind); }), "sync.forked");
}

TEST(Recovery, OfARevokedOfficeIsRefusedUntilItIsEnrolledAgain) {
  Pair nodes;
  nodes.office.create("person", {{"name", "\"A\""}});
  {
    const storage::Connections::Lease writer = nodes.hq.connections().writer();
    Work work(nodes.hq.replica(), *writer);
    storage::LeafRow leaf = *work.store().leafByName("NBO");
    leaf.revoked = true;
    work.store().putLeaf(leaf);
    work.commit();
  }
  EXPECT_EQ(codeOf([&] { exchange(nodes.hq, nodes.office); }), "sync.revoked");
  enrol(nodes.hq, nodes.office);
  nodes.expectEqual();
}

TEST(Recovery, OfAnUnknownOfficeIsRefused) {
  Pair nodes;
  TestNode stranger("XXX", true, 5);
  EXPECT_EQ(codeOf([&] { exchange(nodes.hq, stranger); }), "sync.unknown-leaf");
}

}  // namespace
}  // namespace waystation::sync

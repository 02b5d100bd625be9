#include <gtest/gtest.h>

#include "crypto/failure.h"
#include "sync/deletion.h"
#include "sync/erasure.h"
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

// A day each: what either still has is there again, at both, and is all that can be.
TEST(Recovery, OfBothRestoredToDifferentDaysBringsTogetherWhatEitherStillHas) {
  for (const bool headquartersIsOlder : {true, false}) {
    Pair nodes;
    const RecordId id =
        nodes.hq.create("case_file", {{"_custody", "\"NBO\""}, {"status", "\"day 0\""}});
    exchangeAll(nodes.hq, nodes.office);
    const std::string olderHq = nodes.hq.copyOfStore();
    const std::string olderOffice = nodes.office.copyOfStore();
    nodes.hq.edit(id, "by_hq_1", "\"1\"");
    nodes.office.edit(id, "by_office_1", "\"1\"");
    exchangeAll(nodes.hq, nodes.office);
    const std::string newerHq = nodes.hq.copyOfStore();
    const std::string newerOffice = nodes.office.copyOfStore();
    nodes.hq.edit(id, "by_hq_2", "\"2\"");
    nodes.office.edit(id, "by_office_2", "\"2\"");
    exchangeAll(nodes.hq, nodes.office);

    nodes.hq.startOnCopy(headquartersIsOlder ? olderHq : newerHq);
    nodes.office.startOnCopy(headquartersIsOlder ? newerOffice : olderOffice);
    nodes.office.edit(id, "by_office_3", "\"3\"");
    nodes.hq.edit(id, "by_hq_3", "\"3\"");
    exchangeAll(nodes.hq, nodes.office);
    nodes.expectEqual();
    for (TestNode* node : {&nodes.hq, &nodes.office}) {
      const Record record = *node->record(id);
      for (const char* field : {"by_hq_1", "by_office_1", "by_hq_3", "by_office_3"}) {
        EXPECT_NE(record.field(field), nullptr) << node->name() << " " << field;
      }
      EXPECT_EQ(record.field("by_hq_2"), nullptr) << "which was on no disk that is left";
    }
  }
}

// Silent for 200 days: what was written there comes in, and what was deleted, erased and handed
// over meanwhile stays so.
TEST(Recovery, OfAnOfficeSilentFor200DaysTakesItsWorkAndBringsBackNothingThatWent) {
  Pair nodes;
  const RecordId kept = nodes.hq.create("case_file", {{"_custody", "\"NBO\""}});
  const RecordId deleted = nodes.hq.create("case_file", {{"_custody", "\"NBO\""}});
  const RecordId erased = nodes.hq.create("case_file", {{"_custody", "\"NBO\""}});
  const RecordId handedOver = nodes.hq.create("case_file", {{"_custody", "\"NBO\""}});
  exchangeAll(nodes.hq, nodes.office);
  for (int i = 0; i < 500; ++i) {
    nodes.office.edit(i % 2 == 0 ? kept : handedOver, "note" + std::to_string(i), "\"said\"");
  }
  nodes.office.edit(erased, "note", "\"said\"");
  nodes.hq.edit(deleted, std::string(kDeletedField), "true");
  nodes.hq.edit(handedOver, "_custody", "\"MBA\"");
  {
    const storage::Connections::Lease writer = nodes.hq.connections().writer();
    Work work(nodes.hq.replica(), *writer);
    eraseForGood(work, nodes.hq.key(), "privacy officer", {erased});
    work.commit();
  }
  const std::int64_t later = nodes.hq.clock().nowMs() + std::int64_t{200} * 24 * 3'600'000;
  nodes.hq.clock().set(later);
  nodes.office.clock().set(later);
  nodes.office.restart();
  exchangeAll(nodes.hq, nodes.office);
  nodes.expectEqual();
  const Record record = *nodes.hq.record(kept);
  for (int i = 0; i < 500; i += 2) {
    EXPECT_NE(record.field("note" + std::to_string(i)), nullptr) << i;
    EXPECT_NE(nodes.hq.record(handedOver)->field("note" + std::to_string(i + 1)), nullptr) << i;
  }
  EXPECT_TRUE(isHidden(*nodes.hq.record(deleted)));
  EXPECT_TRUE(isHidden(*nodes.office.record(deleted)));
  EXPECT_FALSE(nodes.hq.record(erased));
  EXPECT_FALSE(nodes.office.record(erased));
  EXPECT_FALSE(nodes.office.record(handedOver));
}

// Headquarters goes on at a standby that lacks its last minute; what was on its way to the one
// reaches the other.
TEST(Recovery, OfAPromotedStandbyUsesNoIdentityOfTheOneBefore) {
  Pair nodes;
  const RecordId id = nodes.hq.create("case_file", {{"_custody", "\"NBO\""}});
  exchangeAll(nodes.hq, nodes.office);
  const std::string standby = nodes.hq.copyOfStore();
  nodes.hq.edit(id, "by_hq", "\"last minute\"");
  exchangeAll(nodes.hq, nodes.office);
  nodes.office.edit(id, "by_office", "\"on its way\"");
  LeafExchange up(nodes.office.replica(), nodes.office.connections(), nodes.office.key());
  const std::string request = up.request();
  const ReplicaId before = nodes.hq.replica().incarnation();
  nodes.hq.startOnCopy(standby);
  EXPECT_NE(nodes.hq.replica().incarnation(), before);
  nodes.hq.edit(id, "by_hq", "\"of the standby\"");
  HubExchange down(nodes.hq.replica(), nodes.hq.connections(), "NBO");
  down.receive(request);
  up.receive(down.answer());
  up.finish();
  exchangeAll(nodes.hq, nodes.office);
  nodes.expectEqual();
  for (TestNode* node : {&nodes.hq, &nodes.office}) {
    EXPECT_EQ(node->record(id)->field("by_hq")->size(), 2U) << node->name();
    EXPECT_EQ(node->record(id)->value("by_office"), "\"on its way\"") << node->name();
  }
}

TEST(Recovery, OfAnUnknownOfficeIsRefused) {
  Pair nodes;
  TestNode stranger("XXX", true, 5);
  EXPECT_EQ(codeOf([&] { exchange(nodes.hq, stranger); }), "sync.unknown-leaf");
}

}  // namespace
}  // namespace waystation::sync

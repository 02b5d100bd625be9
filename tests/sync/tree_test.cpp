#include <gtest/gtest.h>

#include <algorithm>

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

std::int64_t journalSize(TestNode& node) {
  const storage::Connections::Lease reader = node.connections().reader();
  storage::Statement count = reader->statement("SELECT count(*) FROM journal");
  count.step();
  return count.integer(0);
}

// Headquarters, two offices, and the phones of one of them.
class Tree : public ::testing::Test {
 protected:
  Tree() {
    enrol(hq_, nairobi_);
    enrol(hq_, mombasa_);
    enrol(nairobi_, phone_);
    enrol(nairobi_, other_);
  }

  void settle() {
    for (int i = 0; i < 3; ++i) {
      exchangeAll(nairobi_, phone_);
      exchangeAll(nairobi_, other_);
      exchangeAll(hq_, nairobi_);
      exchangeAll(hq_, mombasa_);
    }
    EXPECT_EQ(exchangeAll(nairobi_, phone_).agreement, Agreement::kAgree);
    EXPECT_EQ(exchangeAll(nairobi_, other_).agreement, Agreement::kAgree);
    EXPECT_EQ(exchangeAll(hq_, nairobi_).agreement, Agreement::kAgree);
    EXPECT_EQ(exchangeAll(hq_, mombasa_).agreement, Agreement::kAgree);
    for (TestNode* node : {&hq_, &nairobi_, &mombasa_}) {
      for (const storage::QuarantineRow& row : node->quarantine()) {
        ADD_FAILURE() << node->name() << " keeps aside: " << row.reason;
      }
    }
  }

  void handOver(const RecordId& id, const std::string& to) {
    hq_.edit(id, "_custody", jsonString(to));
  }

  TestNode hq_{"HQ", false, 1};
  TestNode nairobi_{"NBO", true, 2};
  TestNode mombasa_{"MBA", true, 3};
  TestNode phone_{"NBO-P1", true, 4, "NBO"};
  TestNode other_{"NBO-P2", true, 5, "NBO"};
};

TEST_F(Tree, BringsWhatAPhoneWroteUpToHeadquartersUnderItsOwnDot) {
  const RecordId id = phone_.create("person", {{"name", "\"A\""}});
  exchangeAll(nairobi_, phone_);
  exchangeAll(hq_, nairobi_);
  ASSERT_TRUE(hq_.record(id));
  EXPECT_EQ(hq_.record(id)->field("name")->front().dot.replica, phone_.replica().incarnation());
  EXPECT_EQ(hq_.record(id)->field("name")->front().author, "tester@NBO");
  settle();
  EXPECT_EQ(other_.record(id)->value("name"), "\"A\"");
}

TEST_F(Tree, KeepsNothingAsideThatCameWithWhatItHadSeen) {
  nairobi_.create("person", {{"name", "\"A\""}});
  exchangeAll(hq_, nairobi_);
  const RecordId id = nairobi_.create("person", {{"name", "\"B\""}});
  exchangeAll(nairobi_, phone_);
  phone_.edit(id, "name", "\"C\"");
  exchangeAll(nairobi_, phone_);
  exchangeAll(hq_, nairobi_);
  settle();
  EXPECT_EQ(hq_.record(id)->value("name"), "\"C\"");
}

TEST_F(Tree, BringsWhatHeadquartersWroteDownToThePhones) {
  const RecordId id = hq_.create("case_file", {{"_custody", "\"NBO\""}, {"status", "\"new\""}});
  const RecordId notice = hq_.create("notice", {{"_scope", "\"all\""}});
  const RecordId elsewhere = hq_.create("case_file", {{"_custody", "\"MBA\""}});
  settle();
  EXPECT_EQ(phone_.record(id)->value("status"), "\"new\"");
  EXPECT_TRUE(phone_.record(notice));
  EXPECT_FALSE(phone_.record(elsewhere));
  hq_.edit(id, "status", "\"changed\"");
  settle();
  EXPECT_EQ(phone_.record(id)->value("status"), "\"changed\"");
}

TEST_F(Tree, KeepsBothOfTwoEditsMadeApartAtTheTopAndAtTheBottom) {
  const RecordId id = phone_.create("case_file", {{"status", "\"new\""}});
  settle();
  hq_.edit(id, "status", "\"top\"");
  phone_.edit(id, "status", "\"bottom\"");
  settle();
  for (TestNode* node : {&hq_, &nairobi_, &phone_, &other_}) {
    EXPECT_EQ(node->record(id)->field("status")->size(), 2U) << node->name();
  }
  other_.edit(id, "status", "\"settled\"");
  settle();
  for (TestNode* node : {&hq_, &nairobi_, &phone_, &other_}) {
    ASSERT_EQ(node->record(id)->field("status")->size(), 1U) << node->name();
  }
}

TEST_F(Tree, CarriesTheWorkOfASubOfficeAndItsPhone) {
  TestNode sub("KIS", true, 6, "", true);
  TestNode deep("KIS-P1", true, 7, "KIS");
  enrol(nairobi_, sub);
  enrol(sub, deep);
  const RecordId atSub = sub.create("case_file", {{"a", "\"1\""}});
  const RecordId atDeep = deep.create("case_file", {{"b", "\"2\""}});
  exchangeAll(sub, deep);
  exchangeAll(nairobi_, sub);
  settle();
  EXPECT_EQ(hq_.record(atSub)->value("a"), "\"1\"");
  EXPECT_EQ(hq_.record(atDeep)->value("b"), "\"2\"");
  hq_.edit(atDeep, "b", "\"3\"");
  settle();
  exchangeAll(nairobi_, sub);
  exchangeAll(sub, deep);
  EXPECT_EQ(exchangeAll(sub, deep).agreement, Agreement::kAgree);
  EXPECT_EQ(deep.record(atDeep)->value("b"), "\"3\"");
  EXPECT_FALSE(phone_.record(atDeep)) << "it is the sub-office's";
}

TEST_F(Tree, GivesAPhoneThePersonThatACaseNamesWhicheverComesFirst) {
  const RecordId person = mombasa_.create("person", {{"name", "\"A\""}});
  exchangeAll(hq_, mombasa_);
  const RecordId file =
      hq_.create("case_file", {{"_custody", "\"NBO\""}, {"person", referenceValue(person)}});
  settle();
  EXPECT_TRUE(phone_.record(file));
  EXPECT_TRUE(phone_.record(person));
}

TEST_F(Tree, LetsAnOfficeRemoveACaseOnlyWhenItsPhonesHaveHandedInTheirsAndRemovedIt) {
  const RecordId id = phone_.create("case_file", {{"status", "\"open\""}});
  settle();
  phone_.edit(id, "status", "\"late\"");
  handOver(id, "MBA");
  exchangeAll(hq_, nairobi_);
  exchangeAll(hq_, nairobi_);
  EXPECT_TRUE(nairobi_.record(id)) << "its phone may still hold edits";
  EXPECT_TRUE(phone_.record(id));
  settle();
  for (TestNode* node : {&nairobi_, &phone_, &other_}) {
    EXPECT_FALSE(node->record(id)) << node->name();
  }
  EXPECT_EQ(mombasa_.record(id)->value("status"), "\"late\"");
}

// It bears a note into the case before it has heard again that the case has gone. The office knows
// no case any more to judge that by: the note waits there in sight, and the two agree.
TEST_F(Tree, AgreesWithAnOlderCopyOfAPhoneThatWritesToACaseWhichTheOfficeHasLetGo) {
  const RecordId id = phone_.create("case_file", {{"status", "\"open\""}});
  settle();
  const std::string copy = phone_.copyOfStore();
  handOver(id, "MBA");
  settle();
  ASSERT_FALSE(nairobi_.record(id));
  phone_.startOnCopy(copy);
  const RecordId note = phone_.create("note", {{"text", "\"late\""}}, id);
  for (int i = 0; i < 4; ++i) {
    EXPECT_NE(exchange(nairobi_, phone_).agreement, Agreement::kDiffer);
    exchange(hq_, nairobi_);
  }
  EXPECT_EQ(exchangeAll(nairobi_, phone_).agreement, Agreement::kAgree);
  EXPECT_FALSE(phone_.record(id));
  EXPECT_FALSE(phone_.record(note));
  ASSERT_EQ(nairobi_.quarantine().size(), 1U);
  EXPECT_EQ(decodeChange(nairobi_.quarantine()[0].body).edits[0].record, note);
}

// What waited for the case comes in when the case comes back, and the phone, which had let go of
// both, gets both again.
TEST_F(Tree, GivesAnOlderCopyOfAPhoneItsOwnChangeBackWithTheCaseThatCameBack) {
  const RecordId id = phone_.create("case_file", {{"status", "\"open\""}});
  settle();
  const std::string copy = phone_.copyOfStore();
  handOver(id, "MBA");
  settle();
  phone_.startOnCopy(copy);
  phone_.edit(id, "status", "\"late\"");
  exchangeAll(nairobi_, phone_);
  ASSERT_FALSE(phone_.record(id));
  ASSERT_EQ(nairobi_.quarantine().size(), 1U);
  handOver(id, "NBO");
  exchangeAll(hq_, nairobi_);
  for (int i = 0; i < 4; ++i) {
    exchangeAll(nairobi_, other_);
    EXPECT_NE(exchange(nairobi_, phone_).agreement, Agreement::kDiffer);
    exchangeAll(hq_, nairobi_);
  }
  for (TestNode* node : {&hq_, &nairobi_, &phone_, &other_}) {
    EXPECT_EQ(node->record(id)->value("status"), "\"late\"") << node->name();
  }
  EXPECT_EQ(exchangeAll(nairobi_, phone_).agreement, Agreement::kAgree);
}

TEST_F(Tree, DoesNotWaitForTheReceiptOfARevokedPhone) {
  const RecordId id = nairobi_.create("case_file", {{"status", "\"open\""}});
  settle();
  {
    const storage::Connections::Lease writer = nairobi_.connections().writer();
    Work work(nairobi_.replica(), *writer);
    for (const char* name : {"NBO-P1", "NBO-P2"}) {
      storage::LeafRow leaf = *work.store().leafByName(name);
      leaf.revoked = true;
      work.store().putLeaf(leaf);
    }
    work.commit();
  }
  handOver(id, "MBA");
  exchangeAll(hq_, nairobi_);
  exchangeAll(hq_, nairobi_);
  EXPECT_FALSE(nairobi_.record(id));
}

TEST_F(Tree, GivesACaseThatComesBackToThePhonesAgain) {
  const RecordId id = phone_.create("case_file", {{"status", "\"open\""}});
  settle();
  handOver(id, "MBA");
  settle();
  handOver(id, "NBO");
  settle();
  EXPECT_TRUE(phone_.record(id));
  EXPECT_TRUE(other_.record(id));
}

TEST_F(Tree, GivesACaseBackToThePhonesThoughTheOfficeNeverLetItGo) {
  const RecordId id = phone_.create("case_file", {{"status", "\"open\""}});
  settle();
  handOver(id, "MBA");
  exchange(hq_, nairobi_);
  exchangeAll(nairobi_, other_);
  ASSERT_FALSE(other_.record(id));
  handOver(id, "NBO");
  settle();
  EXPECT_TRUE(other_.record(id));
}

TEST_F(Tree, BringsNothingTwiceWhereverTheLinkIsCut) {
  for (const std::size_t at : {0, 40, 200, 300, 400, 500, 700, 1000, 1500}) {
    phone_.create("person", {{"name", "\"A\""}});
    other_.create("person", {{"name", "\"B\""}});
    exchangeCut(nairobi_, phone_, {.requestBytes = at});
    exchangeCut(nairobi_, phone_, {.answerBytes = at});
    exchangeCut(hq_, nairobi_, {.requestBytes = at});
    exchangeCut(hq_, nairobi_, {.answerBytes = at});
    phone_.restart();
    nairobi_.restart();
  }
  settle();
  EXPECT_EQ(journalSize(hq_), 18);
  EXPECT_EQ(journalSize(nairobi_), 18);
}

// Nothing was fed yet, so nothing else shows that headquarters is an older copy of itself.
TEST_F(Tree, IsToldOfThePhonesAgainByWhoeverAnnouncedThemBeforeHeadquartersWasRestored) {
  const std::string backup = hq_.copyOfStore();
  exchangeAll(hq_, nairobi_);
  const RecordId id = phone_.create("person", {{"name", "\"A\""}});
  hq_.startOnCopy(backup);
  settle();
  EXPECT_TRUE(hq_.record(id));
}

// What one phone made comes back from another's copy, under the office's seal.
TEST_F(Tree, TakesWhatAPhoneWritesAfterItsOfficeWasRestoredAndHadItsEarlierWorkFromAnother) {
  settle();
  exchangeAll(nairobi_, other_);
  const std::string backup = nairobi_.copyOfStore();
  const RecordId first = phone_.create("person", {{"name", "\"A\""}});
  exchangeAll(nairobi_, phone_);
  exchangeAll(nairobi_, other_);
  const RecordId second = phone_.create("person", {{"name", "\"B\""}});
  nairobi_.startOnCopy(backup);
  exchangeAll(nairobi_, other_);
  exchangeAll(hq_, nairobi_);
  EXPECT_TRUE(hq_.record(first));
  settle();
  EXPECT_TRUE(hq_.record(second));
}

// A phone of Nairobi that calls at Mombasa.
class Roaming : public Tree {
 protected:
  Roaming() { enrol(mombasa_, phone_); }
  void visit() { exchangeAll(mombasa_, phone_); }
};

TEST_F(Roaming, BringsAPhonesChangesHomeThroughAnotherOfficeThatDoesNotGetThem) {
  settle();
  const RecordId id = phone_.create("person", {{"name", "\"A\""}});
  visit();
  exchangeAll(hq_, mombasa_);
  ASSERT_TRUE(hq_.record(id));
  EXPECT_FALSE(mombasa_.record(id));
  exchangeAll(hq_, nairobi_);
  EXPECT_TRUE(nairobi_.record(id)) << "its own office has it before the phone is back";
  settle();
  EXPECT_EQ(journalSize(hq_), 1);
}

TEST_F(Roaming, LosesNothingAndDoublesNothingBetweenTwoOfficesAndBack) {
  const RecordId id = phone_.create("person", {{"name", "\"1\""}, {"phone", "\"1\""}});
  exchangeAll(nairobi_, phone_);
  phone_.edit(id, "name", "\"2\"");
  visit();
  phone_.edit(id, "name", "\"3\"");
  exchangeAll(hq_, mombasa_);
  exchangeAll(nairobi_, phone_);
  phone_.edit(id, "name", "\"4\"");
  visit();
  settle();
  for (TestNode* node : {&hq_, &nairobi_, &phone_, &other_}) {
    EXPECT_EQ(node->record(id)->field("name")->size(), 1U) << node->name();
    EXPECT_EQ(node->record(id)->value("name"), "\"4\"") << node->name();
  }
  EXPECT_EQ(journalSize(hq_), 4);
  EXPECT_EQ(journalSize(nairobi_), 4);
}

// Until the office at home has told of its phone, nobody further up can know its signature.
TEST_F(Roaming, KeepsAsideWhatAnUnknownPhoneSignedUntilItComesByAnOfficeThatKnowsIt) {
  const RecordId id = phone_.create("person", {{"name", "\"1\""}});
  visit();
  exchangeAll(hq_, mombasa_);
  EXPECT_FALSE(hq_.record(id));
  ASSERT_EQ(hq_.quarantine().size(), 1U);
  EXPECT_EQ(hq_.quarantine().front().reason, "author-is-unknown");
  EXPECT_EQ(exchangeAll(hq_, mombasa_).agreement, Agreement::kAgree)
      << "whoever carried it has joined nothing of it";
  settle();
  EXPECT_TRUE(hq_.record(id));
}

TEST_F(Roaming, LetsInWhatAnUnknownPhoneSignedOnceItsOfficeHasAnnouncedIt) {
  const RecordId id = phone_.create("person", {{"name", "\"1\""}});
  visit();
  exchangeAll(hq_, mombasa_);
  ASSERT_EQ(hq_.quarantine().size(), 1U);
  EXPECT_EQ(hq_.quarantine().front().state, storage::QuarantineState::kWaiting);
  exchangeAll(hq_, nairobi_);  // the phone itself is lost
  EXPECT_TRUE(hq_.record(id));
  EXPECT_TRUE(hq_.quarantine().empty());
  EXPECT_TRUE(nairobi_.record(id));
  EXPECT_FALSE(mombasa_.record(id));
}

TEST_F(Roaming, DoesNotTakeAnAnnouncementOfTheNameFromAnotherKey) {
  const RecordId id = phone_.create("person", {{"name", "\"1\""}});
  visit();
  exchangeAll(hq_, mombasa_);
  TestNode impostor{"NBO-P1", true, 9, "NBO"};
  enrol(nairobi_, impostor);
  exchangeAll(hq_, nairobi_);
  EXPECT_FALSE(hq_.record(id));
  ASSERT_EQ(hq_.quarantine().size(), 1U);
  EXPECT_EQ(hq_.quarantine().front().reason, "signature-is-forged");
}

// Whoever is its host has no use for it, and its own office would wait for it for ever.
TEST_F(Roaming, GivesItsReceiptsToItsOwnOfficeAlone) {
  const RecordId id = phone_.create("case_file", {{"status", "\"open\""}});
  settle();
  handOver(id, "MBA");
  exchangeAll(hq_, nairobi_);
  exchange(nairobi_, phone_);
  ASSERT_FALSE(phone_.record(id));
  visit();
  settle();
  EXPECT_FALSE(nairobi_.record(id));
}

TEST_F(Roaming, LetsGoOfACaseOnlyWhenItsOwnOfficeHasAllThatItWroteThere) {
  const RecordId id = phone_.create("case_file", {{"status", "\"open\""}});
  settle();
  handOver(id, "MBA");
  exchangeAll(hq_, nairobi_);
  phone_.edit(id, "phone", "\"1\"");
  phone_.edit(id, "status", "\"late\"");
  exchangeCut(nairobi_, phone_, {.upBytes = 0});
  visit();
  EXPECT_TRUE(phone_.record(id)) << "its host may be lost before it has passed that on";
  settle();
  EXPECT_FALSE(phone_.record(id));
  EXPECT_EQ(mombasa_.record(id)->value("status"), "\"late\"");
}

// Its office had nothing to let go of when it was told to, and said so.
TEST_F(Roaming, BringsHomeNoCaseThatWasGivenAwayMeanwhile) {
  settle();
  const RecordId id = phone_.create("case_file", {{"status", "\"open\""}});
  visit();
  exchangeAll(hq_, mombasa_);
  handOver(id, "MBA");
  exchangeAll(hq_, nairobi_);
  exchangeAll(hq_, nairobi_);
  exchangeAll(nairobi_, phone_);
  settle();
  EXPECT_FALSE(nairobi_.record(id));
  EXPECT_FALSE(phone_.record(id));
  EXPECT_TRUE(mombasa_.record(id));
  const storage::Connections::Lease reader = hq_.connections().reader();
  EXPECT_FALSE(storage::Store(*reader).lastHealing("NBO")) << "told, not found by the digests";
}

TEST_F(Roaming, HearsOfErasuresFromItsOwnOfficeAlone) {
  const RecordId id = phone_.create("person", {{"name", "\"A\""}});
  settle();
  {
    const storage::Connections::Lease writer = hq_.connections().writer();
    Work work(hq_.replica(), *writer);
    eraseForGood(work, hq_.key(), "grace", {id});
    work.commit();
  }
  exchangeAll(hq_, mombasa_);
  visit();
  EXPECT_TRUE(phone_.record(id));
  exchangeAll(hq_, nairobi_);
  exchange(nairobi_, phone_);
  EXPECT_FALSE(phone_.record(id));
  visit();
  settle();
  const storage::Connections::Lease reader = nairobi_.connections().reader();
  const auto receipts = storage::Store(*reader).erasureReceipts();
  const auto ofPhone = std::count_if(receipts.begin(), receipts.end(),
                                     [](const auto& row) { return row.holder == "NBO-P1"; });
  EXPECT_EQ(ofPhone, 1);
}

TEST_F(Roaming, GivesAGuestNothing) {
  const RecordId theirs = mombasa_.create("person", {{"name", "\"A\""}});
  settle();
  visit();
  EXPECT_FALSE(phone_.record(theirs));
  settle();
}

}  // namespace
}  // namespace waystation::sync

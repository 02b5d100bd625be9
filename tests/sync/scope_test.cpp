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

class Scope : public ::testing::Test {
 protected:
  Scope() {
    enrol(hq_, nairobi_);
    enrol(hq_, mombasa_);
  }

  void settle() {
    for (int i = 0; i < 3; ++i) {
      exchangeAll(hq_, nairobi_);
      exchangeAll(hq_, mombasa_);
    }
    EXPECT_EQ(exchangeAll(hq_, nairobi_).agreement, Agreement::kAgree);
    EXPECT_EQ(exchangeAll(hq_, mombasa_).agreement, Agreement::kAgree);
    EXPECT_TRUE(hq_.quarantine().empty());
  }

  void handOver(const RecordId& id, const std::string& to) {
    hq_.edit(id, "_custody", jsonString(to));
  }

  // A case for each office, saved by headquarters as one change.
  std::vector<RecordId> createOneForEach() {
    const storage::Connections::Lease writer = hq_.connections().writer();
    Work work(hq_.replica(), *writer);
    std::vector<RecordId> ids;
    std::vector<DraftEdit> drafts;
    for (const char* office : {"NBO", "MBA"}) {
      DraftEdit draft;
      draft.record = work.newRecord();
      draft.isNew = true;
      draft.kind = "case_file";
      draft.writes = {{"_custody", jsonString(office)}};
      ids.push_back(draft.record);
      drafts.push_back(std::move(draft));
    }
    work.save("tester", drafts);
    work.commit();
    return ids;
  }

  // One change that edits several records.
  void editAtOnce(TestNode& node, const std::vector<RecordId>& ids, const std::string& value) {
    const storage::Connections::Lease writer = node.connections().writer();
    Work work(node.replica(), *writer);
    std::vector<DraftEdit> drafts;
    for (const RecordId& id : ids) {
      DraftEdit draft;
      draft.record = id;
      draft.sawCurrent = true;
      draft.writes = {{"status", value}};
      drafts.push_back(std::move(draft));
    }
    work.save("tester", drafts);
    work.commit();
  }

  static bool isLeaving(TestNode& node, const RecordId& root) {
    const storage::Connections::Lease reader = node.connections().reader();
    return storage::Store(*reader).isLeaving(root.bytes());
  }

  static std::string codeOf(const std::function<void()>& act) {
    try {
      act();
    } catch (const Failure& failure) {
      return failure.code();
    }
    return "";
  }

  TestNode hq_{"HQ", false, 1};
  TestNode nairobi_{"NBO", true, 2};
  TestNode mombasa_{"MBA", true, 3};
};

TEST_F(Scope, KeepsAHandedOverCaseUntilItsOwnEditsHaveArrived) {
  const RecordId id = nairobi_.create("case_file", {{"status", "\"open\""}});
  exchangeAll(hq_, nairobi_);
  handOver(id, "MBA");
  // The LEAVE comes while an edit was made that has not gone up yet.
  LeafExchange up(nairobi_.replica(), nairobi_.connections(), nairobi_.key());
  HubExchange down(hq_.replica(), hq_.connections(), "NBO");
  down.receive(up.request());
  nairobi_.edit(id, "status", "\"late\"");
  up.receive(down.answer());
  up.finish();
  ASSERT_TRUE(nairobi_.record(id));
  EXPECT_TRUE(isLeaving(nairobi_, id));
  EXPECT_EQ(codeOf([&] { nairobi_.edit(id, "status", "\"x\""); }), "case.handed-over");
  EXPECT_EQ(codeOf([&] { nairobi_.create("note", {}, id); }), "case.handed-over");
  settle();
  EXPECT_FALSE(nairobi_.record(id));
  EXPECT_EQ(mombasa_.record(id)->value("status"), "\"late\"");
}

TEST_F(Scope, EndsAfterTheReceiptSoThatLaterEditsAreKeptAside) {
  const RecordId id = nairobi_.create("case_file", {{"status", "\"open\""}});
  settle();
  handOver(id, "MBA");
  settle();
  const storage::Connections::Lease reader = hq_.connections().reader();
  storage::Store store(*reader);
  const std::int64_t leaf = store.leafByName("NBO")->leaf;
  EXPECT_FALSE(store.isReleasing(leaf, id.bytes()));
  EXPECT_FALSE(store.inScope(leaf, id.bytes()));
}

TEST_F(Scope, OfACaseHandedBackAtOnceLeavesItWhereItIs) {
  const RecordId id = nairobi_.create("case_file", {{"status", "\"open\""}});
  exchangeAll(hq_, nairobi_);
  handOver(id, "MBA");
  handOver(id, "NBO");
  settle();
  EXPECT_TRUE(nairobi_.record(id));
  EXPECT_FALSE(mombasa_.record(id));
}

TEST_F(Scope, OfACaseHandedBackAfterItsLeaveWasSentLeavesItWhereItIs) {
  const RecordId id = nairobi_.create("case_file", {{"status", "\"open\""}});
  exchangeAll(hq_, nairobi_);
  handOver(id, "MBA");
  exchangeCut(hq_, nairobi_, {.answerBytes = 0});  // numbered, but not arrived
  handOver(id, "NBO");
  nairobi_.edit(id, "status", "\"meanwhile\"");
  settle();
  ASSERT_TRUE(nairobi_.record(id));
  EXPECT_EQ(hq_.record(id)->value("status"), "\"meanwhile\"");
}

TEST_F(Scope, OfACaseHandedThereAndBackBringsItHomeWithWhatWasAdded) {
  const RecordId id = nairobi_.create("case_file", {{"status", "\"open\""}});
  settle();
  handOver(id, "MBA");
  settle();
  mombasa_.edit(id, "status", "\"seen in Mombasa\"");
  handOver(id, "NBO");
  settle();
  EXPECT_FALSE(mombasa_.record(id));
  EXPECT_EQ(nairobi_.record(id)->value("status"), "\"seen in Mombasa\"");
}

TEST_F(Scope, OfAPersonNamedByTwoCasesLastsUntilTheSecondHasGone) {
  const RecordId person = hq_.create("person", {{"name", "\"A\""}});
  const DraftWrite names{"person", referenceValue(person)};
  const RecordId first = hq_.create("case_file", {names, {"_custody", "\"NBO\""}});
  const RecordId second = hq_.create("case_file", {names, {"_custody", "\"NBO\""}});
  settle();
  ASSERT_TRUE(nairobi_.record(person));
  handOver(first, "MBA");
  settle();
  EXPECT_TRUE(nairobi_.record(person));
  EXPECT_TRUE(mombasa_.record(person));
  EXPECT_FALSE(nairobi_.record(first));
  handOver(second, "MBA");
  settle();
  EXPECT_FALSE(nairobi_.record(person));
  EXPECT_TRUE(mombasa_.record(person));
}

TEST_F(Scope, OfAPersonGoesWithTheCaseThoughAnotherPersonWhoGoesTooNamesIt) {
  const RecordId person = hq_.create("person", {{"name", "\"A\""}});
  const RecordId child = hq_.create("person", {{"mother", referenceValue(person)}});
  const RecordId id = hq_.create("case_file", {{"person", referenceValue(person)},
                                               {"child", referenceValue(child)},
                                               {"_custody", "\"NBO\""}});
  settle();
  ASSERT_TRUE(nairobi_.record(person));
  handOver(id, "MBA");
  settle();
  EXPECT_FALSE(nairobi_.record(child));
  EXPECT_FALSE(nairobi_.record(person));
  EXPECT_TRUE(mombasa_.record(person));
}

// Each is named by the other, and neither by anything else that the office holds.
TEST_F(Scope, OfTwoPersonsWhoNameEachOtherGoesWithTheCaseThatBroughtThem) {
  const RecordId mother = mombasa_.create("person", {{"name", "\"A\""}});
  const RecordId child = mombasa_.create("person", {{"mother", referenceValue(mother)}});
  settle();
  const RecordId id =
      hq_.create("case_file", {{"person", referenceValue(mother)}, {"_custody", "\"NBO\""}});
  hq_.create("note", {{"child", referenceValue(child)}}, mother);
  const RecordId other = hq_.create("case_file", {{"_custody", "\"NBO\""}});
  settle();
  ASSERT_TRUE(nairobi_.record(mother));
  ASSERT_TRUE(nairobi_.record(child));
  handOver(id, "MBA");
  settle();
  EXPECT_FALSE(nairobi_.record(mother));
  EXPECT_FALSE(nairobi_.record(child));
  EXPECT_TRUE(mombasa_.record(mother));
  // Where another case still names one of them, both stay.
  hq_.edit(other, "person", referenceValue(child));
  handOver(id, "NBO");
  settle();
  handOver(id, "MBA");
  settle();
  EXPECT_TRUE(nairobi_.record(mother));
  EXPECT_TRUE(nairobi_.record(child));
}

TEST_F(Scope, SeesOnlyItsPartOfAChangeThatTouchesTwoCases) {
  const auto ids = createOneForEach();
  settle();
  editAtOnce(hq_, ids, "\"both\"");
  settle();
  EXPECT_EQ(nairobi_.record(ids[0])->value("status"), "\"both\"");
  EXPECT_FALSE(nairobi_.record(ids[1]));
  EXPECT_FALSE(mombasa_.record(ids[0]));
}

// The change is in the feed before the ENTER of the case that it touches, too.
TEST_F(Scope, TakesAnEarlierChangeThatTouchesACaseGrantedLater) {
  const auto ids = createOneForEach();
  settle();
  editAtOnce(hq_, ids, "\"both\"");
  handOver(ids[1], "NBO");
  settle();
  EXPECT_EQ(nairobi_.record(ids[0])->value("status"), "\"both\"");
  EXPECT_EQ(nairobi_.record(ids[1])->value("status"), "\"both\"");
}

TEST_F(Scope, TakesEditsOfHeadquartersAndOfTheOfficeMadeAtOnce) {
  const RecordId id = nairobi_.create("case_file", {{"status", "\"open\""}});
  settle();
  hq_.edit(id, "status", "\"hq\"");
  nairobi_.edit(id, "status", "\"office\"");
  hq_.edit(id, "need", "\"food\"");
  settle();
  EXPECT_EQ(nairobi_.record(id)->field("status")->size(), 2U);
  EXPECT_EQ(nairobi_.record(id)->value("need"), "\"food\"");
}

TEST_F(Scope, SettledByTwoPeopleAtOnceComesToRest) {
  const RecordId id = hq_.create("case_file", {{"_custody", "\"NBO\""}, {"_scope", "[\"MBA\"]"}});
  settle();
  nairobi_.edit(id, "status", "\"n\"");
  mombasa_.edit(id, "status", "\"m\"");
  settle();
  nairobi_.edit(id, "status", "\"n settles\"");
  mombasa_.edit(id, "status", "\"m settles\"");
  settle();
  EXPECT_EQ(hq_.record(id)->field("status")->size(), 2U);
  hq_.edit(id, "status", "\"done\"");
  settle();
  for (TestNode* node : {&hq_, &nairobi_, &mombasa_}) {
    EXPECT_EQ(node->record(id)->field("status")->size(), 1U);
  }
  const ExchangeOutcome after = exchange(hq_, nairobi_);
  EXPECT_EQ(after.changesUp + after.changesDown, 0U);
}

TEST_F(Scope, SendsACreatedRecordOnce) {
  hq_.create("notice", {{"_scope", "\"all\""}});
  const ExchangeOutcome outcome = exchange(hq_, nairobi_);
  EXPECT_EQ(outcome.rootsEntered, 1U);
  EXPECT_EQ(outcome.changesDown, 1U);
}

// People conclude from what they do not find: they are told while something is still to come.
TEST_F(Scope, SaysHowMuchHasNotComeYetUntilTheLastPieceHas) {
  const auto toCome = [&] {
    const storage::Connections::Lease reader = nairobi_.connections().reader();
    storage::Store store(*reader);
    return readLeafState(store).toCome();
  };
  EXPECT_EQ(toCome(), std::nullopt);
  exchangeAll(hq_, nairobi_);
  EXPECT_EQ(toCome(), 0U) << "headquarters has nothing for it";
  const auto createThirty = [&] {
    for (int i = 0; i < 30; ++i) {
      const std::string text = jsonString(std::string(3000, static_cast<char>('A' + i)));
      hq_.create("case_file", {{"_custody", "\"NBO\""}, {"text", text}});
    }
  };
  createThirty();
  exchangeCut(hq_, nairobi_, {.downBytes = 20'000});
  const std::optional<std::uint64_t> some = toCome();
  ASSERT_TRUE(some);
  EXPECT_GT(*some, 0U);
  EXPECT_LT(*some, 30U);
  exchangeAll(hq_, nairobi_);
  EXPECT_EQ(toCome(), 0U);
  createThirty();
  EXPECT_EQ(toCome(), 0U) << "it has not heard of them";
  // An exchange that the line cut behind its first frames.
  exchangeCut(hq_, nairobi_, {.answerBytes = 6000, .downBytes = 2000});
  exchangeCut(hq_, nairobi_, {.downBytes = 2000});
  EXPECT_GT(toCome().value(), 0U);
  settle();
  EXPECT_EQ(toCome(), 0U);
}

TEST_F(Scope, BringsARootOfThreeThousandRecordsOverManyCutAnswers) {
  const RecordId root = hq_.create("case_file", {{"_custody", "\"NBO\""}});
  {
    const storage::Connections::Lease writer = hq_.connections().writer();
    Work work(hq_.replica(), *writer);
    for (int i = 0; i < 3000; ++i) {
      DraftEdit draft;
      draft.record = work.newRecord();
      draft.isNew = true;
      draft.kind = "note";
      draft.root = root;
      draft.writes = {{"text", "\"" + std::to_string(i * 7919) + "\""}};
      work.save("tester", {draft});
    }
    work.commit();
  }
  int exchanges = 0;
  std::uint64_t lastNumber = 0;
  bool stoodWithin = false;
  for (bool whole = false; !whole || lastNumber == 0; ++exchanges) {
    ASSERT_LT(exchanges, 200);
    const bool cut = exchanges % 2 == 1;
    whole =
        exchangeCut(hq_, nairobi_, {.answerBytes = cut ? 6000U : SIZE_MAX, .downBytes = 60 * 1024});
    const storage::Connections::Lease reader = nairobi_.connections().reader();
    storage::Store store(*reader);
    lastNumber = readLeafState(store).feed.number;
    stoodWithin = stoodWithin || !readLeafState(store).feed.within.empty();
  }
  EXPECT_TRUE(stoodWithin);
  EXPECT_GT(exchanges, 3);
  settle();
  const storage::Connections::Lease reader = nairobi_.connections().reader();
  EXPECT_EQ(storage::Store(*reader).countRecords("note"), 3000);
}

// A snapshot is made as it is sent: what is written meanwhile is in it, or comes behind it.
TEST_F(Scope, OfARootThatIsEditedWhileItIsOnItsWayArrivesAsItIsThen) {
  const RecordId root = hq_.create("case_file", {{"_custody", "\"NBO\""}});
  std::vector<RecordId> notes;
  for (int i = 0; i < 200; ++i) {
    notes.push_back(hq_.create("note", {{"text", "\"" + std::to_string(i * 7919) + "\""}}, root));
  }
  for (int i = 0; !nairobi_.record(notes.back()); ++i) {
    ASSERT_LT(i, 200);
    exchangeCut(hq_, nairobi_, {.downBytes = 2000});
    hq_.edit(notes[std::size_t(i * 37 % 200)], "text", "\"edited " + std::to_string(i) + "\"");
    hq_.edit(notes[std::size_t(i)], "more", "\"said\"");
  }
  settle();
  for (const RecordId& id : notes) {
    EXPECT_EQ(encodeState(*nairobi_.record(id)), encodeState(*hq_.record(id)));
  }
}

// Entries get their numbers when the leaf asks: one that was queued by a transaction which ended
// after that is behind them, however early it began.
TEST_F(Scope, SkipsNoEntryThatIsQueuedWhileAnAnswerIsOnItsWay) {
  settle();
  LeafExchange leaf(nairobi_.replica(), nairobi_.connections(), nairobi_.key());
  HubExchange hub(hq_.replica(), hq_.connections(), "NBO");
  hub.receive(leaf.request());
  const RecordId before = hq_.create("case_file", {{"_custody", "\"NBO\""}});
  const std::string answer = hub.answer();
  const RecordId after = hq_.create("case_file", {{"_custody", "\"NBO\""}});
  leaf.receive(answer);
  leaf.finish();
  EXPECT_TRUE(nairobi_.record(before));
  EXPECT_FALSE(nairobi_.record(after));
  exchangeAll(hq_, nairobi_);
  EXPECT_TRUE(nairobi_.record(after));
  settle();
}

TEST_F(Scope, BringsARecordLargerThanAnyFrame) {
  const RecordId id = hq_.create("case_file", {{"_custody", "\"NBO\""}});
  testing::SeededRandom random(5);
  for (int i = 0; i < 12; ++i) {
    std::string noise;
    while (noise.size() < 240 * 1024) noise += std::to_string(random.draw());
    hq_.edit(id, "text" + std::to_string(i), "\"" + noise + "\"");
  }
  settle();
  EXPECT_EQ(encodeState(*nairobi_.record(id)), encodeState(*hq_.record(id)));
}

TEST_F(Scope, OfAThousandCasesAgrees) {
  for (int i = 0; i < 1000; ++i) {
    hq_.create("case_file", {{"_custody", i % 2 == 0 ? "\"NBO\"" : "\"MBA\""}});
  }
  settle();
  const storage::Connections::Lease reader = nairobi_.connections().reader();
  EXPECT_EQ(storage::Store(*reader).countRecords("case_file"), 500);
}

TEST_F(Scope, OfAnOfficeEnrolledLateHasEverythingMeantForIt) {
  const RecordId notice = hq_.create("notice", {{"_scope", "\"all\""}});
  const RecordId person = hq_.create("person", {{"name", "\"A\""}});
  const RecordId file =
      hq_.create("case_file", {{"_custody", "\"KIS\""}, {"person", referenceValue(person)}});
  const RecordId other = hq_.create("case_file", {{"_custody", "\"NBO\""}});
  TestNode late("KIS", true, 9);
  enrol(hq_, late);
  exchangeAll(hq_, late);
  EXPECT_TRUE(late.record(notice));
  EXPECT_TRUE(late.record(file));
  EXPECT_TRUE(late.record(person));
  EXPECT_FALSE(late.record(other));
}

TEST(FirstLeaf, OfAHubThatHeldCasesBeforeIsGivenThePersonsThatTheyName) {
  TestNode hq("HQ", false, 1);
  const RecordId person = hq.create("person", {{"name", "\"A\""}});
  const RecordId id =
      hq.create("case_file", {{"_custody", "\"NBO\""}, {"person", referenceValue(person)}});
  TestNode office("NBO", true, 2);
  enrol(hq, office);
  exchangeAll(hq, office);
  EXPECT_TRUE(office.record(id));
  EXPECT_TRUE(office.record(person));
  TestNode phone("NBO-P1", true, 3, "NBO");
  enrol(office, phone);
  exchangeAll(office, phone);
  EXPECT_TRUE(phone.record(id));
  EXPECT_TRUE(phone.record(person));
  EXPECT_EQ(exchangeAll(office, phone).agreement, Agreement::kAgree);
}

TEST_F(Scope, ForgetsNoLeaveWhenItsFeedBeginsAgain) {
  const RecordId id = nairobi_.create("case_file", {{"status", "\"open\""}});
  exchangeAll(hq_, nairobi_);
  handOver(id, "MBA");
  enrol(hq_, nairobi_);  // the LEAVE was still waiting
  settle();
  EXPECT_FALSE(nairobi_.record(id));
}

}  // namespace
}  // namespace waystation::sync

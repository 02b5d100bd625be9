// A hub that was restored gets back what it had fed to its leaves and lost.

#include "sync/returned.h"

#include <gtest/gtest.h>

#include "sync/seal.h"
#include "tests/support/two_offices.h"

namespace waystation::sync {
namespace {

using testing::Cut;
using testing::enrol;
using testing::exchange;
using testing::exchangeAll;
using testing::exchangeCut;
using testing::TestNode;

class Returned : public testing::TwoOffices {
 protected:
  void expectEqual() {
    settle();
    EXPECT_EQ(exchange(hq_, nairobi_).agreement, Agreement::kAgree);
    EXPECT_EQ(exchange(hq_, mombasa_).agreement, Agreement::kAgree);
    for (const storage::QuarantineRow& row : hq_.quarantine()) {
      if (!row.isOpen()) continue;  // it waited, and came in
      ADD_FAILURE() << "kept aside: " << row.reason << " of " << row.leaf;
    }
  }
};

TEST_F(Returned, IsWhatHeadquartersSavedAfterItsBackup) {
  const std::string backup = hq_.copyOfStore();
  hq_.edit(id_, "status", "\"lost at headquarters\"");
  const RecordId born = hq_.create("case_file", {{"_custody", "\"NBO\""}, {"a", "\"1\""}});
  settle();
  hq_.startOnCopy(backup);
  expectEqual();
  EXPECT_EQ(hq_.record(id_)->value("status"), "\"lost at headquarters\"");
  ASSERT_TRUE(hq_.record(born));
  EXPECT_TRUE(nairobi_.record(born));
}

// What the restored headquarters feeds meanwhile takes the numbers of what it has lost.
TEST_F(Returned, IsNoticedThoughHeadquartersHasWrittenAsMuchSince) {
  const std::string backup = hq_.copyOfStore();
  hq_.edit(id_, "status", "\"lost\"");
  settle();
  hq_.startOnCopy(backup);
  for (int i = 0; i < 5; ++i) hq_.edit(id_, "other", "\"" + std::to_string(i) + "\"");
  expectEqual();
  EXPECT_EQ(hq_.record(id_)->value("status"), "\"lost\"");
  EXPECT_EQ(nairobi_.record(id_)->value("other"), "\"4\"");
}

// The office goes on with the case that was given to it: that is not refused because headquarters
// has forgotten that it gave it.
TEST_F(Returned, ComesHomeBeforeWhatTheOfficeWroteOnTopOfIt) {
  hq_.create("case_file", {{"_custody", "\"MBA\""}});  // its feed has begun before the backup
  settle();
  const std::string backup = hq_.copyOfStore();
  hq_.edit(id_, "_custody", "\"MBA\"");
  settle();
  ASSERT_TRUE(mombasa_.record(id_));
  ASSERT_FALSE(nairobi_.record(id_));
  mombasa_.edit(id_, "status", "\"by the new office\"");
  exchangeAll(hq_, mombasa_);
  mombasa_.edit(id_, "status", "\"and again\"");
  hq_.startOnCopy(backup);
  expectEqual();
  EXPECT_EQ(hq_.record(id_)->value("status"), "\"and again\"");
  EXPECT_TRUE(mombasa_.record(id_));
  EXPECT_FALSE(nairobi_.record(id_));
}

// Of a change of another office that was lost as well, headquarters' seal says that it was let in.
TEST_F(Returned, IsAlsoWhatAnotherOfficeMadeThatHasLostItToo) {
  const RecordId shared =
      hq_.create("notice", {{"_scope", "\"all\""}, {"text", "\"read me\""}, {"a", "\"1\""}});
  settle();
  const std::string backup = hq_.copyOfStore();
  const std::string office = nairobi_.copyOfStore();
  nairobi_.edit(shared, "a", "\"of Nairobi\"");
  settle();
  ASSERT_EQ(mombasa_.record(shared)->value("a"), "\"of Nairobi\"");
  hq_.startOnCopy(backup);
  nairobi_.startOnCopy(office);
  expectEqual();
  EXPECT_EQ(hq_.record(shared)->value("a"), "\"of Nairobi\"");
  EXPECT_EQ(nairobi_.record(shared)->value("a"), "\"of Nairobi\"");
}

TEST_F(Returned, ComesHomeInPartsWhereTheLinkIsSlowAndIsCut) {
  const std::string backup = hq_.copyOfStore();
  std::vector<RecordId> born;
  for (int i = 0; i < 40; ++i) {
    born.push_back(hq_.create("case_file", {{"_custody", "\"NBO\""}, {"a", "\"1\""}}));
    if (i % 4 == 0) settle();
  }
  settle();
  hq_.startOnCopy(backup);
  for (std::size_t at = 0; at < 3000; at += 100) {
    exchangeCut(hq_, nairobi_, {.requestBytes = at, .upBytes = 400, .downBytes = 400});
    exchangeCut(hq_, nairobi_, {.answerBytes = at, .upBytes = 400, .downBytes = 400});
  }
  expectEqual();
  for (const RecordId& id : born) EXPECT_TRUE(hq_.record(id));
}

// One office got it before it was replaced, another without what was replaced, and is heard first.
TEST_F(Returned, IsInTheHistoryAlsoWhereItWasReplacedSince) {
  const std::string backup = hq_.copyOfStore();
  const RecordId notice = hq_.create("notice", {{"_scope", "\"all\""}, {"text", "\"first\""}});
  exchangeAll(hq_, mombasa_);
  hq_.edit(notice, "text", "\"second\"");
  exchangeAll(hq_, nairobi_);
  const Dot first = hq_.record(notice)->field(kKindField)->front().dot;
  hq_.startOnCopy(backup);
  expectEqual();
  EXPECT_EQ(hq_.record(notice)->value("text"), "\"second\"");
  const storage::Connections::Lease reader = hq_.connections().reader();
  std::string history;
  for (const auto& row : storage::Store(*reader).journalOfDot(first.replica, first.counter)) {
    history += row.body;
  }
  EXPECT_NE(history.find("first"), std::string::npos);
}

// A note of headquarters' own comes home before the office sends the case that it belongs to.
TEST_F(Returned, WaitsForTheCaseThatItBelongsTo) {
  const std::string backup = hq_.copyOfStore();
  const RecordId file = nairobi_.create("case_file", {{"status", "\"new\""}});
  settle();
  const RecordId note = hq_.create("note", {{"text", "\"lost\""}}, file);
  settle();
  hq_.startOnCopy(backup);
  expectEqual();
  ASSERT_TRUE(hq_.record(note));
  EXPECT_TRUE(nairobi_.record(file));
  EXPECT_TRUE(nairobi_.record(note));
  const Record taken = hq_.record(file).value();
  for (const auto& [name, field] : taken.fields) {
    EXPECT_FALSE(name.starts_with(kLatePrefix)) << "the case is the office's own";
  }
}

// The office had lost its own change and got it back by the feed: its chain will never hold it.
TEST_F(Returned, IsEnoughForWhatWasWrittenByWhoHadReadIt) {
  const std::string backup = hq_.copyOfStore();
  const std::string office = nairobi_.copyOfStore();
  nairobi_.create("person", {{"name", "\"A\""}});
  const RecordId lost = nairobi_.create("case_file", {{"status", "\"1\""}});
  settle();
  nairobi_.startOnCopy(office);
  nairobi_.create("person", {{"name", "\"B\""}});
  settle();
  ASSERT_TRUE(nairobi_.record(lost));
  nairobi_.edit(lost, "status", "\"2\"");
  hq_.startOnCopy(backup);
  expectEqual();
  EXPECT_EQ(hq_.record(lost)->value("status"), "\"2\"");
}

// What an office says that headquarters fed it, and whose seal is not headquarters'.
class Forged : public Returned {
 protected:
  Change forgery() {
    Change change;
    change.dot = {0x1234567812345678, 1};  // of a start of headquarters that it has forgotten
    change.time = 1;
    change.author = "amina@HQ";
    change.edits = {{id_, {{"_custody", {}, "\"MBA\""}}}};
    return change;
  }

  // An honest request of Mombasa, with the forgery before its end.
  void send(const std::string& frames) {
    LeafExchange up(mombasa_.replica(), mombasa_.connections(), mombasa_.key());
    HubExchange down(hq_.replica(), hq_.connections(), "MBA");
    down.receive(up.request() + frames);
    up.receive(down.answer());
  }

  std::string sealedBy(const crypto::SigningKey& key, const Change& claimed, const Change& sent) {
    SealMaker seal(std::string(kSealSeedSize, 's'));
    seal.add(encodeChange(claimed));
    const CarriedSeal carried{"", seal.sign(key), seal.digests(), {{sent.dot, 1, seal.salt(1)}}};
    return encodeFrame(FrameType::kCarriedSeal, encodeCarriedSeal(carried)) +
           encodeFrame(FrameType::kReturned, encodeHealing({sent}));
  }

  void expectRefused(const std::string& reason) {
    EXPECT_EQ(hq_.record(id_)->value("_custody"), "\"NBO\"");
    ASSERT_EQ(hq_.quarantine().size(), 1U);
    EXPECT_EQ(hq_.quarantine().front().reason, reason);
    EXPECT_FALSE(mombasa_.record(id_));
  }
};

TEST_F(Forged, IsKeptAsideWithoutASeal) {
  send(encodeFrame(FrameType::kReturned, encodeHealing({forgery()})));
  expectRefused("replica-is-foreign");
}

TEST_F(Forged, IsKeptAsideUnderTheOfficesOwnSeal) {
  send(sealedBy(mombasa_.key(), forgery(), forgery()));
  expectRefused("signature-is-forged");
}

TEST_F(Forged, IsKeptAsideUnderASealOfHeadquartersOverSomethingElse) {
  Change other = forgery();
  other.edits[0].writes[0].value = "\"NBO\"";
  send(sealedBy(hq_.key(), other, forgery()));
  expectRefused("replica-is-foreign");
}

TEST_F(Forged, IsLetInOnlyUnderHeadquartersOwnSeal) {
  send(sealedBy(hq_.key(), forgery(), forgery()));
  EXPECT_TRUE(hq_.quarantine().empty());
  EXPECT_EQ(hq_.record(id_)->field("_custody")->size(), 2U);
}

// Whoever once held a case can not write to it again by returning what headquarters has not lost.
TEST_F(Returned, OpensNoCaseThatHasGoneToAnotherOffice) {
  hq_.edit(id_, "status", "\"fed\"");
  settle();
  const std::string before = nairobi_.copyOfStore();
  hq_.edit(id_, "_custody", "\"MBA\"");
  settle();
  ASSERT_FALSE(nairobi_.record(id_));
  nairobi_.startOnCopy(before);
  std::string frames;
  {
    const storage::Connections::Lease reader = nairobi_.connections().reader();
    storage::Store store(*reader);
    frames = returnedRecords(store, {id_}, 1'000'000);
  }
  ASSERT_FALSE(frames.empty());
  LeafExchange up(nairobi_.replica(), nairobi_.connections(), nairobi_.key());
  HubExchange down(hq_.replica(), hq_.connections(), "NBO");
  down.receive(up.request() + frames);
  EXPECT_EQ(down.changesIn(), 0U);
}

// Headquarters, an office and its phone: what only the phone has still, once both above it went
// back.
class ReturnedFromBelow : public Returned {
 protected:
  ReturnedFromBelow() {
    enrol(nairobi_, phone_);
    settleAll();
  }

  void settleAll() {
    for (int i = 0; i < 3; ++i) {
      exchangeAll(nairobi_, phone_);
      settle();
    }
    exchangeAll(nairobi_, phone_);
  }

  void expectAllEqual() {
    settleAll();
    EXPECT_EQ(exchange(nairobi_, phone_).agreement, Agreement::kAgree);
    expectEqual();
    for (const storage::QuarantineRow& row : nairobi_.quarantine()) {
      ADD_FAILURE() << "kept aside at the office: " << row.reason;
    }
  }

  TestNode phone_{"NBO-P1", true, 4, "NBO"};
};

TEST_F(ReturnedFromBelow, IsWhatHeadquartersWroteAndOnlyAPhoneHasStill) {
  const std::string backup = hq_.copyOfStore();
  const std::string office = nairobi_.copyOfStore();
  hq_.edit(id_, "status", "\"of headquarters\"");
  const RecordId born = hq_.create("case_file", {{"_custody", "\"NBO\""}, {"a", "\"1\""}});
  settleAll();
  ASSERT_TRUE(phone_.record(born));
  hq_.startOnCopy(backup);
  nairobi_.startOnCopy(office);
  expectAllEqual();
  EXPECT_EQ(hq_.record(id_)->value("status"), "\"of headquarters\"");
  ASSERT_TRUE(hq_.record(born));
  EXPECT_EQ(hq_.record(born)->value("a"), "\"1\"");
}

// The phone is enrolled later, so it gets states and not changes, of which a part was replaced.
TEST_F(ReturnedFromBelow, IsWhatCameToThePhoneInTheStateOfACase) {
  const std::string backup = hq_.copyOfStore();
  const std::string office = nairobi_.copyOfStore();
  const RecordId born =
      hq_.create("case_file", {{"_custody", "\"NBO\""}, {"a", "\"1\""}, {"b", "\"2\""}});
  settle();
  nairobi_.edit(born, "a", "\"of the office\"");
  settle();
  TestNode late("NBO-P2", true, 5, "NBO");
  enrol(nairobi_, late);
  exchangeAll(nairobi_, late);
  ASSERT_EQ(late.record(born)->value("a"), "\"of the office\"");
  hq_.startOnCopy(backup);
  nairobi_.startOnCopy(office);
  enrol(nairobi_, late);
  exchangeAll(nairobi_, late);
  expectAllEqual();
  EXPECT_EQ(exchangeAll(nairobi_, late).agreement, Agreement::kAgree);
  ASSERT_TRUE(hq_.record(born));
  EXPECT_EQ(hq_.record(born)->value("a"), "\"of the office\"");
  EXPECT_EQ(hq_.record(born)->value("b"), "\"2\"");
}

// What the office has from its phone it can give back again, should headquarters lose it again.
TEST_F(ReturnedFromBelow, IsHeldByTheOfficeWithItsProofFromThenOn) {
  const std::string backup = hq_.copyOfStore();
  const std::string office = nairobi_.copyOfStore();
  hq_.edit(id_, "status", "\"of headquarters\"");
  settleAll();
  hq_.startOnCopy(backup);
  nairobi_.startOnCopy(office);
  expectAllEqual();
  hq_.startOnCopy(backup);
  settle();
  EXPECT_EQ(hq_.record(id_)->value("status"), "\"of headquarters\"");
}

TEST_F(ReturnedFromBelow, ComesUpThroughTwoOffices) {
  TestNode sub("KIS", true, 6, "", true);
  TestNode deep("KIS-P1", true, 7, "KIS");
  enrol(nairobi_, sub);
  enrol(sub, deep);
  const auto everybody = [&] {
    for (int i = 0; i < 3; ++i) {
      exchangeAll(sub, deep);
      exchangeAll(nairobi_, sub);
      settle();
    }
  };
  everybody();
  const std::string backup = hq_.copyOfStore();
  const std::string office = nairobi_.copyOfStore();
  const std::string below = sub.copyOfStore();
  const RecordId born = hq_.create("case_file", {{"_custody", "\"KIS\""}, {"a", "\"1\""}});
  everybody();
  ASSERT_TRUE(deep.record(born));
  hq_.startOnCopy(backup);
  nairobi_.startOnCopy(office);
  sub.startOnCopy(below);
  everybody();
  everybody();
  ASSERT_TRUE(hq_.record(born));
  EXPECT_EQ(hq_.record(born)->value("a"), "\"1\"");
  expectEqual();
  EXPECT_EQ(exchangeAll(nairobi_, sub).agreement, Agreement::kAgree);
  EXPECT_EQ(exchangeAll(sub, deep).agreement, Agreement::kAgree);
}

// A phone invents a seal of headquarters beside the office's own, which is true.
TEST_F(ReturnedFromBelow, IsNotBelievedAtHeadquartersUnderASealThatAPhoneInvents) {
  hq_.edit(id_, "status", "\"of headquarters\"");
  settleAll();
  Change change;
  change.dot = {0x1234567812345678, 1};
  change.time = 1;
  change.author = "amina@HQ";
  change.edits = {{id_, {{"_custody", {}, "\"MBA\""}}}};
  std::string frames;
  for (const auto& [signer, key] : {std::pair{"", &nairobi_.key()}, {"^", &phone_.key()}}) {
    SealMaker seal(std::string(kSealSeedSize, 's'));
    seal.add(encodeChange(change));
    frames += encodeFrame(
        FrameType::kCarriedSeal,
        encodeCarriedSeal(
            {signer, seal.sign(*key), seal.digests(), {{change.dot, 1, seal.salt(1)}}}));
  }
  frames += encodeFrame(FrameType::kReturned, encodeHealing({change}));
  LeafExchange up(phone_.replica(), phone_.connections(), phone_.key());
  HubExchange down(nairobi_.replica(), nairobi_.connections(), "NBO-P1");
  down.receive(up.request() + frames);
  up.receive(down.answer());
  settle();
  EXPECT_EQ(hq_.record(id_)->value("_custody"), "\"NBO\"");
  ASSERT_FALSE(hq_.quarantine().empty());
  EXPECT_EQ(hq_.quarantine().front().reason, "signature-is-forged");
}

// One save of headquarters touches two cases, of which the phone may have one.
TEST_F(ReturnedFromBelow, IsOneEditOfAChangeWhereThePhoneMayNotHaveTheOther) {
  const RecordId other = hq_.create("case_file", {{"_custody", "\"NBO\""}, {"status", "\"new\""}});
  settleAll();
  const std::string backup = hq_.copyOfStore();
  const std::string office = nairobi_.copyOfStore();
  {
    const storage::Connections::Lease writer = hq_.connections().writer();
    Work work(hq_.replica(), *writer);
    DraftEdit first;
    first.record = id_;
    first.sawCurrent = true;
    first.writes = {{"status", "\"both\""}};
    DraftEdit second = first;
    second.record = other;
    work.save("amina", {first, second});
    work.commit();
  }
  settle();
  hq_.edit(other, "_custody", "\"MBA\"");
  settleAll();
  ASSERT_FALSE(nairobi_.record(other));
  ASSERT_EQ(phone_.record(id_)->value("status"), "\"both\"");
  TestNode late("NBO-P2", true, 5, "NBO");
  enrol(nairobi_, late);
  exchangeAll(nairobi_, late);
  hq_.startOnCopy(backup);
  nairobi_.startOnCopy(office);
  enrol(nairobi_, late);
  exchangeAll(nairobi_, late);
  settle();
  EXPECT_EQ(hq_.record(id_)->value("status"), "\"both\"");
  EXPECT_EQ(exchange(hq_, nairobi_).agreement, Agreement::kAgree);
}

}  // namespace
}  // namespace waystation::sync

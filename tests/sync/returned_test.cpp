// A hub that was restored gets back what it had fed to its leaves and lost.

#include "sync/returned.h"

#include <gtest/gtest.h>

#include "sync/seal.h"
#include "tests/support/sync_nodes.h"

namespace waystation::sync {
namespace {

using testing::Cut;
using testing::enrol;
using testing::exchange;
using testing::exchangeAll;
using testing::exchangeCut;
using testing::TestNode;

class Returned : public ::testing::Test {
 protected:
  Returned() {
    enrol(hq_, nairobi_);
    enrol(hq_, mombasa_);
    id_ = hq_.create("case_file", {{"_custody", "\"NBO\""}, {"status", "\"new\""}});
    settle();
  }

  void settle() {
    for (int i = 0; i < 3; ++i) {
      exchangeAll(hq_, nairobi_);
      exchangeAll(hq_, mombasa_);
    }
  }

  void expectEqual() {
    settle();
    EXPECT_EQ(exchange(hq_, nairobi_).agreement, Agreement::kAgree);
    EXPECT_EQ(exchange(hq_, mombasa_).agreement, Agreement::kAgree);
    for (const storage::QuarantineRow& row : hq_.quarantine()) {
      ADD_FAILURE() << "kept aside: " << row.reason << " of " << row.leaf;
    }
  }

  TestNode hq_{"HQ", false, 1};
  TestNode nairobi_{"NBO", true, 2};
  TestNode mombasa_{"MBA", true, 3};
  RecordId id_;
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

}  // namespace
}  // namespace waystation::sync

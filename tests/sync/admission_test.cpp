#include "sync/admission.h"

#include <gtest/gtest.h>

#include "crypto/failure.h"
#include "sync/deletion.h"
#include "sync/frame.h"
#include "tests/support/sync_nodes.h"

namespace waystation::sync {
namespace {

using testing::enrol;
using testing::exchangeAll;
using testing::TestNode;

std::string codeOf(const std::function<void()>& act) {
  try {
    act();
  } catch (const Failure& failure) {
    return failure.code();
  }
  return "";
}

// An office that signs and sends whatever the test likes: a hostile one.
class Hostile {
 public:
  Hostile(TestNode& hub, TestNode& office) : hub_(hub), office_(office) {}

  Change next(const std::vector<Edit>& edits) {
    Change change{{kReplica, number_ + 1}, 1000, "mallory@NBO", edits};
    sortEdits(change);
    return change;
  }

  // Sends consecutive changes; answers how many were quarantined.
  std::size_t send(const std::vector<Change>& changes) {
    HubExchange hub(hub_.replica(), hub_.connections(), "NBO");
    hub.receive(request(changes));
    hub.answer();
    number_ += changes.size();
    return hub.quarantined();
  }

  std::string request(const std::vector<Change>& changes) {
    ChangesFrame frame{kReplica, number_ + 1, changes};
    std::string hash = hash_;
    std::uint64_t number = number_;
    for (const Change& change : changes) {
      const std::string salt = chainSalt(kSaltKey, ++number);
      hash = nextChainHash(hash, linkDigest(salt, encodeChange(change)));
    }
    hash_ = hash;
    Hello hello;
    hello.base = claims;
    if (breakHead) hash[0] = static_cast<char>(hash[0] ^ 1);
    frame.signature = office_.key().sign(headToSign(kReplica, number + signAhead, hash));
    if (forge) frame.signature[0] = static_cast<char>(frame.signature[0] ^ 1);
    if (!sign) frame.signature = std::string(kChainSignatureSize, '\0');
    PackedFrameWriter pack;
    pack.changes(frame);
    return encodeFrame(FrameType::kHello, encodeHello(hello)) +
           encodeFrame(FrameType::kIncarnation,
                       encodeIncarnation({kReplica, 0, 0, "", std::string(kSaltKey)})) +
           pack.take();
  }

  static Edit birth(std::uint64_t number, std::optional<RecordId> root = std::nullopt) {
    Edit edit{{kReplica, number}, {{"_kind", {}, "\"case_file\""}}};
    if (root) edit.writes.push_back({"_root", {}, referenceValue(*root)});
    return edit;
  }

  static constexpr ReplicaId kReplica = 0x1234;
  static constexpr std::string_view kSaltKey = "0123456789abcdef";
  bool sign = true;
  bool forge = false;
  bool breakHead = false;
  std::uint64_t signAhead = 0;
  Position claims{0, 0, std::string(kHashPrefixSize, '\0')};  // where it says that it stands

 private:
  TestNode& hub_;
  TestNode& office_;
  std::uint64_t number_ = 0;
  std::string hash_;
};

class Admission : public ::testing::Test {
 protected:
  Admission() {
    enrol(hq_, nairobi_);
    enrol(hq_, mombasa_);
  }

  // The change is kept aside, whole, and what follows it comes in.
  void expectRefused(const Change& change, const std::string& reason) {
    EXPECT_EQ(hostile_.send({change}), 1U);
    const auto aside = hq_.quarantine();
    ASSERT_EQ(aside.size(), 1U);
    EXPECT_EQ(aside[0].reason, reason);
    EXPECT_EQ(aside[0].leaf, "NBO");
    EXPECT_EQ(aside[0].body, encodeChange(change));
    EXPECT_EQ(hostile_.send({hostile_.next({Hostile::birth(77)})}), 0U);
    EXPECT_TRUE(hq_.record({Hostile::kReplica, 77}));
  }

  Edit edit(const RecordId& id, const Write& write) { return {id, {write}}; }
  storage::LeafRow leafOf(Work& work, const std::string& name) {
    return work.store().leafByName(name).value();
  }

  TestNode hq_{"HQ", false, 1};
  TestNode nairobi_{"NBO", true, 2};
  TestNode mombasa_{"MBA", true, 3};
  Hostile hostile_{hq_, nairobi_};
};

TEST_F(Admission, LetsInWhatAnOfficeMadeItself) {
  EXPECT_EQ(hostile_.send({hostile_.next({Hostile::birth(1)})}), 0U);
  EXPECT_TRUE(hq_.record({Hostile::kReplica, 1}));
}

TEST_F(Admission, RefusesAChangeUnderAnotherIncarnation) {
  Change change = hostile_.next({Hostile::birth(1)});
  change.dot.replica = hq_.replica().incarnation();
  expectRefused(change, "replica-is-foreign");
}

TEST_F(Admission, RefusesACounterThatTheChainHasNotReached) {
  Change change = hostile_.next({Hostile::birth(1)});
  change.dot.counter = 1'000'000;
  expectRefused(change, "counter-is-beyond-the-chain");
}

TEST_F(Admission, RefusesASecondBodyUnderOneDot) {
  hostile_.send({hostile_.next({Hostile::birth(1)})});
  Change change = hostile_.next({Hostile::birth(2)});
  change.dot.counter = 1;
  expectRefused(change, "dot-is-used");
  EXPECT_FALSE(hq_.record({Hostile::kReplica, 2}));
}

TEST_F(Admission, RefusesAnAuthorOfAnotherOffice) {
  Change change = hostile_.next({Hostile::birth(1)});
  change.author = "amina@MBA";
  expectRefused(change, "author-is-foreign");
}

TEST_F(Admission, RefusesAWriteThatHasSeenItself) {
  Edit born = Hostile::birth(1);
  Context seen;
  seen.add({Hostile::kReplica, 1, {}});
  born.writes.push_back({"a", seen, "1"});
  expectRefused(hostile_.next({born}), "seen-reaches-itself");
}

TEST_F(Admission, RefusesAWriteThatHasSeenWhatHeadquartersHasNotWritten) {
  const RecordId id = hq_.create("case_file", {{"_custody", "\"NBO\""}});
  Context seen;
  seen.add({hq_.replica().incarnation(), 1'000'000, {}});
  expectRefused(hostile_.next({edit(id, {"a", seen, "1"})}), "seen-was-never-written");
}

TEST_F(Admission, RefusesAWriteThatHasSeenWhatAnotherOfficeHasNotSent) {
  const RecordId id = hq_.create("case_file", {{"_custody", "\"NBO\""}, {"_scope", "[\"MBA\"]"}});
  exchangeAll(hq_, mombasa_);
  mombasa_.edit(id, "a", "\"m\"");
  exchangeAll(hq_, mombasa_);
  Context seen;
  seen.add({mombasa_.replica().incarnation(), 2, {}});
  expectRefused(hostile_.next({edit(id, {"a", seen, "1"})}), "seen-is-beyond-what-is-held");
}

// Two replicas would be in different states by the order in which they hear of the two writes.
TEST_F(Admission, RefusesAWriteThatHasSeenAnotherButNotWhatThatHadSeen) {
  const RecordId id =
      hq_.create("case_file", {{"_custody", "\"NBO\""}, {"_scope", "[\"MBA\"]"}, {"a", "\"hq\""}});
  exchangeAll(hq_, mombasa_);
  mombasa_.edit(id, "a", "\"m\"");
  exchangeAll(hq_, mombasa_);
  Context seen;
  seen.add({mombasa_.replica().incarnation(), 1, {}});
  expectRefused(hostile_.next({edit(id, {"a", seen, "1"})}), "seen-is-not-closed");
}

// Its chain was lost, and the change came home by itself: what is held can be seen.
TEST_F(Admission, LetsInAWriteThatHasSeenWhatIsHeldBeyondTheChain) {
  const RecordId id = hq_.create("case_file", {{"_custody", "\"NBO\""}, {"_scope", "[\"MBA\"]"}});
  exchangeAll(hq_, mombasa_);
  mombasa_.edit(id, "a", "\"m\"");
  exchangeAll(hq_, mombasa_);
  const Dot beyond{mombasa_.replica().incarnation(), 7};
  {
    const storage::Connections::Lease writer = hq_.connections().writer();
    Work work(hq_.replica(), *writer);
    work.apply({beyond, 2000, "said@MBA", {edit(id, {"b", {}, "1"})}}, leafOf(work, "MBA").leaf,
               {});
    work.commit();
  }
  Context seen;
  seen.add({beyond.replica, beyond.counter, {}});
  EXPECT_EQ(hostile_.send({hostile_.next({edit(id, {"b", seen, "2"})})}), 0U);
  EXPECT_EQ(hq_.record(id)->value("b"), "2");
}

TEST_F(Admission, RefusesADeletionThatIsNoneOrHasReadWhatNobodyWrote) {
  const RecordId id = hq_.create("case_file", {{"_custody", "\"NBO\""}});
  EXPECT_EQ(hostile_.send({hostile_.next({edit(id, {"_deleted", {}, "\"no tag\""})})}), 1U);
  EXPECT_EQ(hq_.quarantine().at(0).reason, "deletion-is-malformed");
  Context seen;
  seen.add({hq_.replica().incarnation(), 1'000'000, {}});
  const std::string future = deletionValue({{"a", seen}});
  EXPECT_EQ(hostile_.send({hostile_.next({edit(id, {"_deleted", {}, future})})}), 1U);
  EXPECT_EQ(hq_.quarantine().at(0).reason, "seen-was-never-written");
  EXPECT_FALSE(isHidden(*hq_.record(id)));
  EXPECT_EQ(hostile_.send({hostile_.next({edit(id, {"_deleted", {}, deletionValue({})})})}), 0U);
  EXPECT_TRUE(isHidden(*hq_.record(id)));
}

// An office that only works on a case asks for no hand-over of it.
TEST_F(Admission, RefusesAHandOverAskedForByAnotherThanTheCustodian) {
  const RecordId id = hq_.create("case_file", {{"_custody", "\"MBA\""}, {"_scope", "[\"NBO\"]"}});
  Edit asks = Hostile::birth(1, id);
  asks.writes[0].value = "\"handover\"";
  asks.writes.push_back({"to", {}, "\"NBO\""});
  expectRefused(hostile_.next({asks}), "field-is-the-custodians");
  const RecordId own = hq_.create("case_file", {{"_custody", "\"NBO\""}});
  Edit may = asks;
  may.record.number = 3;
  may.writes[1].value = referenceValue(own);
  EXPECT_EQ(hostile_.send({hostile_.next({may})}), 0U);
}

TEST_F(Admission, RefusesCustodyWrittenByAnOffice) {
  Edit born = Hostile::birth(1);
  born.writes.push_back({"_custody", {}, "\"MBA\""});
  expectRefused(hostile_.next({born}), "field-is-headquarters");
}

TEST_F(Admission, RefusesAnAccountThatItsOfficeEnablesRenamesOrDeletes) {
  const RecordId account{Hostile::kReplica, 1};
  Edit born = Hostile::birth(1);
  born.writes = {{"_kind", {}, "\"account\""}, {"disabled", {}, "false"}};
  EXPECT_EQ(hostile_.send({hostile_.next({born})}), 1U);
  born.writes = {{"_kind", {}, "\"account\""}, {"name", {}, "\"amina\""}};
  EXPECT_EQ(hostile_.send({hostile_.next({born})}), 0U);
  EXPECT_EQ(hostile_.send({hostile_.next({edit(account, {"role", {}, "\"reader\""})})}), 0U);
  for (const char* field : {"disabled", "name", "_deleted"}) {
    EXPECT_EQ(hostile_.send({hostile_.next({edit(account, {field, {}, "false"})})}), 1U) << field;
  }
  for (const storage::QuarantineRow& row : hq_.quarantine()) {
    EXPECT_EQ(row.reason, "field-is-headquarters");
  }
}

TEST_F(Admission, RefusesARecordBornUnderAnotherName) {
  Edit born = Hostile::birth(1);
  born.record.replica = 99;
  expectRefused(hostile_.next({born}), "birth-is-not-its-own");
}

TEST_F(Admission, RefusesASecondBirth) {
  hostile_.send({hostile_.next({Hostile::birth(1)})});
  expectRefused(hostile_.next({Hostile::birth(1)}), "born-twice");
}

// A part of it had come before, such as by healing: its birth is no second one.
TEST_F(Admission, LetsInAChangeOfWhichAPartCameBefore) {
  Edit born = Hostile::birth(1);
  born.writes.push_back({"a", {}, "1"});
  const Change whole = hostile_.next({born});
  {
    const storage::Connections::Lease writer = hq_.connections().writer();
    Work work(hq_.replica(), *writer);
    work.apply({whole.dot, whole.time, whole.author, {Hostile::birth(1)}}, leafOf(work, "NBO").leaf,
               {});
    work.commit();
  }
  EXPECT_EQ(hostile_.send({whole}), 0U);
  EXPECT_EQ(hq_.record({Hostile::kReplica, 1})->value("a"), "1");
}

TEST_F(Admission, RefusesARecordBornIntoARootThatIsMissing) {
  expectRefused(hostile_.next({Hostile::birth(1, RecordId{777, 1})}), "birth-is-missing");
}

TEST_F(Admission, RefusesALinkOfAnotherReplicaThanTheChange) {
  const storage::Connections::Lease writer = hq_.connections().writer();
  Work work(hq_.replica(), *writer);
  const Change change = hostile_.next({Hostile::birth(1)});
  const storage::LeafRow leaf = leafOf(work, "NBO");
  EXPECT_EQ(judge(work, leaf, {777, 1}, change).reason, "replica-is-foreign");
  EXPECT_TRUE(judge(work, leaf, change.dot, change).letsIn());
}

TEST_F(Admission, RefusesAnEditOfARecordWhoseBirthIsMissing) {
  expectRefused(hostile_.next({edit({Hostile::kReplica, 5}, {"a", {}, "1"})}), "birth-is-missing");
}

TEST_F(Admission, RefusesAnEditOfAnotherOfficesRecord) {
  const RecordId id = mombasa_.create("person", {{"name", "\"A\""}});
  exchangeAll(hq_, mombasa_);
  expectRefused(hostile_.next({edit(id, {"name", {}, "\"X\""})}), "record-is-not-the-offices");
  EXPECT_EQ(hq_.record(id)->value("name"), "\"A\"");
}

TEST_F(Admission, RefusesARecordBornIntoAnotherOfficesRoot) {
  const RecordId id = mombasa_.create("person", {{"name", "\"A\""}});
  exchangeAll(hq_, mombasa_);
  expectRefused(hostile_.next({Hostile::birth(1, id)}), "record-is-not-the-offices");
}

TEST_F(Admission, DoesNotCompareWithAnOfficeThatHoldsWhatWasNotLetIn) {
  nairobi_.create("person", {{"name", "\"A\""}});
  exchangeAll(hq_, nairobi_);
  EXPECT_EQ(exchangeAll(hq_, nairobi_).agreement, Agreement::kAgree);
  {
    const storage::Connections::Lease writer = hq_.connections().writer();
    Work work(hq_.replica(), *writer);
    storage::QuarantineRow row;
    row.leaf = "NBO";
    row.body = "body";
    work.store().addQuarantine(row);
    work.commit();
  }
  EXPECT_EQ(exchangeAll(hq_, nairobi_).agreement, Agreement::kNotCompared);
}

// Naming is not getting: neither who names a person nor whoever gets the naming case next.
TEST_F(Admission, GrantsNothingToAnOfficeThatNamesWhatItDoesNotHold) {
  const RecordId secret = mombasa_.create("person", {{"name", "\"A\""}});
  exchangeAll(hq_, mombasa_);
  const RecordId mine =
      nairobi_.create("case_file", {{"person", referenceValue(secret)}, {"a", "\"1\""}});
  exchangeAll(hq_, nairobi_);
  enrol(hq_, nairobi_);  // its feed begins again
  exchangeAll(hq_, nairobi_);
  EXPECT_FALSE(nairobi_.record(secret));
  TestNode third("KIS", true, 4);
  enrol(hq_, third);
  hq_.edit(mine, "_custody", "\"KIS\"");
  exchangeAll(hq_, third);
  EXPECT_TRUE(third.record(mine));
  EXPECT_FALSE(third.record(secret));
}

TEST_F(Admission, RefusesChangesThatGoOnFromAnotherHistory) {
  hostile_.send({hostile_.next({Hostile::birth(1)})});
  hostile_.claims = {Hostile::kReplica, 1, "another."};
  EXPECT_EQ(codeOf([&] { hostile_.send({hostile_.next({Hostile::birth(2)})}); }),
            "sync.chain-broken");
  EXPECT_FALSE(hq_.record({Hostile::kReplica, 2}));
}

class RefusedWhole : public Admission {
 protected:
  std::string send() {
    const std::string request = hostile_.request({hostile_.next({Hostile::birth(1)})});
    HubExchange hub(hq_.replica(), hq_.connections(), "NBO");
    return codeOf([&] { hub.receive(request); });
  }
  void TearDown() override {
    EXPECT_FALSE(hq_.record({Hostile::kReplica, 1})) << "nothing of the frame is applied";
    EXPECT_TRUE(hq_.quarantine().empty());
  }
};

TEST_F(RefusedWhole, IsAForgedSignature) {
  hostile_.forge = true;
  EXPECT_EQ(send(), "sync.signature");
}

TEST_F(RefusedWhole, AreChangesWithoutASignature) {
  hostile_.sign = false;
  EXPECT_EQ(send(), "sync.signature");
}

TEST_F(RefusedWhole, AreChangesOtherThanTheSignedOnes) {
  hostile_.breakHead = true;
  EXPECT_EQ(send(), "sync.signature");
}

TEST_F(RefusedWhole, AreChangesBeyondTheSignedOnes) {
  hostile_.signAhead = static_cast<std::uint64_t>(-1);
  EXPECT_EQ(send(), "sync.signature");
}

}  // namespace
}  // namespace waystation::sync

#include "sync/erasure.h"

#include <gtest/gtest.h>

#include <memory>

#include "crypto/failure.h"
#include "sync/healing.h"
#include "sync/quarantine.h"
#include "tests/support/sync_nodes.h"

namespace waystation::sync {
namespace {

using testing::enrol;
using testing::exchange;
using testing::exchangeAll;
using testing::TestNode;

constexpr const char* kWord = "Zuleikha";  // what must be nowhere any more

std::string named(const std::string& more = "") {
  return "\"" + std::string(kWord) + " " + more + "\"";
}

// A search index and import keys, as the server keeps them.
void project(storage::Store& store, std::int64_t row, const Record* record) {
  if (record == nullptr) {
    store.removeSearch(row);
    return;
  }
  store.putSearch(row, record->value("name"));
  store.putImportKey(record->kind(), record->value("name"), record->id.bytes());
}

struct Tree {
  TestNode hq{"HQ", false, 31};
  std::vector<std::unique_ptr<TestNode>> offices;

  Tree() {
    hq.setProjection(project);
    for (const char* name : {"NBO", "MBA", "KIS"}) {
      offices.push_back(std::make_unique<TestNode>(name, true, 32 + offices.size()));
      offices.back()->setProjection(project);
      enrol(hq, *offices.back());
    }
  }
  TestNode& nbo() { return *offices[0]; }
  TestNode& mba() { return *offices[1]; }
  TestNode& kis() { return *offices[2]; }

  void settle() {
    for (int round = 0; round < 3; ++round) {
      for (const auto& office : offices) exchangeAll(hq, *office);
    }
  }
  ErasureCounts erase(const std::vector<RecordId>& ids) {
    const storage::Connections::Lease writer = hq.connections().writer();
    ErasureCounts counts;
    {
      Work work(hq.replica(), *writer);
      counts = eraseForGood(work, hq.key(), "privacy officer", ids);
      work.commit();
    }
    storage::Store(*writer).scrub();
    return counts;
  }
  // The database as it lies decrypted, free pages and all.
  bool holdsWord(TestNode& node) {
    const std::string bytes = node.copyOfStore();
    std::string lower = kWord;  // as the index folds it
    lower[0] = 'z';
    return bytes.find(kWord) != std::string::npos || bytes.find(lower) != std::string::npos;
  }
  void expectGoneEverywhere() {
    EXPECT_FALSE(holdsWord(hq)) << "HQ";
    for (const auto& office : offices) EXPECT_FALSE(holdsWord(*office)) << office->name();
  }
  void expectAgreement() {
    for (const auto& office : offices) {
      EXPECT_EQ(exchangeAll(hq, *office).agreement, Agreement::kAgree) << office->name();
    }
  }
  std::vector<storage::ErasureReceiptRow> receipts() {
    const storage::Connections::Lease reader = hq.connections().reader();
    return storage::Store(*reader).erasureReceipts();
  }
  std::int64_t late(TestNode& node) {
    const storage::Connections::Lease reader = node.connections().reader();
    std::int64_t sum = 0;
    for (const storage::ErasureRow& row : storage::Store(*reader).erasures()) sum += row.late;
    return sum;
  }
};

// The chain of what a leaf made follows link by link, with bodies or without.
void expectChainFollows(TestNode& node) {
  const storage::Connections::Lease reader = node.connections().reader();
  storage::Store store(*reader);
  std::string hash;
  for (const storage::UpwardRow& link : store.upwardAfter(0, 1'000'000)) {
    EXPECT_EQ(link.hash, nextChainHash(hash, link.digest));
    hash = link.hash;
    const std::optional<storage::JournalRow> entry = store.journal(link.seq);
    if (entry && !link.salt.empty()) {
      EXPECT_EQ(linkDigest(link.salt, entry->body), link.digest);
    }
  }
}

bool hasChangesOf(TestNode& node, const RecordId& id) {
  const storage::Connections::Lease reader = node.connections().reader();
  bool found = false;
  storage::Store(*reader).eachJournal([&](const storage::JournalRow& row) {
    for (const Edit& edit : decodeChange(row.body).edits) found = found || edit.record == id;
  });
  return found;
}

// A person at NBO shared with MBA, with a note, edited often by both; and a case that stays.
struct Erasing : Tree {
  RecordId person;
  RecordId note;
  RecordId other;

  Erasing() {
    person = hq.create(
        "person", {{"_custody", "\"NBO\""}, {"_scope", "[\"MBA\"]"}, {"name", named("of HQ")}});
    settle();
    other = nbo().create("case_file", {{"person", referenceValue(person)}, {"name", "\"plain\""}});
    note = nbo().create("note", {{"name", named("note")}}, person);
    for (int i = 0; i < 30; ++i) {
      nbo().edit(person, "name", named("of NBO " + std::to_string(i) + std::string(600, 'x')));
      mba().edit(person, "need", named("of MBA " + std::to_string(i)));
      nbo().create("case_file", {{"name", "\"filler " + std::string(300, 'f') + "\""}});
    }
    settle();
  }

  // The person and the case that stays, in one change.
  void editBoth(TestNode& node) { editWithOther(node, person); }
  void editWithOther(TestNode& node, const RecordId& id) {
    const storage::Connections::Lease writer = node.connections().writer();
    Work work(node.replica(), *writer);
    DraftEdit erased;
    erased.record = id;
    erased.sawCurrent = true;
    erased.writes = {{"name", named("both")}};
    DraftEdit kept;
    kept.record = other;
    kept.sawCurrent = true;
    kept.writes = {{"name", "\"both\""}};
    work.save("tester", {erased, kept});
    work.commit();
  }
};

// By the list kept beside the store, before anything else has gone up or down.
void tellOfErasures(Tree& nodes, TestNode& office) {
  const storage::Connections::Lease reader = nodes.hq.connections().reader();
  storage::Store store(*reader);
  const storage::Connections::Lease writer = office.connections().writer();
  Work work(office.replica(), *writer);
  takeErasureText(work, exportErasures(store, nodes.hq.replica()));
  work.commit();
}

TEST(Erasure, ReachesEveryReplicaAndLeavesNoByteOfTheWordsAnywhere) {
  Erasing nodes;
  ASSERT_TRUE(nodes.holdsWord(nodes.mba()));
  const ErasureCounts counts = nodes.erase({nodes.person});
  EXPECT_EQ(counts.records, 2U);
  EXPECT_EQ(counts.offices, (std::vector<std::string>{"MBA", "NBO"}));
  nodes.settle();
  nodes.expectGoneEverywhere();
  for (TestNode* node : {&nodes.hq, &nodes.nbo(), &nodes.mba()}) {
    EXPECT_FALSE(node->record(nodes.person));
    EXPECT_FALSE(node->record(nodes.note));
  }
  EXPECT_TRUE(nodes.hq.record(nodes.other));
  EXPECT_EQ(nodes.receipts().size(), 3U);
  nodes.expectAgreement();
  for (const auto& office : nodes.offices) expectChainFollows(*office);
}

TEST(Erasure, OfOneRecordLeavesTheRestOfItsRoot) {
  Erasing nodes;
  nodes.erase({nodes.note});
  nodes.settle();
  EXPECT_FALSE(nodes.nbo().record(nodes.note));
  EXPECT_TRUE(nodes.nbo().record(nodes.person));
  nodes.expectAgreement();
}

TEST(Erasure, OfACaseTakesAlongWhatAnOfficeHeldOnlyBecauseTheCaseNamedIt) {
  Tree nodes;
  const RecordId person = nodes.hq.create("person", {{"name", "\"A\""}});
  const DraftWrite names{"person", referenceValue(person)};
  const RecordId id = nodes.hq.create("case_file", {names, {"_custody", "\"NBO\""}});
  const RecordId other = nodes.hq.create("case_file", {names, {"_custody", "\"MBA\""}});
  nodes.settle();
  ASSERT_TRUE(nodes.nbo().record(person));
  nodes.erase({id});
  nodes.settle();
  EXPECT_FALSE(nodes.nbo().record(person));
  EXPECT_TRUE(nodes.mba().record(person)) << "which another case names";
  EXPECT_TRUE(nodes.mba().record(other));
  nodes.expectAgreement();
}

TEST(Erasure, DestroysWhatComesLateAndCountsIt) {
  Erasing nodes;
  nodes.mba().edit(nodes.person, "need", named("said late"));
  const RecordId child = nodes.nbo().create("note", {{"name", named("born late")}}, nodes.person);
  nodes.erase({nodes.person});
  exchangeAll(nodes.hq, nodes.mba());
  exchangeAll(nodes.hq, nodes.nbo());
  EXPECT_EQ(nodes.late(nodes.hq), 2);
  EXPECT_FALSE(nodes.hq.record(child));
  EXPECT_TRUE(nodes.hq.quarantine().empty());
  nodes.settle();
  nodes.expectGoneEverywhere();
  nodes.expectAgreement();
  for (const auto& office : nodes.offices) expectChainFollows(*office);
}

TEST(Erasure, KeepsTheOtherPartOfAChangeThatWasNotSentYet) {
  Erasing nodes;
  nodes.editBoth(nodes.nbo());
  nodes.erase({nodes.person});
  // The certificate comes before the change has gone up.
  {
    LeafExchange up(nodes.nbo().replica(), nodes.nbo().connections(), nodes.nbo().key(), 0);
    HubExchange down(nodes.hq.replica(), nodes.hq.connections(), "NBO");
    FrameReader frames;
    frames.add(up.request());
    down.receive(encodeFrame(FrameType::kHello, frames.next()->payload));
    up.receive(down.answer());
    up.finish();
  }
  EXPECT_FALSE(nodes.nbo().record(nodes.person));
  nodes.settle();
  EXPECT_EQ(nodes.hq.record(nodes.other)->value("name"), "\"both\"");
  nodes.expectGoneEverywhere();
  nodes.expectAgreement();
  expectChainFollows(nodes.nbo());
  EXPECT_EQ(nodes.receipts().size(), 3U);
}

// What a phone had written to the case that stays is everywhere, and nothing of what was erased.
void expectTheOtherPartKept(Erasing& nodes, TestNode& phone) {
  nodes.settle();
  EXPECT_EQ(nodes.hq.record(nodes.other)->value("name"), "\"both\"");
  EXPECT_TRUE(nodes.hq.quarantine().empty());
  exchangeAll(nodes.nbo(), phone);
  nodes.settle();
  nodes.expectGoneEverywhere();
  EXPECT_FALSE(nodes.holdsWord(phone));
  nodes.expectAgreement();
  EXPECT_EQ(exchangeAll(nodes.nbo(), phone).agreement, Agreement::kAgree);
  expectChainFollows(nodes.nbo());
}

TEST(Erasure, KeepsTheOtherPartOfAChangeThatAPhoneSendsAfterItsOfficeHasErased) {
  Erasing nodes;
  TestNode phone("NBO-P1", true, 60, "NBO");
  enrol(nodes.nbo(), phone);
  exchangeAll(nodes.nbo(), phone);
  nodes.editBoth(phone);
  nodes.erase({nodes.person});
  nodes.settle();
  ASSERT_FALSE(nodes.nbo().record(nodes.person));
  exchangeAll(nodes.nbo(), phone);
  expectTheOtherPartKept(nodes, phone);
}

// Only who has had the child's birth knows that it goes with the person.
TEST(Erasure, OfAChildThatHeadquartersNeverHeardOfKeepsTheOtherPartOfItsChanges) {
  for (const bool isBirthAtOffice : {false, true}) {
    Erasing nodes;
    TestNode phone("NBO-P1", true, 60, "NBO");
    enrol(nodes.nbo(), phone);
    exchangeAll(nodes.nbo(), phone);
    const RecordId child = phone.create("note", {{"name", named("born late")}}, nodes.person);
    if (isBirthAtOffice) exchangeAll(nodes.nbo(), phone);
    nodes.editWithOther(phone, child);
    nodes.erase({nodes.person});
    tellOfErasures(nodes, nodes.nbo());
    ASSERT_FALSE(nodes.nbo().record(nodes.person));
    exchangeAll(nodes.nbo(), phone);
    expectTheOtherPartKept(nodes, phone);
    EXPECT_EQ(nodes.receipts().size(), 3U);
  }
}

// What was kept aside for want of a birth comes in without what the birth shows to be erased.
TEST(Erasure, OfAChildWhoseBirthComesLaterLetsInWhatWaitedForIt) {
  Erasing nodes;
  const RecordId child = nodes.nbo().create("note", {{"name", named("born late")}}, nodes.person);
  nodes.erase({nodes.person});
  Change change{{777, 1}, 5, "x@NBO", {{child, {{"name", {}, named("aside")}}}}};
  change.edits.push_back({nodes.other, {{"came", {}, "\"yes\""}}});
  sortEdits(change);
  {
    const storage::Connections::Lease writer = nodes.hq.connections().writer();
    Work work(nodes.hq.replica(), *writer);
    keepAside(work, *work.store().leafByName("NBO"), change.dot, change,
              {"birth-is-missing", Awaited{{}, child}}, {});
    work.commit();
  }
  exchangeAll(nodes.hq, nodes.nbo());
  EXPECT_EQ(nodes.hq.record(nodes.other)->value("came"), "\"yes\"");
  ASSERT_EQ(nodes.hq.quarantine().size(), 1U);
  EXPECT_EQ(nodes.hq.quarantine()[0].state, storage::QuarantineState::kReleased);
  nodes.settle();
  nodes.expectGoneEverywhere();
  nodes.expectAgreement();
}

TEST(Erasure, WinsOverAHandOverThatIsUnderWay) {
  Erasing nodes;
  nodes.hq.edit(nodes.person, "_custody", "\"KIS\"");
  exchange(nodes.hq, nodes.kis());  // has it; NBO has not heard yet
  nodes.nbo().edit(nodes.person, "name", named("unsent"));
  nodes.erase({nodes.person});
  nodes.settle();
  nodes.expectGoneEverywhere();
  nodes.expectAgreement();
  EXPECT_EQ(nodes.receipts().size(), 3U);
}

TEST(Erasure, DestroysAgainWhatAnOldBackupOfAnOfficeBringsBack) {
  Erasing nodes;
  const std::string backup = nodes.nbo().copyOfStore();
  nodes.erase({nodes.person});
  nodes.settle();
  nodes.nbo().startOnCopy(backup);
  ASSERT_TRUE(nodes.nbo().record(nodes.person));
  nodes.nbo().edit(nodes.person, "name", named("after the restore"));
  nodes.settle();
  nodes.expectGoneEverywhere();
  nodes.expectAgreement();
  EXPECT_GE(nodes.late(nodes.hq), 1);
}

TEST(Erasure, IsCollectedFromTheOfficesWhenHeadquartersIsRestoredBeforeAnythingIsFed) {
  Erasing nodes;
  const std::string backup = nodes.hq.copyOfStore();
  nodes.erase({nodes.person});
  nodes.settle();
  nodes.hq.startOnCopy(backup);
  ASSERT_TRUE(nodes.hq.record(nodes.person));
  const ExchangeOutcome first = exchange(nodes.hq, nodes.mba());
  EXPECT_EQ(first.changesDown, 0U);
  EXPECT_TRUE(first.more);
  nodes.settle();
  nodes.expectGoneEverywhere();
  EXPECT_FALSE(nodes.hq.record(nodes.person));
  nodes.expectAgreement();
}

TEST(Erasure, OfWhichARestoredOfficeHearsFromAPhoneFirstWaitsForHeadquarters) {
  Erasing nodes;
  TestNode phone("NBO-P1", true, 60, "NBO");
  enrol(nodes.nbo(), phone);
  exchangeAll(nodes.nbo(), phone);
  const std::string backup = nodes.nbo().copyOfStore();  // of before it knew whose word counts
  nodes.erase({nodes.person});
  nodes.settle();
  exchangeAll(nodes.nbo(), phone);
  ASSERT_FALSE(phone.record(nodes.person));
  nodes.nbo().startOnCopy(backup);
  EXPECT_EQ(exchangeAll(nodes.nbo(), phone).changesDown, 0U);
  EXPECT_FALSE(phone.record(nodes.person));
  nodes.settle();
  exchangeAll(nodes.nbo(), phone);
  EXPECT_EQ(exchangeAll(nodes.nbo(), phone).agreement, Agreement::kAgree);
  nodes.expectGoneEverywhere();
  EXPECT_FALSE(nodes.holdsWord(phone));
  nodes.expectAgreement();
}

TEST(Erasure, TakesWhatAnOfficeOnlyCarriedForAGuest) {
  Erasing nodes;
  TestNode phone("NBO-P1", true, 60, "NBO");
  enrol(nodes.nbo(), phone);
  exchangeAll(nodes.nbo(), phone);
  enrol(nodes.kis(), phone);
  const RecordId child = phone.create("note", {{"name", named("on the road")}}, nodes.person);
  phone.edit(child, "name", named("edited on the road"));
  exchange(nodes.kis(), phone);
  ASSERT_TRUE(hasChangesOf(nodes.kis(), child));
  nodes.erase({nodes.person});
  nodes.settle();
  exchangeAll(nodes.nbo(), phone);
  nodes.settle();
  EXPECT_FALSE(hasChangesOf(nodes.kis(), child));
  nodes.expectGoneEverywhere();
  EXPECT_FALSE(nodes.holdsWord(phone));
  nodes.expectAgreement();
}

TEST(Erasure, TakesQuarantinedCopiesToo) {
  Erasing nodes;
  {
    const storage::Connections::Lease writer = nodes.hq.connections().writer();
    Work work(nodes.hq.replica(), *writer);
    Change change{{777, 1}, 5, "x@NBO", {{nodes.person, {{"name", {}, named("aside")}}}}};
    storage::QuarantineRow row;
    row.leaf = "NBO";
    row.body = encodeChange(change);
    work.store().addQuarantine(row);
    work.commit();
  }
  EXPECT_EQ(nodes.erase({nodes.person}).quarantined, 1U);
  EXPECT_TRUE(nodes.hq.quarantine().empty());
  nodes.settle();
  nodes.expectGoneEverywhere();
}

TEST(Erasure, IsTakenFromHeadquartersAlone) {
  Erasing nodes;
  const ErasureCertificate forged{{nodes.other}, nodes.mba().key().sign("x")};
  HubExchange down(nodes.hq.replica(), nodes.hq.connections(), "MBA");
  LeafExchange up(nodes.mba().replica(), nodes.mba().connections(), nodes.mba().key());
  down.receive(up.request());
  try {
    down.receive(encodeFrame(FrameType::kCertificates, encodeCertificates({"", false, {forged}})));
    FAIL() << "taken";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), "erasure.signature");
  }
  EXPECT_TRUE(nodes.hq.record(nodes.other));
}

TEST(Erasure, FromAListKeptBesideTheStoreIsCarriedOutAgain) {
  Erasing nodes;
  const std::string backup = nodes.hq.copyOfStore();
  nodes.erase({nodes.person});
  std::string list;
  {
    const storage::Connections::Lease reader = nodes.hq.connections().reader();
    storage::Store store(*reader);
    list = exportErasures(store, nodes.hq.replica());
  }
  nodes.hq.startOnCopy(backup);
  {
    const storage::Connections::Lease writer = nodes.hq.connections().writer();
    Work work(nodes.hq.replica(), *writer);
    EXPECT_TRUE(takeErasureText(work, list));
    work.commit();
  }
  EXPECT_FALSE(nodes.hq.record(nodes.person));
}

}  // namespace
}  // namespace waystation::sync

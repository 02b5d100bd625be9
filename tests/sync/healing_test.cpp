#include "sync/healing.h"

#include <gtest/gtest.h>

#include "crypto/failure.h"
#include "tests/support/sync_nodes.h"

namespace waystation::sync {
namespace {

using testing::enrol;
using testing::exchange;
using testing::exchangeAll;
using testing::TestNode;

storage::RecordRow rowOf(TestNode& node, const RecordId& id) {
  const storage::Connections::Lease reader = node.connections().reader();
  return storage::Store(*reader).record(id.bytes()).value();
}

// Behind the store's back: the row alone, no digest.
void putState(TestNode& node, const RecordId& id, const std::string& state) {
  const storage::Connections::Lease writer = node.connections().writer();
  writer->statement("UPDATE records SET state = ?, packing = 0 WHERE id = ?")
      .bindBlob(1, state)
      .bindBlob(2, id.bytes())
      .run();
}

void flipValue(TestNode& node, const RecordId& id, const std::string& word) {
  std::string state = rowOf(node, id).state;
  const std::size_t at = state.find(word);
  ASSERT_NE(at, std::string::npos);
  state[at] = static_cast<char>(state[at] ^ 0x04);
  putState(node, id, state);
}

// The digest of the root becomes what the altered states sum up to, as a defect would leave it.
void makeDigestFit(TestNode& node, const RecordId& root) {
  const storage::Connections::Lease writer = node.connections().writer();
  storage::Store store(*writer);
  StateSum sum{};
  std::int64_t count = 0;
  for (const storage::RecordRow& row : store.recordsOfRoot(root.bytes(), "", 1'000'000)) {
    Record record;
    record.id = RecordId::fromBytes(row.id);
    addTo(sum, stateHash(record, row.state));
    ++count;
  }
  storage::RootRow row = store.root(root.bytes()).value();
  row.digest = sumBytes(sum);
  row.records = count;
  store.putRoot(root.bytes(), row);
}

void dropRecord(TestNode& node, const RecordId& id, bool withJournal) {
  const storage::RecordRow row = rowOf(node, id);
  const storage::Connections::Lease writer = node.connections().writer();
  if (withJournal) {
    writer
        ->statement(
            "DELETE FROM journal WHERE seq IN (SELECT seq FROM journal_records WHERE record = ?)")
        .bind(1, row.row)
        .run();
  }
  writer->statement("DELETE FROM journal_records WHERE record = ?").bind(1, row.row).run();
  writer->statement("DELETE FROM records WHERE row = ?").bind(1, row.row).run();
}

std::optional<storage::HealingRow> lastHealing(TestNode& node, std::string_view peer) {
  const storage::Connections::Lease reader = node.connections().reader();
  return storage::Store(*reader).lastHealing(peer);
}

struct Pair {
  TestNode hq{"HQ", false, 21};
  TestNode office{"NBO", true, 22};
  std::vector<RecordId> cases;

  explicit Pair(int count = 40) {
    enrol(hq, office);
    for (int i = 0; i < count; ++i) {
      const std::string number = std::to_string(i);
      cases.push_back(office.create("case_file",
                                    {{"name", "\"Hawa " + number + "\""}, {"status", "\"open\""}}));
    }
    exchangeAll(hq, office);
    EXPECT_EQ(exchange(hq, office).agreement, Agreement::kAgree);
  }

  // How many exchanges it takes until both agree again, after the one that finds the difference.
  int roundTripsToHeal() {
    for (int trips = 0; trips < 10; ++trips) {
      if (exchange(hq, office).agreement == Agreement::kAgree) return trips;
    }
    return 100;
  }

  void expectSame(const RecordId& id) {
    EXPECT_EQ(rowOf(hq, id).state, rowOf(office, id).state);
    for (TestNode* node : {&hq, &office}) {
      const Record record = *node->record(id);
      EXPECT_EQ(encodeState(record), rowOf(*node, id).state) << node->name();
    }
  }
};

TEST(Healing, FindsABitFlippedBehindTheStoresBackAtTheNextExchangeAndMendsItFromTheJournal) {
  for (const bool atOffice : {true, false}) {
    Pair nodes;
    TestNode& hit = atOffice ? nodes.office : nodes.hq;
    const std::string whole = rowOf(hit, nodes.cases[7]).state;
    flipValue(hit, nodes.cases[7], "Hawa 7");
    EXPECT_EQ(exchange(nodes.hq, nodes.office).agreement, Agreement::kAgree);
    EXPECT_EQ(rowOf(hit, nodes.cases[7]).state, whole);
    ASSERT_TRUE(lastHealing(hit, kStorePeer)) << "no alarm";
    EXPECT_EQ(lastHealing(hit, kStorePeer)->damaged, 1);
    nodes.expectSame(nodes.cases[7]);
  }
}

TEST(Healing, FindsADigestThatWasAltered) {
  for (const bool atOffice : {true, false}) {
    Pair nodes;
    TestNode& hit = atOffice ? nodes.office : nodes.hq;
    {
      const storage::Connections::Lease writer = hit.connections().writer();
      storage::Store store(*writer);
      storage::RootRow row = store.root(nodes.cases[3].bytes()).value();
      row.digest[5] = static_cast<char>(row.digest[5] ^ 1);
      store.putRoot(nodes.cases[3].bytes(), row);
    }
    EXPECT_EQ(exchange(nodes.hq, nodes.office).agreement, Agreement::kAgree);
    EXPECT_TRUE(lastHealing(hit, kStorePeer));
  }
}

TEST(Healing, OfAStateAlteredWithItsDigestTakesAtMostThreeRoundTripsMore) {
  for (const bool atOffice : {true, false}) {
    Pair nodes(300);
    TestNode& hit = atOffice ? nodes.office : nodes.hq;
    flipValue(hit, nodes.cases[7], "Hawa 7");
    makeDigestFit(hit, nodes.cases[7]);
    const ExchangeOutcome found = exchange(nodes.hq, nodes.office);
    EXPECT_EQ(found.agreement, Agreement::kDiffer);
    EXPECT_LE(nodes.roundTripsToHeal(), 3);
    nodes.expectSame(nodes.cases[7]);
    EXPECT_EQ(nodes.office.record(nodes.cases[7])->value("name"), "\"Hawa 7\"");
    for (const auto& healing :
         {lastHealing(nodes.hq, "NBO"), lastHealing(nodes.office, kHubPeer)}) {
      ASSERT_TRUE(healing) << "no alarm";
      EXPECT_NE(healing->agreedMs, 0);
    }
  }
}

TEST(Healing, BringsARecordThatADefectLostAtOneSideBackFromTheOther) {
  for (const bool atOffice : {true, false}) {
    for (const bool withJournal : {false, true}) {
      Pair nodes(100);
      TestNode& hit = atOffice ? nodes.office : nodes.hq;
      const RecordId note =
          nodes.office.create("note", {{"text", "\"born late\""}}, nodes.cases[5]);
      exchangeAll(nodes.hq, nodes.office);
      dropRecord(hit, note, withJournal);
      makeDigestFit(hit, nodes.cases[5]);
      EXPECT_EQ(exchange(nodes.hq, nodes.office).agreement, Agreement::kDiffer);
      EXPECT_LE(nodes.roundTripsToHeal(), 3);
      ASSERT_TRUE(hit.record(note)) << atOffice << withJournal;
      nodes.expectSame(note);
      EXPECT_TRUE(nodes.hq.quarantine().empty());
    }
  }
}

TEST(Healing, BringsAChangeThatTheFeedLost) {
  Pair nodes(100);
  nodes.hq.edit(nodes.cases[1], "status", "\"closed\"");
  {
    const storage::Connections::Lease writer = nodes.hq.connections().writer();
    writer->execute("DELETE FROM feed");  // the defect
  }
  EXPECT_EQ(exchange(nodes.hq, nodes.office).agreement, Agreement::kDiffer);
  EXPECT_LE(nodes.roundTripsToHeal(), 3);
  EXPECT_EQ(nodes.office.record(nodes.cases[1])->value("status"), "\"closed\"");
  nodes.expectSame(nodes.cases[1]);
}

TEST(Healing, KeepsWhatIsUnsentAndWhatIsSavedMeanwhile) {
  Pair nodes(100);
  nodes.hq.edit(nodes.cases[1], "status", "\"closed\"");
  {
    const storage::Connections::Lease writer = nodes.hq.connections().writer();
    writer->execute("DELETE FROM feed");
  }
  nodes.office.edit(nodes.cases[1], "status", "\"on hold\"");
  exchange(nodes.hq, nodes.office);
  nodes.office.edit(nodes.cases[1], "need", "\"shelter\"");
  nodes.office.edit(nodes.cases[2], "name", "\"Hawa Two\"");
  EXPECT_LE(nodes.roundTripsToHeal(), 3);
  EXPECT_EQ(nodes.hq.record(nodes.cases[1])->field("status")->size(), 2U);
  EXPECT_EQ(nodes.hq.record(nodes.cases[2])->value("name"), "\"Hawa Two\"");
  nodes.expectSame(nodes.cases[1]);
  nodes.expectSame(nodes.cases[2]);
}

TEST(Healing, TakesFromALeafNothingThatTheDoorWouldNotLetIn) {
  Pair nodes(50);
  TestNode stranger("MBA", true, 99);
  const RecordId foreign = stranger.create("person", {{"name", "\"X\""}});
  // A defect, or a hostile office: a record of another's making and a forged field of its own.
  {
    const storage::Connections::Lease writer = nodes.office.connections().writer();
    Work work(nodes.office.replica(), *writer);
    Record forged = *stranger.record(foreign);
    for (const Change& change : prunedChanges(forged)) work.apply(change, 0);
    Change custody{{nodes.office.replica().incarnation(), 5}, 77, "tester@NBO", {}};
    custody.edits.push_back({nodes.cases[4], {{"_custody", {}, "\"ABC\""}}});
    work.apply(custody, 0);
    work.commit();
  }
  EXPECT_EQ(exchange(nodes.hq, nodes.office).agreement, Agreement::kDiffer);
  nodes.roundTripsToHeal();
  EXPECT_FALSE(nodes.hq.record(foreign));
  EXPECT_EQ(nodes.hq.record(nodes.cases[4])->field("_custody"), nullptr);
  EXPECT_EQ(nodes.hq.quarantine().size(), 2U);
}

// Else any office could open any root to itself, for as long as it sends no receipt.
TEST(Healing, TellsALeafToLetGoOfWhatItMayNotHoldAndTakesNothingThatItWritesThere) {
  Pair nodes(3);
  TestNode mombasa("MBA", true, 99);
  enrol(nodes.hq, mombasa);
  const RecordId foreign = mombasa.create("person", {{"name", "\"X\""}});
  exchangeAll(nodes.hq, mombasa);
  {
    const storage::Connections::Lease writer = nodes.office.connections().writer();
    Work work(nodes.office.replica(), *writer);
    for (const Change& change : prunedChanges(*mombasa.record(foreign))) work.apply(change, 0);
    work.commit();
  }
  const auto ofHealing = [&] {
    const storage::Connections::Lease writer = nodes.hq.connections().writer();
    Work work(nodes.hq.replica(), *writer);
    HealingWords words;
    words.changes = prunedChanges(*mombasa.record(foreign));
    HealingCounts counts;
    healAtHub(work, *work.store().leafByName("NBO"), words, false, counts);
    work.commit();
  };
  ofHealing();
  nodes.office.edit(foreign, "name", "\"mine\"");
  exchangeAll(nodes.hq, nodes.office);
  EXPECT_EQ(nodes.hq.record(foreign)->value("name"), "\"X\"");
  ASSERT_EQ(nodes.hq.quarantine().size(), 1U);
  EXPECT_EQ(nodes.hq.quarantine().front().reason, "record-is-not-the-offices");
  EXPECT_FALSE(nodes.office.record(foreign));
}

TEST(Healing, IsTriedAFewTimesAnHourWhereItCannotMend) {
  Pair nodes(50);
  std::size_t bytes = 0;
  for (int i = 0; i < 200; ++i) {  // a leaf that lies
    LeafExchange up(nodes.office.replica(), nodes.office.connections(), nodes.office.key());
    HubExchange down(nodes.hq.replica(), nodes.hq.connections(), "NBO");
    const std::string request = up.request();
    FrameReader reader;
    reader.add(request);
    Hello hello = decodeHello(reader.next()->payload);
    (*hello.digest)[0] ^= 1;
    down.receive(encodeFrame(FrameType::kHello, encodeHello(hello)));
    bytes += down.answer().size();
  }
  EXPECT_LT(bytes, 200U * 100 + 5 * 2500);
}

TEST(Healing, LeavesQuarantinedChangesOutOfTheComparison) {
  Pair nodes(20);
  nodes.office.edit(nodes.cases[0], "status", "\"late\"");
  std::string body;
  {
    const storage::Connections::Lease reader = nodes.office.connections().reader();
    storage::Store store(*reader);
    body = store.journal(store.lastJournalSeq())->body;
  }
  const storage::Connections::Lease writer = nodes.hq.connections().writer();
  Work work(nodes.hq.replica(), *writer);
  storage::QuarantineRow row;
  row.leaf = "NBO";
  row.body = body;
  work.store().addQuarantine(row);
  const storage::LeafRow leaf = work.store().leafByName("NBO").value();
  EXPECT_NE(work.scopeSum(leaf.leaf), nodes.office.digest());
  EXPECT_EQ(expectedSum(work, leaf), nodes.office.digest());
}

}  // namespace
}  // namespace waystation::sync

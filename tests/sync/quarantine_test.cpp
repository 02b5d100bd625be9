#include "sync/quarantine.h"

#include <gtest/gtest.h>

#include "crypto/failure.h"
#include "sync/reports.h"
#include "tests/support/sync_nodes.h"

namespace waystation::sync {
namespace {

using storage::QuarantineState;
using testing::enrol;
using testing::exchange;
using testing::exchangeAll;
using testing::TestNode;

class Quarantine : public ::testing::Test {
 protected:
  Quarantine() {
    enrol(hq_, nairobi_);
    enrol(hq_, mombasa_);
    id_ = nairobi_.create("case_file", {{"status", "\"open\""}});
    exchangeAll(hq_, nairobi_);
  }

  // A node that forgot to refuse what headquarters refuses: the office's own program is wrong.
  void poison(const std::string& field, const std::string& value) {
    const storage::Connections::Lease writer = nairobi_.connections().writer();
    Replica wrong(*writer, nairobi_.clock(), nairobi_.random(), {"NBO", true, {}, {}});
    Work work(wrong, *writer);
    const Record record = *work.record(id_);
    Change change{{wrong.incarnation(), 1}, 7, "tester@NBO", {{id_, {{field, {}, value}}}}};
    if (const Field* held = record.field(field)) {
      change.edits[0].writes[0].seen = contextOf(*held);
    }
    work.apply(change, 1);  // as if it had come from a phone: it goes up
    work.commit();
    poisoned_ = change.dot;
  }

  // The same of a birth: no office says itself who holds what it bears.
  RecordId poisonBirth(const std::optional<RecordId>& root) {
    const storage::Connections::Lease writer = nairobi_.connections().writer();
    Replica wrong(*writer, nairobi_.clock(), nairobi_.random(), {"NBO", true, {}, {}});
    Work work(wrong, *writer);
    Edit edit{{wrong.incarnation(), 1}, {{"_custody", {}, "\"MBA\""}, {"_kind", {}, "\"note\""}}};
    if (root) edit.writes.push_back({"_root", {}, referenceValue(*root)});
    work.apply({{wrong.incarnation(), 1}, 7, "tester@NBO", {edit}}, 1);
    work.commit();
    return edit.record;
  }

  void settle(const std::function<void(Work&, std::int64_t)>& act) {
    const storage::Connections::Lease writer = hq_.connections().writer();
    Work work(hq_.replica(), *writer);
    act(work, work.store().quarantine(1).at(0).id);
    work.commit();
  }

  static std::vector<storage::AsideRow> asideAt(TestNode& node) {
    const storage::Connections::Lease reader = node.connections().reader();
    return storage::Store(*reader).aside();
  }

  static std::string codeOf(const std::function<void()>& act) {
    try {
      act();
    } catch (const Failure& failure) {
      return failure.code();
    }
    return "";
  }

  void expectAgreement() {
    EXPECT_EQ(exchangeAll(hq_, nairobi_).agreement, Agreement::kAgree);
    EXPECT_EQ(hq_.record(id_)->value("status"), nairobi_.record(id_)->value("status"));
  }

  TestNode hq_{"HQ", false, 1};
  TestNode nairobi_{"NBO", true, 2};
  TestNode mombasa_{"MBA", true, 3};
  RecordId id_;
  Dot poisoned_;
};

TEST_F(Quarantine, KeepsAPoisonChangeWholeVisibleOnBothSidesWhileLaterChangesFlowOn) {
  poison("_custody", "\"MBA\"");
  nairobi_.restart();
  nairobi_.edit(id_, "status", "\"after\"");
  exchangeAll(hq_, nairobi_);
  ASSERT_EQ(hq_.quarantine().size(), 1U);
  EXPECT_EQ(hq_.quarantine()[0].reason, "field-is-headquarters");
  EXPECT_EQ(decodeChange(hq_.quarantine()[0].body).dot, poisoned_);
  EXPECT_EQ(hq_.record(id_)->value("status"), "\"after\"");
  ASSERT_EQ(asideAt(nairobi_).size(), 1U);
  EXPECT_EQ(asideAt(nairobi_)[0].counter, poisoned_.counter);
  EXPECT_EQ(asideAt(nairobi_)[0].reason, "field-is-headquarters");
  EXPECT_TRUE(asideAt(mombasa_).empty());
}

TEST_F(Quarantine, TellsAnOfficeOnce) {
  poison("_custody", "\"MBA\"");
  nairobi_.restart();
  exchangeAll(hq_, nairobi_);
  const auto answerSize = [&] {
    LeafExchange up(nairobi_.replica(), nairobi_.connections(), nairobi_.key());
    HubExchange down(hq_.replica(), hq_.connections(), "NBO");
    down.receive(up.request());
    return down.answer().size();
  };
  EXPECT_LT(answerSize(), 80U);
}

TEST_F(Quarantine, LetsNoWordOnCustodyInWhileHeadquartersWaitsForItsOffices) {
  poison("_custody", "\"NBO\"");
  nairobi_.restart();
  exchangeAll(hq_, nairobi_);
  const auto release = [](Work& work, std::int64_t id) {
    releaseAside(work, id, "grace", "checked", {});
  };
  settle([](Work& work, std::int64_t) { noteSetBack(work.store()); });
  EXPECT_EQ(codeOf([&] { settle(release); }), "hub.awaits-reports");
  EXPECT_TRUE(hq_.quarantine()[0].isOpen());
  settle([](Work& work, std::int64_t) { stopWaiting(work.store()); });
  settle(release);
  EXPECT_EQ(hq_.record(id_)->value("_custody"), "\"NBO\"");
}

TEST_F(Quarantine, ReleasedByAPersonComesInAndBothAgree) {
  poison("_custody", "\"NBO\"");
  nairobi_.restart();
  exchangeAll(hq_, nairobi_);
  settle([](Work& work, std::int64_t id) { releaseAside(work, id, "grace", "checked", {}); });
  EXPECT_EQ(hq_.quarantine()[0].state, QuarantineState::kReleased);
  EXPECT_EQ(hq_.quarantine()[0].settledBy, "grace");
  EXPECT_EQ(hq_.quarantine()[0].why, "checked");
  EXPECT_EQ(hq_.record(id_)->value("_custody"), "\"NBO\"");
  expectAgreement();
  EXPECT_TRUE(asideAt(nairobi_).empty());
}

TEST_F(Quarantine, DiscardedByAPersonIsTakenBackAtTheOfficeAndBothAgree) {
  poison("_custody", "\"MBA\"");
  nairobi_.restart();
  nairobi_.edit(id_, "status", "\"after\"");
  exchangeAll(hq_, nairobi_);
  settle([](Work& work, std::int64_t id) { discardAside(work, id, "grace", "a mistake"); });
  expectAgreement();
  EXPECT_EQ(nairobi_.record(id_)->field("_custody"), nullptr);
  EXPECT_EQ(nairobi_.record(id_)->value("status"), "\"after\"");
  ASSERT_EQ(asideAt(nairobi_).size(), 1U);
  EXPECT_EQ(asideAt(nairobi_)[0].state, QuarantineState::kDiscarded);
}

// A note of a case, and a case: both go from the office with their births.
TEST_F(Quarantine, DiscardedByAPersonTakesBackTheRecordsThatWereBornInIt) {
  std::vector<RecordId> born;
  for (const std::optional<RecordId>& root : {std::optional(id_), std::optional<RecordId>()}) {
    born.push_back(poisonBirth(root));
    nairobi_.restart();
    exchangeAll(hq_, nairobi_);
    ASSERT_TRUE(nairobi_.record(born.back()));
    settle([](Work& work, std::int64_t id) { discardAside(work, id, "grace", "a mistake"); });
    expectAgreement();
    EXPECT_FALSE(nairobi_.record(born.back()));
    EXPECT_FALSE(hq_.record(born.back()));
  }
  EXPECT_TRUE(nairobi_.record(id_));
}

TEST_F(Quarantine, OnceSettledStaysSettled) {
  poison("_custody", "\"MBA\"");
  nairobi_.restart();
  exchangeAll(hq_, nairobi_);
  settle([](Work& work, std::int64_t id) { discardAside(work, id, "grace", "a mistake"); });
  settle([](Work& work, std::int64_t id) {
    EXPECT_EQ(codeOf([&] { releaseAside(work, id, "grace", "no", {}); }), "quarantine.settled");
    EXPECT_EQ(codeOf([&] { discardAside(work, id + 1, "grace", "no"); }), "quarantine.not-found");
  });
}

// A person may overrule who may write; not what would leave the replicas in different states.
TEST_F(Quarantine, ReleasesNothingThatWouldDamageTheRecords) {
  {
    const storage::Connections::Lease writer = hq_.connections().writer();
    Work work(hq_.replica(), *writer);
    const storage::LeafRow leaf = *work.store().leafByName("NBO");
    Context seen;
    seen.add({99, 5, {}});
    const Change change{{99, 2}, 7, "tester@NBO", {{id_, {{"status", seen, "\"x\""}}}}};
    const Judgement judgement = judge(work, leaf, {99, 2}, change);
    EXPECT_EQ(judgement.reason, "seen-reaches-itself");
    keepAside(work, leaf, {99, 2}, change, judgement);
    work.commit();
  }
  settle([](Work& work, std::int64_t id) {
    EXPECT_EQ(codeOf([&] { releaseAside(work, id, "grace", "no", {}); }),
              "quarantine.unreleasable");
  });
  EXPECT_EQ(hq_.quarantine()[0].state, QuarantineState::kRefused);
}

TEST_F(Quarantine, ReleasesNothingOfWhichNobodyCanTellWhoWroteIt) {
  for (const char* reason : {"replica-is-foreign", "author-is-unknown", "signature-is-forged"}) {
    {
      const storage::Connections::Lease writer = hq_.connections().writer();
      Work work(hq_.replica(), *writer);
      const storage::LeafRow leaf = *work.store().leafByName("NBO");
      const Change change{{99, 1}, 7, "tester@NBO", {{id_, {{"status", {}, "\"forged\""}}}}};
      ASSERT_TRUE(judge(work, leaf, change.dot, change).letsIn()) << "but for whose it is";
      keepAside(work, leaf, change.dot, change, {reason, std::nullopt});
      work.commit();
    }
    settle([](Work& work, std::int64_t id) {
      EXPECT_EQ(codeOf([&] { releaseAside(work, id, "grace", "no", {}); }),
                "quarantine.unreleasable");
    });
  }
}

// Headquarters was restored; Nairobi is quicker to come back than Mombasa, whose writes it read.
TEST_F(Quarantine, HoldsAnEditThatNamesWritesNotYetSentAgainUntilTheyArrive) {
  const RecordId shared =
      hq_.create("case_file", {{"_custody", "\"NBO\""}, {"_scope", "[\"MBA\"]"}});
  exchangeAll(hq_, mombasa_);
  exchangeAll(hq_, nairobi_);
  mombasa_.edit(shared, "status", "\"first\"");
  exchangeAll(hq_, mombasa_);
  const std::string backup = hq_.copyOfStore();
  mombasa_.edit(shared, "status", "\"lost at HQ\"");
  exchangeAll(hq_, mombasa_);
  exchangeAll(hq_, nairobi_);
  nairobi_.edit(shared, "status", "\"had read it\"");
  nairobi_.connections().writer()->execute("DELETE FROM sealed");  // it can return nothing
  hq_.startOnCopy(backup);
  exchangeAll(hq_, nairobi_);
  ASSERT_EQ(hq_.quarantine().size(), 1U);
  EXPECT_EQ(hq_.quarantine()[0].reason, "seen-is-beyond-what-is-held");
  EXPECT_EQ(hq_.quarantine()[0].state, QuarantineState::kWaiting);
  exchangeAll(hq_, mombasa_);
  EXPECT_EQ(hq_.quarantine()[0].state, QuarantineState::kReleased);
  EXPECT_EQ(hq_.record(shared)->value("status"), "\"had read it\"");
  EXPECT_EQ(hq_.record(shared)->conflicts(), 0);
  exchangeAll(hq_, nairobi_);
  exchangeAll(hq_, mombasa_);
  EXPECT_EQ(exchangeAll(hq_, nairobi_).agreement, Agreement::kAgree);
  EXPECT_EQ(exchangeAll(hq_, mombasa_).agreement, Agreement::kAgree);
}

TEST(AsideList, SurvivesItsEncoding) {
  const std::vector<storage::AsideRow> rows = {
      {1, 2, "dot-is-used", QuarantineState::kRefused, 5},
      {UINT64_MAX, 3, "birth-is-missing", QuarantineState::kWaiting, 6}};
  EXPECT_EQ(decodeAside(encodeAside(rows)), rows);
  EXPECT_NE(asideMark(rows), asideMark({}));
  std::string unknown = encodeAside(rows);
  unknown[10] = 4;
  EXPECT_THROW(decodeAside(unknown), Failure);
}

}  // namespace
}  // namespace waystation::sync

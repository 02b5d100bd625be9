// A headquarters that was set back waits for its offices before it decides again.

#include "sync/reports.h"

#include <gtest/gtest.h>

#include <functional>

#include "crypto/failure.h"
#include "sync/erasure.h"
#include "tests/support/sync_nodes.h"

namespace waystation::sync {
namespace {

using testing::enrol;
using testing::exchange;
using testing::exchangeAll;
using testing::TestNode;

class Reports : public ::testing::Test {
 protected:
  template <typename F>
  auto inStore(const F& deed) {
    const storage::Connections::Lease writer = hq_.connections().writer();
    storage::Store store(*writer);
    return deed(store);
  }

  Reports() {
    enrol(hq_, nairobi_);
    enrol(hq_, mombasa_);
    id_ = hq_.create("case_file", {{"_custody", "\"NBO\""}, {"status", "\"new\""}});
    exchangeAll(hq_, nairobi_);
    exchangeAll(hq_, mombasa_);
  }

  void restoreHeadquarters(const std::string& copy) {
    hq_.startOnCopy(copy);
    inStore([](storage::Store& store) { noteSetBack(store); });
  }

  void inWork(const std::function<void(Work& work)>& deed) {
    const storage::Connections::Lease writer = hq_.connections().writer();
    Work work(hq_.replica(), *writer);
    deed(work);
    work.commit();
  }

  std::vector<std::string> awaited() { return inStore(unreported); }

  std::string failureOf(const std::function<void()>& deed) {
    try {
      deed();
    } catch (const Failure& failure) {
      return failure.code();
    }
    return "none";
  }

  std::string handOver() {
    return failureOf([&] { hq_.edit(id_, "_custody", "\"MBA\""); });
  }

  std::string erase() {
    return failureOf([&] {
      const storage::Connections::Lease writer = hq_.connections().writer();
      Work work(hq_.replica(), *writer);
      eraseForGood(work, hq_.key(), "amina", {id_});  // and is not committed
    });
  }

  TestNode hq_{"HQ", false, 1};
  TestNode nairobi_{"NBO", true, 2};
  TestNode mombasa_{"MBA", true, 3};
  RecordId id_;
};

TEST_F(Reports, AreAwaitedBeforeAnythingIsHandedOverOrErased) {
  const std::string copy = hq_.copyOfStore();
  restoreHeadquarters(copy);
  EXPECT_EQ(awaited(), (std::vector<std::string>{"MBA", "NBO"}));
  EXPECT_EQ(handOver(), "hub.awaits-reports");
  EXPECT_EQ(erase(), "hub.awaits-reports");
  exchangeAll(hq_, nairobi_);
  EXPECT_EQ(awaited(), std::vector<std::string>{"MBA"});
  EXPECT_EQ(handOver(), "hub.awaits-reports");
  exchangeAll(hq_, mombasa_);
  EXPECT_TRUE(awaited().empty());
  EXPECT_EQ(handOver(), "none");
}

// Else the case would go to a third office while the second, which has it, is silent.
TEST_F(Reports, BringBackTheHandOverThatWasLost) {
  const std::string copy = hq_.copyOfStore();
  hq_.edit(id_, "_custody", "\"MBA\"");
  exchangeAll(hq_, nairobi_);
  exchangeAll(hq_, mombasa_);
  restoreHeadquarters(copy);
  exchangeAll(hq_, nairobi_);
  EXPECT_EQ(handOver(), "hub.awaits-reports");
  exchangeAll(hq_, mombasa_);
  EXPECT_EQ(hq_.record(id_)->value("_custody"), "\"MBA\"");
  EXPECT_TRUE(awaited().empty());
}

// Who has reported before tells again what headquarters has lost since.
TEST_F(Reports, AreAwaitedAnewWhereHeadquartersIsSetBackAgain) {
  const std::string copy = hq_.copyOfStore();
  restoreHeadquarters(copy);
  exchangeAll(hq_, nairobi_);
  const std::string second = hq_.copyOfStore();
  hq_.edit(id_, "status", "\"lost\"");
  exchangeAll(hq_, nairobi_);
  exchangeAll(hq_, mombasa_);
  hq_.startOnCopy(second);  // which says that Nairobi has reported
  exchangeAll(hq_, mombasa_);
  EXPECT_TRUE(awaited().empty());
  exchange(hq_, nairobi_);  // says that it was fed more: a word, and no proof
  EXPECT_TRUE(awaited().empty());
  exchangeAll(hq_, nairobi_);  // brings it, under headquarters' own seal
  EXPECT_EQ(awaited(), std::vector<std::string>{"MBA"});
}

// An order to erase that was lost with the copy, and with the list beside it.
TEST_F(Reports, OfAnOfficeCountOnceWhatItKnowsOfErasuresIsKnown) {
  const RecordId gone = hq_.create("case_file", {{"_custody", "\"NBO\""}});
  exchangeAll(hq_, nairobi_);
  const std::string copy = hq_.copyOfStore();
  inWork([&](Work& work) { eraseForGood(work, hq_.key(), "amina", {gone}); });
  exchangeAll(hq_, nairobi_);
  ASSERT_FALSE(nairobi_.record(gone));
  restoreHeadquarters(copy);
  int exchanges = 0;
  for (bool waits = true; waits && exchanges < 10; ++exchanges) {
    exchange(hq_, nairobi_);
    waits = awaited() != std::vector<std::string>{"MBA"};
    EXPECT_TRUE(waits || !hq_.record(gone)) << "reported before it had said what was erased";
  }
  EXPECT_EQ(awaited(), std::vector<std::string>{"MBA"});
}

TEST_F(Reports, AreAwaitedOfItselfWhereALeafWasFedMoreThanHeadquartersKnows) {
  const std::string copy = hq_.copyOfStore();
  hq_.edit(id_, "status", "\"lost\"");
  exchangeAll(hq_, nairobi_);
  hq_.startOnCopy(copy);  // by somebody who put back the disk's image
  EXPECT_TRUE(awaited().empty());
  exchangeAll(hq_, nairobi_);
  EXPECT_EQ(awaited(), std::vector<std::string>{"MBA"});
}

TEST_F(Reports, NeedNotBeAwaitedWhereAnOperatorSaysSo) {
  const std::string copy = hq_.copyOfStore();
  hq_.edit(id_, "status", "\"lost\"");
  exchangeAll(hq_, nairobi_);
  exchangeAll(hq_, mombasa_);
  restoreHeadquarters(copy);
  inStore([](storage::Store& store) { stopWaiting(store); });
  EXPECT_EQ(handOver(), "none");
  EXPECT_EQ(awaited(), (std::vector<std::string>{"MBA", "NBO"})) << "they are still missed";
  exchangeAll(hq_, nairobi_);  // which says what headquarters has lost: known already
  EXPECT_EQ(erase(), "none");
  exchangeAll(hq_, mombasa_);
  EXPECT_TRUE(awaited().empty());
}

TEST_F(Reports, AreNotAwaitedFromWhomHeadquartersRefuses) {
  const std::string copy = hq_.copyOfStore();
  restoreHeadquarters(copy);
  exchangeAll(hq_, nairobi_);
  inStore([](storage::Store& store) {
    storage::LeafRow mombasa = *store.leafByName("MBA");
    mombasa.revoked = true;
    store.putLeaf(mombasa);
  });
  EXPECT_TRUE(awaited().empty());
}

TEST_F(Reports, DoNotHoldBackWhatHeadquartersWritesElse) {
  const std::string copy = hq_.copyOfStore();
  restoreHeadquarters(copy);
  hq_.edit(id_, "status", "\"of headquarters\"");
  EXPECT_TRUE(hq_.record(hq_.create("case_file", {{"_custody", "\"MBA\""}})));
}

}  // namespace
}  // namespace waystation::sync

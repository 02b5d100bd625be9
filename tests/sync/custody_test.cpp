#include "sync/custody.h"

#include <gtest/gtest.h>

#include "tests/support/sync_nodes.h"

namespace waystation::sync {
namespace {

using testing::enrol;
using testing::exchangeAll;
using testing::TestNode;

class Custody : public ::testing::Test {
 protected:
  Custody() {
    for (TestNode* office : {&nairobi_, &mombasa_, &kisumu_}) enrol(hq_, *office);
    id_ = nairobi_.create("case_file", {{"status", "\"open\""}});
    settle();
  }

  void settle() {
    for (int i = 0; i < 3; ++i) {
      for (TestNode* office : {&nairobi_, &mombasa_, &kisumu_}) exchangeAll(hq_, *office);
    }
    for (TestNode* office : {&nairobi_, &mombasa_, &kisumu_}) {
      EXPECT_EQ(exchangeAll(hq_, *office).agreement, Agreement::kAgree) << office->name();
    }
  }

  void handOver(const std::string& to) { hq_.edit(id_, "_custody", jsonString(to)); }
  Dot epoch() { return custodyEpoch(*hq_.record(id_)); }

  static std::size_t lateMarks(const Record& root) {
    std::size_t marks = 0;
    for (const auto& [name, field] : root.fields) marks += name.starts_with(kLatePrefix) ? 1 : 0;
    return marks;
  }

  TestNode hq_{"HQ", false, 1};
  TestNode nairobi_{"NBO", true, 2};
  TestNode mombasa_{"MBA", true, 3};
  TestNode kisumu_{"KIS", true, 4};
  RecordId id_;
};

TEST_F(Custody, MovedWhileItsOfficeHeldUnsentEditsShowsThemFlaggedAtTheNewOffice) {
  handOver("MBA");
  nairobi_.edit(id_, "status", "\"late\"");
  settle();
  ASSERT_TRUE(mombasa_.record(id_));
  EXPECT_EQ(mombasa_.record(id_)->value("status"), "\"late\"");
  EXPECT_EQ(lateMarks(*mombasa_.record(id_)), 1U);
  const Dot late = mombasa_.record(id_)->field("status")->front().dot;
  EXPECT_NE(mombasa_.record(id_)->field(lateField(late)), nullptr);
  EXPECT_FALSE(nairobi_.record(id_));
  mombasa_.edit(id_, "status", "\"on time\"");
  settle();
  EXPECT_EQ(lateMarks(*hq_.record(id_)), 1U);
}

TEST_F(Custody, GoneThereAndBackWithinOneOfflineWindowHasOneOwnerAndGrowingEpochs) {
  std::vector<Dot> epochs = {epoch()};
  for (const char* office : {"MBA", "NBO", "KIS", "NBO"}) {
    handOver(office);
    epochs.push_back(epoch());
  }
  nairobi_.edit(id_, "status", "\"offline all along\"");
  settle();
  for (std::size_t i = 2; i < epochs.size(); ++i) {
    EXPECT_EQ(epochs[i].replica, hq_.replica().incarnation());
    EXPECT_LT(epochs[i - 1].counter, epochs[i].counter);
  }
  EXPECT_TRUE(nairobi_.record(id_));
  EXPECT_FALSE(mombasa_.record(id_));
  EXPECT_FALSE(kisumu_.record(id_));
  EXPECT_EQ(hq_.record(id_)->value("status"), "\"offline all along\"");
  EXPECT_EQ(lateMarks(*nairobi_.record(id_)), 1U) << "it was made under the first custody";
  nairobi_.edit(id_, "status", "\"after\"");
  settle();
  EXPECT_EQ(lateMarks(*nairobi_.record(id_)), 1U) << "it has heard of the last";
  EXPECT_TRUE(hq_.quarantine().empty());
}

TEST_F(Custody, ClaimedByTwoAtOnceHasOneOwner) {
  handOver("MBA");
  handOver("KIS");
  settle();
  EXPECT_FALSE(mombasa_.record(id_));
  EXPECT_TRUE(kisumu_.record(id_));
  EXPECT_EQ(hq_.record(id_)->field("_custody")->size(), 1U);
}

TEST_F(Custody, RefusesEditsThatComeAfterTheRemovalReceipt) {
  const std::string before = nairobi_.copyOfStore();
  handOver("MBA");
  settle();
  nairobi_.startOnCopy(before);  // an old copy of the office, which still holds the case
  nairobi_.edit(id_, "status", "\"from the past\"");
  for (int i = 0; i < 3; ++i) exchangeAll(hq_, nairobi_);
  EXPECT_EQ(hq_.record(id_)->value("status"), "\"open\"");
  ASSERT_EQ(hq_.quarantine().size(), 1U);
  EXPECT_EQ(hq_.quarantine()[0].reason, "record-is-not-the-offices");
}

class Withholding : public Custody {
 protected:
  Withholding() {
    person_ = nairobi_.create("person", {{"name", "\"A\""}});
    nairobi_.edit(id_, "person", referenceValue(person_));
    settle();
  }

  void handOverWithholding(const std::string& to) {
    const storage::Connections::Lease writer = hq_.connections().writer();
    Work work(hq_.replica(), *writer);
    DraftEdit draft;
    draft.record = id_;
    draft.sawCurrent = true;
    draft.writes = {{"_custody", jsonString(to)},
                    {"_withheld", "[" + referenceValue(person_) + "]"}};
    work.save("headquarters", {draft});
    work.commit();
  }

  RecordId person_;
};

TEST_F(Withholding, KeepsWhatIsARootOfItsOwnFromTheNewOfficeAndWithTheOld) {
  handOverWithholding("MBA");
  settle();
  EXPECT_TRUE(mombasa_.record(id_));
  EXPECT_FALSE(mombasa_.record(person_));
  EXPECT_FALSE(nairobi_.record(id_));
  EXPECT_TRUE(nairobi_.record(person_));
}

TEST_F(Withholding, IsNotUndoneByNamingItAgain) {
  handOverWithholding("MBA");
  settle();
  mombasa_.edit(id_, "relative", referenceValue(person_));
  settle();
  EXPECT_FALSE(mombasa_.record(person_));
  hq_.edit(id_, "witness", referenceValue(person_));
  settle();
  EXPECT_FALSE(mombasa_.record(person_));
}

TEST_F(Withholding, WithNothingWithheldThePersonGoesAlong) {
  handOver("MBA");
  settle();
  EXPECT_TRUE(mombasa_.record(person_));
}

TEST(WithheldList, IsReadFromItsValue) {
  const RecordId one{1, 2};
  const RecordId two{3, 4};
  Record root;
  EXPECT_TRUE(withheldBy(root).empty());
  const std::string value = "[" + referenceValue(one) + "," + referenceValue(two) + ",\"x\"]";
  joinSibling(root.fields["_withheld"], {{9, 1}, {}, value, 1, "headquarters@HQ"});
  EXPECT_EQ(withheldBy(root), (std::set<RecordId>{one, two}));
}

}  // namespace
}  // namespace waystation::sync

#include <gtest/gtest.h>

#include "tests/support/sync_nodes.h"

namespace waystation::sync {
namespace {

using testing::enrol;
using testing::exchangeAll;
using testing::TestNode;

struct ThreeNodes {
  TestNode hq{"HQ", false, 1};
  TestNode nairobi{"NBO", true, 2};
  TestNode mombasa{"MBA", true, 3};

  ThreeNodes() {
    enrol(hq, nairobi);
    enrol(hq, mombasa);
  }
  RecordId shared() {
    const RecordId id = hq.create(
        "case_file", {{"_custody", "\"NBO\""}, {"_scope", "[\"MBA\"]"}, {"status", "\"new\""}});
    exchangeAll(hq, nairobi);
    exchangeAll(hq, mombasa);
    return id;
  }
  void settle() {
    for (int i = 0; i < 2; ++i) {
      exchangeAll(hq, nairobi);
      exchangeAll(hq, mombasa);
    }
  }
};

TEST(Exchange, BringsANewCaseUpAndToTheOfficeItIsSharedWith) {
  ThreeNodes nodes;
  const RecordId id = nodes.shared();
  ASSERT_TRUE(nodes.nairobi.record(id));
  nodes.nairobi.edit(id, "status", "\"open\"");
  nodes.settle();
  EXPECT_EQ(nodes.hq.record(id)->value("status"), "\"open\"");
  EXPECT_EQ(nodes.mombasa.record(id)->value("status"), "\"open\"");
  EXPECT_EQ(exchangeAll(nodes.hq, nodes.mombasa).agreement, Agreement::kAgree);
}

TEST(Exchange, KeepsBothValuesOfAFieldEditedApartAndSettlesEverywhere) {
  ThreeNodes nodes;
  const RecordId id = nodes.shared();
  nodes.nairobi.edit(id, "status", "\"open\"");
  nodes.mombasa.edit(id, "status", "\"closed\"");
  nodes.settle();
  for (TestNode* node : {&nodes.hq, &nodes.nairobi, &nodes.mombasa}) {
    EXPECT_EQ(node->record(id)->field("status")->size(), 2U) << node->name();
  }
  nodes.mombasa.edit(id, "status", "\"on hold\"");
  nodes.settle();
  for (TestNode* node : {&nodes.hq, &nodes.nairobi, &nodes.mombasa}) {
    ASSERT_EQ(node->record(id)->field("status")->size(), 1U) << node->name();
    EXPECT_EQ(node->record(id)->value("status"), "\"on hold\"");
  }
  EXPECT_EQ(exchangeAll(nodes.hq, nodes.nairobi).agreement, Agreement::kAgree);
}

TEST(Exchange, DoesNotShowAnOfficeWhatIsNotInItsScope) {
  ThreeNodes nodes;
  const RecordId id = nodes.nairobi.create("person", {{"name", "\"A\""}});
  nodes.settle();
  EXPECT_TRUE(nodes.hq.record(id));
  EXPECT_FALSE(nodes.mombasa.record(id));
}

TEST(Exchange, HandsACaseOverWithThePersonItNamesAndRemovesItWhereItWas) {
  ThreeNodes nodes;
  const RecordId person = nodes.nairobi.create("person", {{"name", "\"A\""}});
  const RecordId file = nodes.nairobi.create("case_file", {{"person", referenceValue(person)}});
  nodes.settle();
  nodes.hq.edit(file, "_custody", "\"MBA\"");
  nodes.settle();
  EXPECT_TRUE(nodes.mombasa.record(file));
  EXPECT_TRUE(nodes.mombasa.record(person));
  EXPECT_FALSE(nodes.nairobi.record(file));
  EXPECT_EQ(exchangeAll(nodes.hq, nodes.nairobi).agreement, Agreement::kAgree);
  EXPECT_EQ(exchangeAll(nodes.hq, nodes.mombasa).agreement, Agreement::kAgree);
}

TEST(Exchange, GoesOnUnderANewIncarnationAfterARestart) {
  ThreeNodes nodes;
  const RecordId id = nodes.shared();
  nodes.nairobi.edit(id, "status", "\"one\"");
  exchangeAll(nodes.hq, nodes.nairobi);
  nodes.nairobi.restart();
  nodes.nairobi.edit(id, "status", "\"two\"");
  nodes.nairobi.restart();
  nodes.nairobi.edit(id, "status", "\"three\"");
  EXPECT_EQ(exchangeAll(nodes.hq, nodes.nairobi).agreement, Agreement::kAgree);
  EXPECT_EQ(nodes.hq.record(id)->value("status"), "\"three\"");
  EXPECT_EQ(nodes.hq.record(id)->field("status")->size(), 1U);
}

TEST(Exchange, OfNothingIsOneSmallRequestAndOneSmallAnswer) {
  ThreeNodes nodes;
  nodes.shared();
  LeafExchange up(nodes.nairobi.replica(), nodes.nairobi.connections(), nodes.nairobi.key());
  HubExchange down(nodes.hq.replica(), nodes.hq.connections(), "NBO");
  const std::string request = up.request();
  down.receive(request);
  const std::string answer = down.answer();
  up.receive(answer);
  EXPECT_EQ(up.finish().agreement, Agreement::kAgree);
  EXPECT_LE(request.size() + answer.size(), 200U);
}

}  // namespace
}  // namespace waystation::sync

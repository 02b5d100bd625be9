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

// The record's birth, as the journal keeps it.
std::string bodyOf(TestNode& node, const RecordId& id) {
  const Dot birth = node.record(id)->field(kKindField)->front().dot;
  const storage::Connections::Lease reader = node.connections().reader();
  return storage::Store(*reader).journalOfDot(birth.replica, birth.counter).front().body;
}

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

TEST(Exchange, MergesEditsOfDifferentFieldsMadeApartWithoutAConflict) {
  ThreeNodes nodes;
  const RecordId id = nodes.shared();
  nodes.nairobi.edit(id, "status", "\"open\"");
  nodes.mombasa.edit(id, "need", "\"shelter\"");
  nodes.settle();
  for (TestNode* node : {&nodes.hq, &nodes.nairobi, &nodes.mombasa}) {
    const Record record = *node->record(id);
    EXPECT_EQ(record.value("status"), "\"open\"") << node->name();
    EXPECT_EQ(record.value("need"), "\"shelter\"") << node->name();
    EXPECT_EQ(record.conflicts(), 0) << node->name();
  }
}

TEST(Exchange, ShowsTheSameOfTwoValuesAtEveryReplica) {
  ThreeNodes nodes;
  const RecordId id = nodes.shared();
  nodes.mombasa.clock().advance(-86'400'000);  // what it says of the time decides, right or wrong
  nodes.nairobi.edit(id, "status", "\"open\"");
  nodes.mombasa.edit(id, "status", "\"closed\"");
  nodes.settle();
  for (TestNode* node : {&nodes.hq, &nodes.nairobi, &nodes.mombasa}) {
    EXPECT_EQ(node->record(id)->value("status"), "\"open\"") << node->name();
    EXPECT_EQ(node->record(id)->conflicts(), 1) << node->name();
  }
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

// An older office below which a newer phone works, and an older headquarters above it.
TEST(Exchange, CarriesKindsAndFieldsThatNobodyKnowsByteForByteAndPassesOverUnknownFrames) {
  ThreeNodes nodes;
  TestNode phone("NBO-P1", true, 4, "NBO");
  enrol(nodes.nairobi, phone);
  exchangeAll(nodes.nairobi, phone);
  const RecordId id = phone.create(
      "x_of_2031", {{"\xce\xa9/part", "{\"a\":[1,null,\"\xc3\xbc\"]}"}, {"zz", "1e400"}});
  LeafExchange up(phone.replica(), phone.connections(), phone.key());
  const std::string request = up.request();
  const std::size_t hello = 2 + static_cast<unsigned char>(request[0]) - 1;
  const std::string unknown = encodeFrame(static_cast<FrameType>(99), "of a later version");
  HubExchange office(nodes.nairobi.replica(), nodes.nairobi.connections(), "NBO-P1");
  office.receive(request.substr(0, hello) + unknown + request.substr(hello) + unknown);
  const std::string answer = office.answer();
  const std::size_t welcome = 2 + static_cast<unsigned char>(answer[0]) - 1;
  up.receive(answer.substr(0, welcome) + unknown + answer.substr(welcome));
  up.finish();
  nodes.settle();
  nodes.hq.edit(id, "_scope", "[\"MBA\"]");
  nodes.settle();
  Record there = *nodes.mombasa.record(id);
  EXPECT_EQ(there.value("zz"), "1e400");
  for (TestNode* node : {&nodes.hq, &nodes.nairobi}) {
    EXPECT_EQ(encodeState(*node->record(id)), encodeState(there)) << node->name();
  }
  EXPECT_EQ(bodyOf(nodes.mombasa, id), bodyOf(phone, id));
  EXPECT_TRUE(nodes.hq.quarantine().empty());
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

#include <gtest/gtest.h>

#include "crypto/failure.h"
#include "tests/support/sync_nodes.h"

namespace waystation::sync {
namespace {

using testing::TestNode;

std::string codeOf(const std::function<void()>& act) {
  try {
    act();
  } catch (const Failure& failure) {
    return failure.code();
  }
  return "";
}

std::string save(TestNode& node, const std::vector<DraftEdit>& drafts) {
  return codeOf([&] {
    const storage::Connections::Lease writer = node.connections().writer();
    Work work(node.replica(), *writer);
    work.save("tester", drafts);
    work.commit();
  });
}

TEST(Save, OfWhatIsAlreadySoMakesNoChange) {
  TestNode node("NBO", true, 1);
  const RecordId id = node.create("person", {{"name", "\"A\""}});
  const std::string tag = node.tag(id);
  node.edit(id, "name", "\"A\"");
  EXPECT_EQ(node.tag(id), tag);
}

TEST(Save, WithoutATagHasReadNothing) {
  TestNode node("NBO", true, 1);
  const RecordId id = node.create("person", {{"name", "\"A\""}});
  DraftEdit draft;
  draft.record = id;
  draft.writes = {{"name", "\"B\""}};
  EXPECT_EQ(save(node, {draft}), "");
  EXPECT_EQ(node.record(id)->field("name")->size(), 2U);
}

TEST(Save, OnAnOldTagCoversOnlyWhatThatTagHadRead) {
  TestNode node("NBO", true, 1);
  const RecordId id = node.create("person", {{"name", "\"A\""}});
  const std::string old = node.tag(id);
  node.edit(id, "name", "\"B\"");
  node.edit(id, "name", "\"C\"", old);
  ASSERT_EQ(node.record(id)->field("name")->size(), 2U);
  node.edit(id, "name", "\"D\"", old);
  EXPECT_EQ(node.record(id)->field("name")->size(), 3U);
  node.edit(id, "name", "\"E\"");
  EXPECT_EQ(node.record(id)->field("name")->size(), 1U);
}

TEST(Save, RefusesATagOfAnotherRecordOrOfNone) {
  TestNode node("NBO", true, 1);
  const RecordId id = node.create("person", {{"name", "\"A\""}});
  const RecordId other = node.create("person", {{"name", "\"B\""}});
  EXPECT_EQ(codeOf([&] { node.edit(id, "name", "\"X\"", node.tag(other)); }), "case.tag-malformed");
  EXPECT_EQ(codeOf([&] { node.edit(id, "name", "\"X\"", "not a tag!"); }), "case.tag-malformed");
}

TEST(Save, RefusesWhatIsNotHeld) {
  TestNode node("NBO", true, 1);
  EXPECT_EQ(codeOf([&] { node.edit({1, 1}, "name", "\"X\""); }), "record.not-found");
  EXPECT_EQ(codeOf([&] { node.create("note", {}, RecordId{1, 1}); }), "record.not-found");
}

TEST(Save, RefusesReservedFieldsAtAnOffice) {
  TestNode node("NBO", true, 1);
  EXPECT_EQ(codeOf([&] {
              node.create("case_file", {{"_custody", "\"MBA\""}});
            }),
            "case.reserved-field");
}

TEST(Save, RefusesMoreThanAChangeMayHold) {
  TestNode node("NBO", true, 1);
  const RecordId id = node.create("person", {});
  EXPECT_EQ(codeOf([&] { node.edit(id, "text", std::string(300 * 1024, '1')); }), "case.too-large");
  EXPECT_EQ(node.record(id)->field("text"), nullptr);
}

TEST(Save, RefusesARecordOrAFieldNamedTwice) {
  TestNode node("NBO", true, 1);
  const RecordId id = node.create("person", {});
  DraftEdit draft;
  draft.record = id;
  draft.writes = {{"a", "1"}};
  EXPECT_EQ(save(node, {draft, draft}), "sync.malformed");
  draft.writes = {{"a", "1"}, {"a", "2"}};
  EXPECT_EQ(save(node, {draft}), "sync.malformed");
  EXPECT_EQ(node.record(id)->field("a"), nullptr);
}

TEST(Save, PutsAChildOfAChildIntoTheRootItself) {
  TestNode node("NBO", true, 1);
  const RecordId root = node.create("case_file", {});
  const RecordId child = node.create("note", {}, root);
  const RecordId grandchild = node.create("note", {}, child);
  EXPECT_EQ(node.record(grandchild)->root(), root);
}

TEST(Save, RolledBackLeavesNoTraceAndReusesNoName) {
  TestNode node("NBO", true, 1);
  const StateSum before = node.digest();
  {
    const storage::Connections::Lease writer = node.connections().writer();
    Work work(node.replica(), *writer);
    DraftEdit draft;
    draft.record = work.newRecord();
    draft.isNew = true;
    draft.kind = "person";
    work.save("tester", {draft});
  }
  EXPECT_EQ(node.digest(), before);
  const RecordId id = node.create("person", {});
  EXPECT_EQ(id.number, 1U) << "what was never durable was never named";
}

TEST(Save, TellsTheProjectionOfEveryRecordThatChangedOrWent) {
  std::vector<std::pair<std::int64_t, bool>> told;
  testing::ManualClock clock;
  testing::SeededRandom random(1);
  const std::unique_ptr<storage::Database> database = storage::Database::inMemory();
  storage::Store::createTables(*database);
  Replica replica(*database, clock, random,
                  {"NBO",
                   true,
                   [&](storage::Store&, std::int64_t row, const Record* record) {
                     told.emplace_back(row, record != nullptr);
                   },
                   {}});
  Work work(replica, *database);
  DraftEdit draft;
  draft.record = work.newRecord();
  draft.isNew = true;
  draft.kind = "person";
  work.save("tester", {draft});
  work.evict(draft.record.bytes());
  EXPECT_EQ(told, (std::vector<std::pair<std::int64_t, bool>>{{1, true}, {1, false}}));
}

}  // namespace
}  // namespace waystation::sync

#include "sync/deletion.h"

#include <gtest/gtest.h>

#include "crypto/failure.h"
#include "tests/support/sync_nodes.h"

namespace waystation::sync {
namespace {

using testing::enrol;
using testing::exchangeAll;
using testing::TestNode;

const std::string kDeleted(kDeletedField);

class Deletion : public ::testing::Test {
 protected:
  Deletion() {
    enrol(hq_, nairobi_);
    enrol(hq_, mombasa_);
    id_ = hq_.create("case_file",
                     {{"_custody", "\"NBO\""}, {"_scope", "[\"MBA\"]"}, {"name", "\"A\""}});
    settle();
  }

  void settle() {
    for (int i = 0; i < 3; ++i) {
      exchangeAll(hq_, nairobi_);
      exchangeAll(hq_, mombasa_);
    }
    EXPECT_EQ(exchangeAll(hq_, nairobi_).agreement, Agreement::kAgree);
    EXPECT_EQ(exchangeAll(hq_, mombasa_).agreement, Agreement::kAgree);
    EXPECT_TRUE(hq_.quarantine().empty());
  }

  void remove(TestNode& node, const RecordId& id) { node.edit(id, kDeleted, "true"); }
  void restore(TestNode& node, const RecordId& id) { node.edit(id, kDeleted, "false"); }

  void expectHidden(bool hidden) {
    for (TestNode* node : {&hq_, &nairobi_, &mombasa_}) {
      EXPECT_EQ(isHidden(*node->record(id_)), hidden) << node->name();
      EXPECT_EQ(listed(*node, false).contains(id_), !hidden) << node->name();
      EXPECT_EQ(listed(*node, true).contains(id_), hidden) << node->name();
    }
  }

  static std::set<RecordId> listed(TestNode& node, bool deletedOnly) {
    const storage::Connections::Lease reader = node.connections().reader();
    storage::RecordQuery query;
    query.deletedOnly = deletedOnly;
    std::set<RecordId> ids;
    for (const auto& row : storage::Store(*reader).find(query)) {
      ids.insert(RecordId::fromBytes(row.id));
    }
    return ids;
  }

  static std::size_t conflicts(TestNode& node) {
    const storage::Connections::Lease reader = node.connections().reader();
    storage::RecordQuery query;
    query.conflictsOnly = true;
    storage::Store store(*reader);
    const std::size_t found = store.find(query).size();
    EXPECT_EQ(store.countConflicts(), static_cast<std::int64_t>(found));
    return found;
  }

  TestNode hq_{"HQ", false, 1};
  TestNode nairobi_{"NBO", true, 2};
  TestNode mombasa_{"MBA", true, 3};
  RecordId id_;
};

TEST_F(Deletion, HidesTheRecordEverywhereAndRestoringShowsItAgain) {
  remove(nairobi_, id_);
  settle();
  expectHidden(true);
  restore(mombasa_, id_);
  settle();
  expectHidden(false);
  EXPECT_EQ(conflicts(hq_), 0U);
}

TEST_F(Deletion, OfWhatSomebodyEditedMeanwhileStaysVisibleAsAConflict) {
  remove(nairobi_, id_);
  mombasa_.edit(id_, "name", "\"B\"");
  settle();
  expectHidden(false);
  EXPECT_EQ(conflicts(hq_), 1U);
  EXPECT_EQ(mombasa_.record(id_)->conflicts(), 1);
  EXPECT_EQ(mombasa_.record(id_)->value("name"), "\"B\"");
}

TEST_F(Deletion, OfAFieldAddedMeanwhileStaysVisible) {
  mombasa_.edit(id_, "need", "\"insulin\"");
  exchangeAll(hq_, mombasa_);
  remove(nairobi_, id_);
  settle();
  expectHidden(false);
}

TEST_F(Deletion, SettledByDeletingAgainOrByRestoring) {
  remove(nairobi_, id_);
  mombasa_.edit(id_, "name", "\"B\"");
  settle();
  remove(hq_, id_);
  settle();
  expectHidden(true);
  EXPECT_EQ(conflicts(hq_), 0U);
  restore(hq_, id_);
  mombasa_.edit(id_, "name", "\"C\"");
  settle();
  expectHidden(false);
  EXPECT_EQ(conflicts(hq_), 0U);
}

TEST_F(Deletion, ByTwoPeopleApartIsNoConflict) {
  remove(nairobi_, id_);
  remove(mombasa_, id_);
  settle();
  expectHidden(true);
  EXPECT_EQ(conflicts(hq_), 0U);
}

TEST_F(Deletion, AndARestoringApartLeaveItVisibleAsAConflict) {
  remove(nairobi_, id_);
  settle();
  restore(mombasa_, id_);
  restore(nairobi_, id_);
  remove(nairobi_, id_);
  settle();
  expectHidden(false);
  EXPECT_EQ(conflicts(hq_), 1U);
}

TEST_F(Deletion, OnAnOldPageHidesNothingThatThePageDidNotShow) {
  const std::string old = nairobi_.tag(id_);
  nairobi_.edit(id_, "name", "\"B\"");
  nairobi_.edit(id_, kDeleted, "true", old);
  settle();
  expectHidden(false);
  EXPECT_EQ(conflicts(nairobi_), 1U);
}

TEST_F(Deletion, WithoutATagHidesNothing) {
  nairobi_.edit(id_, kDeleted, "true", encodeTag(Record{}));
  EXPECT_FALSE(isHidden(*nairobi_.record(id_)));
}

TEST_F(Deletion, AndAnEditAfterItMakesTheRecordVisible) {
  remove(nairobi_, id_);
  nairobi_.edit(id_, "name", "\"B\"");
  settle();
  expectHidden(false);
}

TEST_F(Deletion, OfARootKeepsItVisibleForANoteThatTheDeleterHadNotRead) {
  remove(nairobi_, id_);
  const RecordId note = mombasa_.create("note", {{"text", "\"call her\""}}, id_);
  settle();
  EXPECT_TRUE(isHidden(*hq_.record(id_)));
  for (TestNode* node : {&hq_, &nairobi_, &mombasa_}) {
    EXPECT_TRUE(listed(*node, false).contains(id_));
    EXPECT_TRUE(listed(*node, false).contains(note));
    EXPECT_EQ(conflicts(*node), 1U);
  }
  remove(hq_, note);
  settle();
  expectHidden(true);
  EXPECT_EQ(conflicts(nairobi_), 0U);
}

TEST_F(Deletion, IsUndisturbedByWhatHeadquartersNotes) {
  remove(nairobi_, id_);
  settle();
  hq_.edit(id_, "_scope", "[\"MBA\",\"KIS\"]");
  settle();
  expectHidden(true);
}

TEST_F(Deletion, OfWhatIsDeletedAndRestoringOfWhatIsNotAreNoChanges) {
  const std::string tag = nairobi_.tag(id_);
  restore(nairobi_, id_);
  EXPECT_EQ(nairobi_.tag(id_), tag);
  remove(nairobi_, id_);
  const std::string deleted = nairobi_.tag(id_);
  remove(nairobi_, id_);
  EXPECT_EQ(nairobi_.tag(id_), deleted);
}

TEST_F(Deletion, RefusesWhatIsNeitherTrueNorFalseAndABirth) {
  const auto codeOf = [](const std::function<void()>& act) {
    try {
      act();
    } catch (const Failure& failure) {
      return failure.code();
    }
    return std::string();
  };
  EXPECT_EQ(codeOf([&] { nairobi_.edit(id_, kDeleted, "1"); }), "case.request-malformed");
  EXPECT_EQ(codeOf([&] { hq_.create("case_file", {{kDeleted, "true"}}); }), "case.reserved-field");
}

TEST(DeletionValue, SaysWhatWasReadAndNothingElseIsOne) {
  Context read;
  read.add({7, 3, {2}});
  const ReadContexts contexts{{"_kind", read}, {"name", read}};
  EXPECT_EQ(deletionOf(deletionValue(contexts)), (ReadContexts{{"name", read}}));
  for (const char* value : {"false", "true", "\"", "\"!\"", "null", "\"AQ\""}) {
    EXPECT_FALSE(deletionOf(value)) << value;
  }
}

}  // namespace
}  // namespace waystation::sync

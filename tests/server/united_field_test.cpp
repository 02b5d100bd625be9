#include "server/cases/united_field.h"

#include <gtest/gtest.h>

#include "server/cases/record_service.h"
#include "tests/support/test_node.h"

namespace waystation::cases {
namespace {

using server::Role;
using testing::makeNode;
using testing::TempDirectory;

constexpr const char* kSet = "needs";

class UnitedField : public ::testing::Test {
 protected:
  UnitedField() { id_ = save("new:1", needs({"food", "shelter"}), nullptr); }

  // A save of the set by a page that had read `tag`.
  std::string save(const std::string& record, const Json& codes, const Json& tag) {
    Json edit = {{"record", record}, {"seen", tag}};
    edit["fields"][kSet] = codes;
    if (record == "new:1") {
      edit["kind"] = "case_file";
      edit["fields"]["case_no"] = "C-1";
      edit["fields"]["given_name"] = "Amina";
    }
    return saveChanges(*node_, "amina", {{"edits", {edit}}})["records"][record]["id"];
  }
  Json show() { return showRecord(*node_, id_); }
  Json codes() { return show()["fields"].value(kSet, Json()); }
  Json tag() { return show()["tag"]; }
  static Json needs(const std::vector<std::string>& codes) { return codes; }

  TempDirectory directory_;
  std::unique_ptr<server::Node> node_ =
      makeNode(directory_.path() / "office", Role::kOffice, "NBO");
  std::string id_;
};

TEST_F(UnitedField, IsAListInTheOrderOfTheCodeList) {
  const Field* field = node_->programmes().kind("case_file").findField(kSet);
  ASSERT_TRUE(field != nullptr && isSet(*field));
  EXPECT_EQ(codes(), needs({"shelter", "food"}));
}

TEST_F(UnitedField, BringsTogetherWhatTwoPagesAddApart) {
  const Json before = tag();
  save(id_, needs({"shelter", "food", "water"}), before);
  save(id_, needs({"shelter", "food", "health"}), before);
  EXPECT_EQ(codes(), needs({"shelter", "food", "water", "health"}));
  EXPECT_TRUE(show()["conflicts"].empty());
}

TEST_F(UnitedField, KeepsARemovalThoughAnOlderPageListsTheCodeStill) {
  const Json before = tag();
  save(id_, needs({"food"}), before);
  save(id_, needs({"shelter", "food", "water"}), before);
  EXPECT_EQ(codes(), needs({"food", "water"}));
  EXPECT_TRUE(show()["conflicts"].empty());
}

TEST_F(UnitedField, KeepsACodeThatSomebodyAddedWhileAnotherEmptiedTheList) {
  const Json before = tag();
  save(id_, needs({"shelter", "food", "water"}), before);
  save(id_, nullptr, before);
  EXPECT_EQ(codes(), needs({"water"}));
}

TEST_F(UnitedField, TakesACodeThatWasRemovedAndIsAddedAgain) {
  save(id_, needs({"food"}), tag());
  save(id_, needs({"food", "shelter"}), tag());
  EXPECT_EQ(codes(), needs({"shelter", "food"}));
  save(id_, nullptr, tag());
  EXPECT_TRUE(codes().is_null());
}

TEST_F(UnitedField, RemovesNothingForAPageThatHadReadNothing) {
  save(id_, needs({"water"}), nullptr);
  EXPECT_EQ(codes(), needs({"shelter", "food", "water"}));
}

TEST_F(UnitedField, SavesNothingWhereTheListIsTheSameInAnotherOrder) {
  const Json before = tag();
  save(id_, needs({"food", "shelter"}), before);
  EXPECT_EQ(tag(), before);
}

TEST_F(UnitedField, StandsInTheHistoryAsTheListThatItWas) {
  save(id_, needs({"food", "water"}), tag());
  const Json newest = showHistory(*node_, id_)["entries"][0]["fields"];
  EXPECT_EQ(newest.size(), 1U);
  EXPECT_EQ(newest[kSet]["value"], needs({"food", "water"}));
  EXPECT_EQ(newest[kSet]["replaced"], Json::array({needs({"shelter", "food"})}));
}

// From before the pack said that the field is a set.
TEST_F(UnitedField, CountsAListThatWasWrittenWholeAndMakesItPartsWhenItIsChanged) {
  const sync::RecordId record = *sync::RecordId::fromUuid(id_);
  node_->write([&](sync::Work& work) {
    sync::DraftEdit edit;
    edit.record = record;
    edit.sawCurrent = true;
    edit.writes = {{kSet, R"(["education","shelter"])"}};
    return work.save("amina", {edit});
  });
  EXPECT_EQ(codes(), needs({"shelter", "food", "education"}));
  save(id_, needs({"food", "education"}), tag());
  EXPECT_EQ(codes(), needs({"food", "education"}));
  node_->read([&](storage::Store& store) {
    const auto row = store.record(record.bytes());
    EXPECT_EQ(sync::decodeState(record, row->state).value(kSet), "null");
    return 0;
  });
}

}  // namespace
}  // namespace waystation::cases

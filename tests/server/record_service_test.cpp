#include "server/cases/record_service.h"

#include <gtest/gtest.h>

#include "server/cases/import_sinks.h"
#include "server/http/json.h"
#include "tests/support/test_node.h"

namespace waystation::cases {
namespace {

using server::Role;
using testing::makeNode;
using testing::openNode;
using testing::TempDirectory;

struct Office {
  TempDirectory directory;
  std::unique_ptr<server::Node> node = makeNode(directory.path() / "office", Role::kOffice, "NBO");

  Json save(const Json& edits) { return saveChanges(*node, "amina", {{"edits", edits}}); }
  std::string person(const std::string& name) {
    const Json answer = save({{{"record", "new:1"},
                               {"kind", "person"},
                               {"fields", {{"family_name", name}, {"given_name", "Amina"}}}}});
    return answer["records"]["new:1"]["id"];
  }
};

std::string codeOf(const std::function<void()>& action) {
  try {
    action();
  } catch (const Failure& failure) {
    return failure.code();
  }
  return "nothing";
}

TEST(RecordService, SavesARecordThatIsThereAfterARestart) {
  Office office;
  const std::string id = office.person("Otieno");
  office.node.reset();
  office.node = openNode(office.directory.path() / "office");
  const Json record = showRecord(*office.node, id);
  EXPECT_EQ(record["fields"]["family_name"], "Otieno");
  EXPECT_EQ(record["durability"], "office");
  EXPECT_TRUE(record["conflicts"].empty());
}

TEST(RecordService, ResolvesAReferenceToARecordOfTheSameSave) {
  Office office;
  const Json answer = office.save(
      {{{"record", "new:1"}, {"kind", "person"}, {"fields", {{"given_name", "Amina"}}}},
       {{"record", "new:2"},
        {"kind", "avrr_case"},
        {"fields",
         {{"case_number", "N-1"}, {"stage", "application"}, {"person", "urn:uuid:new:1"}}}}});
  const std::string person = answer["records"]["new:1"]["id"];
  const Json avrr = showRecord(*office.node, answer["records"]["new:2"]["id"].get<std::string>());
  EXPECT_EQ(avrr["fields"]["person"], "urn:uuid:" + person);
}

TEST(RecordService, RefusesAReferenceToARecordThatTheSaveDoesNotMake) {
  Office office;
  const auto save = [&] {
    office.save(
        {{{"record", "new:1"},
          {"kind", "avrr_case"},
          {"fields",
           {{"case_number", "N-1"}, {"stage", "application"}, {"person", "urn:uuid:new:7"}}}}});
  };
  EXPECT_EQ(codeOf(save), "case.request-malformed");
}

TEST(RecordService, KeepsBothValuesWhenTwoPagesSaveOnTheSameState) {
  Office office;
  const std::string id = office.person("Otieno");
  const std::string tag = showRecord(*office.node, id)["tag"];
  office.save({{{"record", id}, {"fields", {{"family_name", "Odhiambo"}}}, {"seen", tag}}});
  office.save({{{"record", id}, {"fields", {{"family_name", "Ouma"}}}, {"seen", tag}}});
  const Json record = showRecord(*office.node, id);
  ASSERT_EQ(record["conflicts"]["family_name"].size(), 2U);
  EXPECT_EQ(record["conflicts"]["family_name"][0]["office"], "NBO");
  EXPECT_EQ(listRecords(*office.node, {"", "", "", true, "", 50})["records"].size(), 1U);
  office.save({{{"record", id}, {"fields", {{"family_name", "Ouma"}}}, {"seen", record["tag"]}}});
  EXPECT_TRUE(showRecord(*office.node, id)["conflicts"].empty());
}

// grant_approved is bound to the plan in the shipped pack.
TEST(RecordService, OpensADecisionAgainWhenWhatItWasTakenOnHasMoved) {
  Office office;
  const std::string person = office.person("Otieno");
  const Json answer = office.save({{{"record", "new:1"},
                                    {"kind", "avrr_case"},
                                    {"fields",
                                     {{"case_number", "N-1"},
                                      {"stage", "application"},
                                      {"person", "urn:uuid:" + person},
                                      {"plan_economic", "a kiosk"}}}}});
  const std::string id = answer["records"]["new:1"]["id"];
  const std::string read = showRecord(*office.node, id)["tag"];
  const auto approve = [&](const std::string& tag) {
    office.save({{{"record", id}, {"fields", {{"grant_approved", 500}}}, {"seen", tag}}});
  };
  approve(read);
  EXPECT_TRUE(showRecord(*office.node, id)["conflicts"].empty());
  office.save({{{"record", id}, {"fields", {{"plan_economic", "a shop"}}}, {"seen", read}}});
  const Json moved = showRecord(*office.node, id);
  EXPECT_EQ(moved["fields"]["grant_approved"], 500);
  EXPECT_EQ(moved["moved"], Json({{"grant_approved", {"plan_economic"}}}));
  EXPECT_EQ(moved["conflicts"].size(), 1U);
  EXPECT_EQ(listRecords(*office.node, {"", "", "", true, "", 50})["records"].size(), 1U);
  approve(moved["tag"]);  // the same sum, on what the plan is now
  const Json settled = showRecord(*office.node, id);
  EXPECT_TRUE(settled["conflicts"].empty());
  EXPECT_FALSE(settled.contains("moved"));
}

TEST(RecordService, TellsTheHistoryWithWhatEachSaveReplaced) {
  Office office;
  const std::string id = office.person("Otieno");
  const std::string tag = showRecord(*office.node, id)["tag"];
  office.save({{{"record", id}, {"fields", {{"family_name", "Ouma"}}}, {"seen", tag}}});
  const Json entries = showHistory(*office.node, id)["entries"];
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0]["fields"]["family_name"]["value"], "Ouma");
  EXPECT_EQ(entries[0]["fields"]["family_name"]["replaced"][0], "Otieno");
  EXPECT_EQ(entries[0]["by"], "amina");
}

TEST(RecordService, FindsAPersonByTheBeginningOfTheNameWithoutItsAccents) {
  Office office;
  office.person("Ndiayé");
  office.person("Kamau");
  EXPECT_EQ(listRecords(*office.node, {"person", "", "ndiay", false, "", 50})["records"].size(),
            1U);
  EXPECT_EQ(listRecords(*office.node, {"person", "", "amina", false, "", 50})["records"].size(),
            2U);
  EXPECT_EQ(listRecords(*office.node, {"person", "", "\"*(", false, "", 50})["records"].size(), 2U);
}

TEST(RecordService, HidesADeletedRecordFromListsAndSearchUntilItIsRestored) {
  Office office;
  const std::string id = office.person("Otieno");
  const auto found = [&](bool deletedOnly) {
    const ListQuery query{"person", "", "otieno", false, "", 50, deletedOnly};
    return listRecords(*office.node, query)["records"].size();
  };
  const std::string tag = showRecord(*office.node, id)["tag"];
  office.save({{{"record", id}, {"deleted", true}, {"seen", tag}}});
  EXPECT_EQ(found(false), 0U);
  EXPECT_EQ(found(true), 1U);
  const Json deleted = showRecord(*office.node, id);
  EXPECT_EQ(deleted["deleted"], true);
  EXPECT_EQ(deleted["fields"]["family_name"], "Otieno");
  EXPECT_EQ(showHistory(*office.node, id)["entries"][0]["deleted"], true);
  office.save({{{"record", id}, {"deleted", false}, {"seen", deleted["tag"]}}});
  EXPECT_EQ(found(false), 1U);
  EXPECT_FALSE(showRecord(*office.node, id).contains("deleted"));
  EXPECT_EQ(showHistory(*office.node, id)["entries"][0]["deleted"], false);
}

TEST(RecordService, ShowsWhoDeletedWhatSomebodyHadEdited) {
  Office office;
  const std::string id = office.person("Otieno");
  const std::string tag = showRecord(*office.node, id)["tag"];
  office.save({{{"record", id}, {"fields", {{"family_name", "Ouma"}}}, {"seen", tag}}});
  office.save({{{"record", id}, {"deleted", true}, {"seen", tag}}});
  const Json record = showRecord(*office.node, id);
  EXPECT_FALSE(record.contains("deleted"));
  EXPECT_EQ(record["conflicts"]["_deleted"][0]["value"], true);
  EXPECT_EQ(record["conflicts"]["_deleted"][0]["by"], "amina");
  EXPECT_EQ(listRecords(*office.node, {"", "", "", true, "", 50})["records"].size(), 1U);
}

TEST(RecordService, RefusesADeletionThatIsNeitherTrueNorFalse) {
  Office office;
  const std::string id = office.person("Otieno");
  const auto save = [&] { office.save({{{"record", id}, {"deleted", "yes"}}}); };
  EXPECT_EQ(codeOf(save), "case.request-malformed");
}

TEST(RecordService, PagesThroughAListWithoutMissingOrRepeating) {
  Office office;
  for (int i = 0; i < 7; ++i) office.person("Otieno");
  std::set<std::string> seen;
  std::string cursor;
  for (int page = 0; page < 4; ++page) {
    const Json list = listRecords(*office.node, {"person", "", "", false, cursor, 2});
    for (const Json& record : list["records"]) EXPECT_TRUE(seen.insert(record["id"]).second);
    if (list["cursor"].is_null()) break;
    cursor = list["cursor"];
  }
  EXPECT_EQ(seen.size(), 7U);
}

TEST(RecordService, RefusesWhatItCanNotTakeAndSavesNothingOfIt) {
  Office office;
  const std::string id = office.person("Otieno");
  const Json good = {{"record", id}, {"fields", {{"family_name", "Changed"}}}};
  const std::vector<std::pair<Json, std::string>> rows = {
      {{{"record", "new:1"}, {"kind", "dragon"}, {"fields", Json::object()}}, "case.kind-unknown"},
      {{{"record", "new:1"}, {"kind", "person"}, {"fields", {{"wings", 2}}}}, "case.field-unknown"},
      {{{"record", "new:1"}, {"kind", "person"}, {"fields", {{"_custody", "X"}}}},
       "case.field-unknown"},
      {{{"record", "new:1"}, {"kind", "note"}, {"fields", Json::object()}}, "case.field-required"},
      {{{"record", "no-such"}, {"fields", Json::object()}}, "record.not-found"},
      {{{"record", id}, {"fields", {{"family_name", "A"}}}, {"seen", "AAAA"}},
       "case.tag-malformed"},
      {{{"record", id}, {"fields", Json::object()}, {"extra", 1}}, "case.request-malformed"}};
  for (const auto& [bad, code] : rows) {
    const std::string second = office.person("Second");
    Json edit = bad;
    if (edit["record"] == id) edit["record"] = second;  // no record may stand in a save twice
    EXPECT_EQ(codeOf([&] { office.save({good, edit}); }), code) << bad;
  }
  EXPECT_EQ(codeOf([&] { office.save({good, good}); }), "case.request-malformed");
  for (const char* member : {"seen", "kind", "root"}) {
    Json edit = {{"record", member == std::string("seen") ? id : "new:1"},
                 {"kind", "note"},
                 {"fields", {{"subject", "A"}, {"text", "B"}}},
                 {"root", id}};
    edit[member] = 5;
    EXPECT_EQ(codeOf([&] { office.save({edit}); }), "case.request-malformed") << member;
  }
  EXPECT_EQ(showRecord(*office.node, id)["fields"]["family_name"], "Otieno");
}

TEST(RecordService, ImportsTheSameRowsOnceAndTakesWhatChanged) {
  TempDirectory directory;
  const auto hq = makeNode(directory.path() / "hq", Role::kHeadquarters, "HQ");
  const Kind& kind = hq->programmes().kind("person");
  const auto rows = [](const std::string& name) {
    return std::vector<ImportedRecord>{
        {1, "0123456789abcdef0123456789abcdef", {{"family_name", name}}}};
  };
  const ImportSinks sinks = importSinks(*hq, "import", {"NBO", {"MBA"}});
  EXPECT_EQ(sinks.examine(kind, rows("A"))[0].outcome, RowOutcome::kCreated);
  EXPECT_EQ(sinks.save(kind, rows("A"))[0].outcome, RowOutcome::kCreated);
  EXPECT_EQ(sinks.save(kind, rows("A"))[0].outcome, RowOutcome::kUnchanged);
  EXPECT_EQ(sinks.save(kind, rows("B"))[0].outcome, RowOutcome::kUpdated);
  const Json list = listRecords(*hq, {"person", "", "", false, "", 50});
  ASSERT_EQ(list["records"].size(), 1U);
  EXPECT_EQ(list["records"][0]["fields"]["family_name"], "B");
  EXPECT_EQ(list["records"][0]["custody"], "NBO");
}

}  // namespace
}  // namespace waystation::cases

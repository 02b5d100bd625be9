#include "server/cases/programme_pack.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

#include "crypto/failure.h"
#include "server/cases/field_value.h"

namespace waystation::cases {
namespace {

std::filesystem::path packFolder() {
  return std::filesystem::path(WAYSTATION_SOURCE_DIR) / "server" / "programmes";
}

std::filesystem::path dataFolder() {
  const char* named = std::getenv("WAYSTATION_DATA_DIR");
  if (named != nullptr) return named;
  return std::filesystem::path(WAYSTATION_SOURCE_DIR) / ".." / "shared" / "data";
}

const Programmes& shipped() {
  static const Programmes programmes(loadPacks(packFolder()));
  return programmes;
}

std::string failureOf(const std::function<void()>& action, const std::string& code) {
  try {
    action();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), code) << failure.what();
    return failure.what();
  }
  ADD_FAILURE() << "nothing was thrown, expected " << code;
  return {};
}

Json label(const std::string& text) {
  return {{"en", text}, {"fr", text}, {"es", text}, {"ar", text}};
}

// A small pack without mistakes, for tests to spoil.
Json goodPack() {
  return {
      {"id", "test"},
      {"version", 1},
      {"name", label("Test")},
      {"codeLists",
       {{"level",
         {{"ordered", true},
          {"codes",
           {{{"code", "low"}, {"label", label("Low")}},
            {{"code", "high"}, {"label", label("High")}}}}}},
        {"colour",
         {{"open", true}, {"codes", Json::array({{{"code", "red"}, {"label", label("Red")}}})}}},
        {"stage",
         {{"codes",
           {{{"code", "open"}, {"label", label("Open")}},
            {{"code", "closed"}, {"label", label("Closed")}}}}}}}},
      {"kinds",
       {{{"kind", "thing"},
         {"name", label("Thing")},
         {"root", true},
         {"sections", {{"main", label("Main")}}},
         {"title", {"name"}},
         {"stages", {{"field", "stage"}, {"needs", {{"closed", {"ended"}}}}}},
         {"import", {{"as", {"things"}}, {"key", {"name"}}}},
         {"fields",
          {{{"name", "name"},
            {"label", label("Name")},
            {"type", "text"},
            {"required", true},
            {"rule", "ask"},
            {"section", "main"},
            {"maxLength", 10},
            {"import", {{"columns", {"Title"}}, {"hxl", {"#item+name"}}}}},
           {{"name", "level"},
            {"label", label("Level")},
            {"type", "code"},
            {"rule", "highest"},
            {"codes", "level"}},
           {{"name", "colours"},
            {"label", label("Colours")},
            {"type", "codes"},
            {"rule", "unite"},
            {"codes", "colour"}},
           {{"name", "stage"},
            {"label", label("Stage")},
            {"type", "code"},
            {"rule", "ask"},
            {"codes", "stage"}},
           {{"name", "ended"}, {"label", label("Ended")}, {"type", "date"}, {"rule", "latest"}},
           {{"name", "count"},
            {"label", label("Count")},
            {"type", "integer"},
            {"rule", "ask"},
            {"minimum", 0},
            {"maximum", 99}},
           {{"name", "agreed"},
            {"label", label("Agreed")},
            {"type", "boolean"},
            {"rule", "most-restrictive"}},
           {{"name", "story"}, {"label", label("Story")}, {"type", "longtext"}, {"rule", "ask"}},
           {{"name", "where"}, {"label", label("Where")}, {"type", "place"}, {"rule", "ask"}},
           {{"name", "other"},
            {"label", label("Other")},
            {"type", "ref"},
            {"rule", "ask"},
            {"ref", {"thing"}}}}}},
        {{"kind", "part"},
         {"name", label("Part")},
         {"parents", {"thing"}},
         {"title", {"text"}},
         {"fields", Json::array({{{"name", "text"},
                                  {"label", label("Text")},
                                  {"type", "text"},
                                  {"rule", "ask"}}})}}}}};
}

Programmes readGood() {
  return Programmes(readPacks({{"test.json", goodPack().dump()}}));
}

TEST(ProgrammePack, APackWithoutMistakesLoads) {
  const Programmes programmes = readGood();
  ASSERT_EQ(programmes.packs().size(), 1U);
  const Kind& kind = programmes.kind("thing");
  EXPECT_TRUE(kind.isRoot);
  EXPECT_EQ(kind.fields.size(), 10U);
  EXPECT_EQ(kind.stages.at(1).needs, std::vector<std::string>{"ended"});
  EXPECT_EQ(programmes.findImportKind("things"), &kind);
  EXPECT_EQ(programmes.findImportKind("thing"), &kind);
  EXPECT_EQ(programmes.findImportKind("nothing"), nullptr);
}

struct Mistake {
  const char* what;
  const char* patch;  // JSON Patch (RFC 6902) that makes it
  const char* place;  // what the sentence must name
};

class PackMistake : public testing::TestWithParam<Mistake> {};

TEST_P(PackMistake, IsRefusedWithFileAndPlace) {
  const Json spoiled = goodPack().patch(Json::parse(GetParam().patch));
  const std::string sentence = failureOf(
      [&] {
        readPacks({{"test.json", spoiled.dump()}});
      },
      "programme.invalid");
  EXPECT_NE(sentence.find("test.json"), std::string::npos) << sentence;
  EXPECT_NE(sentence.find(GetParam().place), std::string::npos) << sentence;
}

INSTANTIATE_TEST_SUITE_P(
    Table, PackMistake,
    testing::Values(
        Mistake{"UnknownKey", R"([{"op":"add","path":"/extra","value":1}])", "\"extra\""},
        Mistake{"UnknownKeyInKind", R"([{"op":"add","path":"/kinds/0/colour","value":1}])",
                "kinds[0]"},
        Mistake{"UnknownKeyInField", R"([{"op":"add","path":"/kinds/0/fields/1/size","value":1}])",
                "kinds[0].fields[1]"},
        Mistake{"BoundToNothing",
                R"([{"op":"add","path":"/kinds/0/fields/5/boundTo","value":["lost"]}])",
                "fields[5].boundTo[0] names a field that the kind lacks"},
        Mistake{"BoundToASet",
                R"([{"op":"add","path":"/kinds/0/fields/5/boundTo","value":["colours"]}])",
                "fields[5].boundTo[0] names a field with the rule unite"},
        Mistake{"BoundToItself",
                R"([{"op":"add","path":"/kinds/0/fields/5/boundTo","value":["count"]}])",
                "binds the field to itself"},
        Mistake{"ABoundSet",
                R"([{"op":"add","path":"/kinds/0/fields/2/boundTo","value":["name"]}])",
                "does not fit a field with the rule unite"},
        Mistake{"MissingId", R"([{"op":"remove","path":"/id"}])", "\"id\""},
        Mistake{"MissingVersion", R"([{"op":"remove","path":"/version"}])", "\"version\""},
        Mistake{"VersionZero", R"([{"op":"replace","path":"/version","value":0}])", "version"},
        Mistake{"VersionText", R"([{"op":"replace","path":"/version","value":"1"}])", "version"},
        Mistake{"NoKinds", R"([{"op":"replace","path":"/kinds","value":[]}])", "no kinds"},
        Mistake{"KindsNoList", R"([{"op":"replace","path":"/kinds","value":{}}])", "kinds"},
        Mistake{"MissingTranslation", R"([{"op":"remove","path":"/name/ar"}])",
                "name needs \"ar\""},
        Mistake{"EmptyTranslation",
                R"([{"op":"replace","path":"/kinds/0/fields/0/label/fr","value":" "}])",
                "kinds[0].fields[0].label.fr"},
        Mistake{"UnknownLanguage", R"([{"op":"add","path":"/name/de","value":"x"}])", "\"de\""},
        Mistake{"ControlCharacter", R"([{"op":"replace","path":"/name/en","value":"a\u0007"}])",
                "name.en"},
        Mistake{"KindTwice", R"([{"op":"replace","path":"/kinds/1/kind","value":"thing"}])",
                "kinds[1].kind"},
        Mistake{"FieldTwice",
                R"([{"op":"replace","path":"/kinds/0/fields/4/name","value":"name"}])",
                "kinds[0].fields[4].name"},
        Mistake{"FieldUnderscore",
                R"([{"op":"replace","path":"/kinds/0/fields/4/name","value":"_ended"}])",
                "begin with '_'"},
        Mistake{"KindUnderscore", R"([{"op":"replace","path":"/kinds/1/kind","value":"_part"}])",
                "kinds[1].kind"},
        Mistake{"FieldNameWithSlash",
                R"([{"op":"replace","path":"/kinds/0/fields/4/name","value":"a/b"}])",
                "fields[4].name"},
        Mistake{"FieldNameTooLong",
                R"([{"op":"replace","path":"/kinds/0/fields/4/name","value":")"
                R"(aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}])",
                "fields[4].name"},
        Mistake{"UnknownType",
                R"([{"op":"replace","path":"/kinds/0/fields/4/type","value":"day"}])",
                "fields[4].type"},
        Mistake{"MissingType", R"([{"op":"remove","path":"/kinds/0/fields/4/type"}])", "\"type\""},
        Mistake{"UnknownRule",
                R"([{"op":"replace","path":"/kinds/0/fields/4/rule","value":"newest"}])",
                "fields[4].rule"},
        Mistake{"MissingRule", R"([{"op":"remove","path":"/kinds/0/fields/4/rule"}])", "\"rule\""},
        Mistake{"UniteOnText",
                R"([{"op":"replace","path":"/kinds/0/fields/0/rule","value":"unite"}])",
                "does not fit"},
        Mistake{"HighestOnText",
                R"([{"op":"replace","path":"/kinds/0/fields/0/rule","value":"highest"}])",
                "fields[0].rule"},
        Mistake{"HighestOnUnorderedCode",
                R"([{"op":"replace","path":"/kinds/0/fields/3/rule","value":"highest"}])",
                "fields[3].rule"},
        Mistake{"MostRestrictiveOnDate",
                R"([{"op":"replace","path":"/kinds/0/fields/4/rule","value":"most-restrictive"}])",
                "fields[4].rule"},
        Mistake{"LowestOnCodes",
                R"([{"op":"replace","path":"/kinds/0/fields/2/rule","value":"lowest"}])",
                "fields[2].rule"},
        Mistake{"CodeWithoutList", R"([{"op":"remove","path":"/kinds/0/fields/1/codes"}])",
                "\"codes\""},
        Mistake{"UnknownCodeList",
                R"([{"op":"replace","path":"/kinds/0/fields/1/codes","value":"size"}])",
                "fields[1].codes"},
        Mistake{"CodeListOfUnknownPack",
                R"([{"op":"replace","path":"/kinds/0/fields/1/codes","value":"other/level"}])",
                "fields[1].codes"},
        Mistake{"CodesOnText", R"([{"op":"add","path":"/kinds/0/fields/0/codes","value":"level"}])",
                "fields[0].codes"},
        Mistake{"CodeTwice",
                R"([{"op":"replace","path":"/codeLists/level/codes/1/code","value":"low"}])",
                "codeLists.level.codes[1].code"},
        Mistake{"CodeWithSpace",
                R"([{"op":"replace","path":"/codeLists/level/codes/1/code","value":"a b"}])",
                "codeLists.level.codes[1].code"},
        Mistake{"CodeListEmpty", R"([{"op":"replace","path":"/codeLists/level/codes","value":[]}])",
                "codeLists.level"},
        Mistake{"OrderedAndOpen", R"([{"op":"add","path":"/codeLists/level/open","value":true}])",
                "codeLists.level"},
        Mistake{"RefToUnknownKind",
                R"([{"op":"replace","path":"/kinds/0/fields/9/ref","value":["ghost"]}])",
                "fields[9].ref[0]"},
        Mistake{"RefToNothing", R"([{"op":"replace","path":"/kinds/0/fields/9/ref","value":[]}])",
                "fields[9].ref"},
        Mistake{"RefMissing", R"([{"op":"remove","path":"/kinds/0/fields/9/ref"}])", "\"ref\""},
        Mistake{"RefOnText", R"([{"op":"add","path":"/kinds/0/fields/0/ref","value":["thing"]}])",
                "fields[0].ref"},
        Mistake{"ParentUnknown",
                R"([{"op":"replace","path":"/kinds/1/parents","value":["ghost"]}])",
                "kinds[1].parents[0]"},
        Mistake{"ParentIsNoRoot",
                R"([{"op":"replace","path":"/kinds/1/parents","value":["part"]}])", "not a root"},
        Mistake{"RootWithParent", R"([{"op":"add","path":"/kinds/0/parents","value":["thing"]}])",
                "kinds[0].parents"},
        Mistake{"GlobalWithoutRoot", R"([{"op":"add","path":"/kinds/1/global","value":true}])",
                "kinds[1].global"},
        Mistake{"NoFields", R"([{"op":"replace","path":"/kinds/1/fields","value":[]}])",
                "kinds[1]"},
        Mistake{"NoTitle", R"([{"op":"remove","path":"/kinds/1/title"}])", "kinds[1]"},
        Mistake{"TitleUnknown", R"([{"op":"replace","path":"/kinds/1/title","value":["ghost"]}])",
                "kinds[1].title[0]"},
        Mistake{"TitleTwice",
                R"([{"op":"replace","path":"/kinds/1/title","value":["text","text"]}])",
                "kinds[1].title[1]"},
        Mistake{"SectionUnknown",
                R"([{"op":"replace","path":"/kinds/0/fields/0/section","value":"x"}])",
                "fields[0].section"},
        Mistake{"StageFieldUnknown",
                R"([{"op":"replace","path":"/kinds/0/stages/field","value":"x"}])", "stages.field"},
        Mistake{"StageFieldNoCode",
                R"([{"op":"replace","path":"/kinds/0/stages/field","value":"name"}])",
                "stages.field"},
        Mistake{"StageUnknown",
                R"([{"op":"add","path":"/kinds/0/stages/needs/gone","value":["ended"]}])",
                "stages.needs.gone"},
        Mistake{"StageNeedsUnknown",
                R"([{"op":"add","path":"/kinds/0/stages/needs/open","value":["x"]}])",
                "stages.needs.open[0]"},
        Mistake{"ImportKeyUnknown",
                R"([{"op":"replace","path":"/kinds/0/import/key","value":["x"]}])",
                "import.key[0]"},
        Mistake{"ImportNameTwice",
                R"([{"op":"add","path":"/kinds/1/import","value":{"as":["things"]}}])",
                "kinds[1].import"},
        Mistake{"BadHxl",
                R"([{"op":"replace","path":"/kinds/0/fields/0/import/hxl","value":["item"]}])",
                "import.hxl[0]"},
        Mistake{"SeparatorOnText",
                R"([{"op":"add","path":"/kinds/0/fields/0/import/separator","value":";"}])",
                "import.separator"},
        Mistake{
            "ImportValueUnknown",
            R"([{"op":"add","path":"/kinds/0/fields/1/import","value":{"values":{"L":"lowest"}}}])",
            "import.values.L"},
        Mistake{"ImportValueWithoutCodes",
                R"([{"op":"add","path":"/kinds/0/fields/0/import/values","value":{"L":"low"}}])",
                "import.values.L"},
        Mistake{"MaxLengthOnDate",
                R"([{"op":"add","path":"/kinds/0/fields/4/maxLength","value":4}])",
                "fields[4].maxLength"},
        Mistake{"MaxLengthZero",
                R"([{"op":"replace","path":"/kinds/0/fields/0/maxLength","value":0}])",
                "fields[0].maxLength"},
        Mistake{"MinimumOnText", R"([{"op":"add","path":"/kinds/0/fields/0/minimum","value":0}])",
                "fields[0]"},
        Mistake{"MinimumAboveMaximum",
                R"([{"op":"replace","path":"/kinds/0/fields/5/minimum","value":100}])",
                "fields[5].minimum"},
        Mistake{"RequiredIsText",
                R"([{"op":"replace","path":"/kinds/0/fields/0/required","value":"yes"}])",
                "fields[0].required"}),
    [](const testing::TestParamInfo<Mistake>& each) { return std::string(each.param.what); });

TEST(ProgrammePack, AFileThatIsNotJsonOrNamesAKeyTwiceIsRefusedByName) {
  EXPECT_NE(failureOf(
                [] {
                  readPacks({{"a.json", "{"}});
                },
                "programme.invalid")
                .find("a.json"),
            std::string::npos);
  const std::string twice = R"({"id":"a","id":"b"})";
  EXPECT_NE(failureOf(
                [&] {
                  readPacks({{"b.json", twice}});
                },
                "programme.invalid")
                .find("\"id\""),
            std::string::npos);
  failureOf([] { readPacks({{"c.json", "[]"}}); }, "programme.invalid");
}

TEST(ProgrammePack, TheProgrammesOfTheProductSayWhatDoesNotWait) {
  const auto urgent =
      Programmes(loadPacks(WAYSTATION_SOURCE_DIR "/server/programmes")).urgentValues();
  EXPECT_TRUE(urgent.contains({"risk_level", "\"high\""}));
  EXPECT_TRUE(urgent.contains({"priority", "\"urgent\""}));
  EXPECT_FALSE(urgent.contains({"priority", "\"high\""}));
}

TEST(ProgrammePack, TwoFilesMayNotShareAnIdOrAKind) {
  const std::string good = goodPack().dump();
  failureOf([&] { readPacks({{"a.json", good}, {"b.json", good}}); }, "programme.invalid");
  Json other = goodPack();
  other["id"] = "other";
  failureOf([&] { readPacks({{"a.json", good}, {"b.json", other.dump()}}); }, "programme.invalid");
}

TEST(ProgrammePack, AFolderWithoutPacksIsAFailure) {
  failureOf([] { loadPacks("/nowhere/at/all"); }, "programme.invalid");
}

struct ValueCase {
  const char* field;
  const char* json;
  bool isGood;
};

TEST(ProgrammePack, ValuesAreCheckedByTheTypeOfTheirField) {
  const Programmes programmes = readGood();
  const Kind& kind = programmes.kind("thing");
  const ValueCase cases[] = {
      {"name", "\"Zahra\"", true},
      {"name", "\"\\u0632\\u0647\\u0631\\u0627\"", true},
      {"name", "\"0123456789\"", true},
      {"name", "\"01234567890\"", false},
      {"name", "\"\\u0632\\u0632\\u0632\\u0632\\u0632\\u0632\\u0632\\u0632\\u0632\\u0632\"", true},
      {"name", "\"\"", false},
      {"name", "\"a\\nb\"", false},
      {"name", "\"a\\u0000b\"", false},
      {"name", "\"a\\u007fb\"", false},
      {"name", "\"a\\u0085b\"", false},
      {"name", "5", false},
      {"name", "null", false},
      {"story", "\"a\\nb\\tc\"", true},
      {"story", "\"a\\rb\"", false},
      {"story", "null", true},
      {"ended", "\"2024-02-29\"", true},
      {"ended", "\"2023-02-29\"", false},
      {"ended", "\"1900-02-29\"", false},
      {"ended", "\"2000-02-29\"", true},
      {"ended", "\"2024-04-31\"", false},
      {"ended", "\"2024-13-01\"", false},
      {"ended", "\"2024-00-01\"", false},
      {"ended", "\"2024-1-1\"", false},
      {"ended", "\"0203-01-01\"", false},
      {"ended", "\"2024-01-01T00:00:00\"", false},
      {"ended", "\"2O24-01-01\"", false},
      {"count", "0", true},
      {"count", "99", true},
      {"count", "100", false},
      {"count", "-1", false},
      {"count", "1.0", false},
      {"count", "\"1\"", false},
      {"count", "18446744073709551615", false},
      {"agreed", "true", true},
      {"agreed", "1", false},
      {"level", "\"low\"", true},
      {"level", "\"Low\"", false},
      {"level", "[\"low\"]", false},
      {"colours", "[]", true},
      {"colours", "[\"red\",\"light-blue\"]", true},
      {"colours", "[\"red\",\"red\"]", false},
      {"colours", "[\"light blue\"]", false},
      {"colours", "\"red\"", false},
      {"other", "\"urn:uuid:4e8e30c1-9811-4526-b3dd-1031ab6e8d02\"", true},
      {"other", "\"4e8e30c1-9811-4526-b3dd-1031ab6e8d02\"", false},
      {"other", "\"urn:uuid:4E8E30C1-9811-4526-b3dd-1031ab6e8d02\"", false},
      {"other", "\"urn:uuid:new:1\"", false},
      {"where", "\"AF0101\"", true},
      {"where", "\"3507219\"", true},
      {"where", "\"Kabul\"", false},
      {"where", "\"A\"", false},
      {"where", "\"AF 01\"", false},
  };
  for (const ValueCase& each : cases) {
    const Field* field = kind.findField(each.field);
    ASSERT_NE(field, nullptr);
    const auto check = [&] { programmes.checkValue(*field, Json::parse(each.json)); };
    SCOPED_TRACE(std::string(each.field) + " = " + each.json);
    if (each.isGood) {
      EXPECT_NO_THROW(check());
    } else {
      EXPECT_NE(failureOf(check, "case.value-invalid").find(each.field), std::string::npos);
    }
  }
}

TEST(ProgrammePack, TextThatIsNotUtf8IsRefused) {
  const Programmes programmes = readGood();
  const Field& field = *programmes.kind("thing").findField("name");
  for (const std::string bytes :
       {"\xFF", "a\xC3", "\xC0\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x28\xA1", "\x80"}) {
    failureOf([&] { programmes.checkValue(field, bytes); }, "case.value-invalid");
  }
}

TEST(ProgrammePack, ARefusedValueIsNotRepeatedInTheSentence) {
  const Programmes programmes = readGood();
  const Field& field = *programmes.kind("thing").findField("level");
  const auto check = [&] { programmes.checkValue(field, "Zahra"); };
  EXPECT_EQ(failureOf(check, "case.value-invalid").find("Zahra"), std::string::npos);
}

TEST(ProgrammePack, ANewRecordNeedsItsRequiredFieldsAndThoseOfItsStage) {
  const Programmes programmes = readGood();
  EXPECT_NO_THROW(programmes.checkNewRecord("thing", {{"name", "x"}}));
  const auto missing = [&] { programmes.checkNewRecord("thing", {{"count", 1}}); };
  EXPECT_NE(failureOf(missing, "case.field-required").find("\"name\""), std::string::npos);
  const auto closed = [&] {
    programmes.checkNewRecord("thing", {{"name", "x"}, {"stage", "closed"}});
  };
  EXPECT_NE(failureOf(closed, "case.field-required").find("\"ended\""), std::string::npos);
  EXPECT_NO_THROW(programmes.checkNewRecord(
      "thing", {{"name", "x"}, {"stage", "closed"}, {"ended", "2024-01-01"}}));
}

TEST(ProgrammePack, AnEditMayHoldSomeFieldsOnlyButNoUnknownOnes) {
  const Programmes programmes = readGood();
  EXPECT_NO_THROW(programmes.checkEdit("thing", {{"count", 1}, {"ended", nullptr}}));
  failureOf([&] { programmes.checkEdit("thing", {{"ghost", 1}}); }, "case.field-unknown");
  failureOf([&] { programmes.checkEdit("thing", {{"_deleted", true}}); }, "case.field-unknown");
  failureOf([&] { programmes.checkEdit("thing", {{"name", nullptr}}); }, "case.value-invalid");
  failureOf([&] { programmes.checkEdit("thing", Json::array()); }, "case.value-invalid");
  failureOf([&] { programmes.checkEdit("ghost", Json::object()); }, "case.kind-unknown");
}

TEST(ShippedPacks, AllLoadAndSayWhatTheBrowserNeeds) {
  std::set<std::string> ids;
  for (const Pack& pack : shipped().packs()) ids.insert(pack.id);
  EXPECT_EQ(ids, (std::set<std::string>{"casework", "common", "counter-trafficking",
                                        "displacement-tracking", "voluntary-return"}));
  const Json described = shipped().describe();
  ASSERT_EQ(described.size(), ids.size());
  for (const Json& pack : described) {
    for (const Json& kind : pack.at("kinds")) {
      for (const char* key : {"kind", "name", "root", "fields", "title"}) {
        EXPECT_TRUE(kind.contains(key)) << kind.at("kind") << " " << key;
      }
      for (const Json& field : kind.at("fields")) {
        for (const char* key : {"name", "label", "type", "required", "rule"}) {
          EXPECT_TRUE(field.contains(key)) << field.at("name") << " " << key;
        }
        const bool hasCodes = field.at("type") == "code" || field.at("type") == "codes";
        EXPECT_EQ(field.contains("codes"), hasCodes) << field.at("name");
      }
    }
  }
}

TEST(ShippedPacks, PlacesAreHeldByEveryOfficeAndTraffickingIsSealed) {
  EXPECT_TRUE(shipped().kind("place").isGlobal);
  EXPECT_FALSE(shipped().kind("person").isGlobal);
  EXPECT_TRUE(shipped().findPackOf("ct_case")->isSealed);
  EXPECT_FALSE(shipped().findPackOf("person")->isSealed);
}

TEST(ShippedPacks, WithdrawnConsentStandsAboveEveryOther) {
  const Field& consent = *shipped().kind("person").findField("consent_sharing");
  EXPECT_EQ(consent.rule, MergeRule::kMostRestrictive);
  EXPECT_EQ(consent.codes->rankOf("withdrawn"), consent.codes->codes.size() - 1);
}

TEST(ShippedPacks, CounterTraffickingHasTheFieldsAndCodesOfTheStandard) {
  std::ifstream stream(dataFolder() / "htcds" / "htcds_xform.xml");
  const std::string form((std::istreambuf_iterator<char>(stream)),
                         std::istreambuf_iterator<char>());
  ASSERT_FALSE(form.empty()) << "the data folder " << dataFolder() << " is missing";
  const Kind& kind = shipped().kind("ct_case");
  const std::string opening = " ref=\"/data/";
  int fields = 0;
  for (std::size_t at = form.find(opening); at != std::string::npos; ++fields) {
    const std::size_t from = at + opening.size();
    const std::string name = form.substr(from, form.find('"', from) - from);
    const Field* field = kind.findField(name);
    ASSERT_NE(field, nullptr) << name;
    at = form.find(opening, from);
    const std::string body = form.substr(from, at == std::string::npos ? at : at - from);
    for (std::size_t v = body.find("<value>"); v != std::string::npos;
         v = body.find("<value>", v + 1)) {
      const std::string code = body.substr(v + 7, body.find('<', v + 7) - v - 7);
      ASSERT_NE(field->codes, nullptr) << name;
      EXPECT_TRUE(field->codes->rankOf(code)) << name << " " << code;
    }
  }
  EXPECT_EQ(fields, 31);
}

}  // namespace
}  // namespace waystation::cases

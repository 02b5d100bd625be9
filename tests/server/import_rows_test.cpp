#include "server/cases/import/import_rows.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <zstd.h>

#include <fstream>
#include <iostream>
#include <map>
#include <set>

#include "crypto/failure.h"
#include "server/cases/import/csv_reader.h"
#include "server/cases/import/hxl.h"
#include "server/http/json.h"

namespace waystation::cases {
namespace {

namespace fs = std::filesystem;

fs::path dataFile(const std::string& name) {
  const char* named = std::getenv("WAYSTATION_DATA_DIR");
  const fs::path folder = named != nullptr
                              ? fs::path(named)
                              : fs::path(WAYSTATION_SOURCE_DIR) / ".." / "shared" / "data";
  EXPECT_TRUE(fs::exists(folder / name)) << "the data file " << folder / name << " is missing";
  return folder / name;
}

const Programmes& shipped() {
  static const Programmes programmes(
      loadPacks(fs::path(WAYSTATION_SOURCE_DIR) / "server" / "programmes"));
  return programmes;
}

// A store that remembers what it was given, as the real one answers.
struct Memory {
  std::map<std::string, Json> records;
  int saves = 0;
  int examinations = 0;
  std::size_t largestBatch = 0;

  std::vector<SinkAnswer> take(const std::vector<ImportedRecord>& batch, bool isSave) {
    largestBatch = std::max(largestBatch, batch.size());
    std::vector<SinkAnswer> answers;
    for (const ImportedRecord& record : batch) {
      const auto found = records.find(record.externalKey);
      RowOutcome outcome = RowOutcome::kCreated;
      if (found != records.end()) {
        outcome = found->second == record.fields ? RowOutcome::kUnchanged : RowOutcome::kUpdated;
      }
      if (isSave) records[record.externalKey] = record.fields;
      answers.push_back({outcome, {}});
    }
    return answers;
  }

  ImportSinks sinks() {
    return {[this](const Kind&, const auto& batch) { return ++saves, take(batch, true); },
            [this](const Kind&, const auto& batch) { return ++examinations, take(batch, false); }};
  }

  // The record in which the field has this value.
  Json find(const std::string& field, const Json& value) const {
    for (const auto& [key, fields] : records) {
      if (fields.contains(field) && fields.at(field) == value) return fields;
    }
    return nullptr;
  }
};

class ImportRows : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "import-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { fs::remove_all(folder_); }

  fs::path write(const std::string& name, const std::string& content) const {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return folder_ / name;
  }

  static std::string read(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  }

  ImportResult run(const std::string& as, const fs::path& file, bool isDryRun = false) {
    ImportOptions options;
    options.isDryRun = isDryRun;
    options.rejectsFile = folder_ / (file.filename().string() + ".rejected");
    const Kind* kind = shipped().findImportKind(as);
    EXPECT_NE(kind, nullptr) << as;
    return importFile(shipped(), *kind, file, memory_.sinks(), {}, options);
  }

  std::string failureOf(const std::string& as, const fs::path& file) {
    try {
      run(as, file);
    } catch (const Failure& failure) {
      return failure.code();
    }
    return "nothing was thrown";
  }

  // Reason codes by line, from the rejects file of a CSV import.
  static std::map<std::string, std::string> reasons(const fs::path& file) {
    std::map<std::string, std::string> byLine;
    bool isFirst = true;
    CsvReader reader([text = read(file), &isFirst]() -> std::string_view {
      return std::exchange(isFirst, false) ? std::string_view(text) : std::string_view();
    });
    reader.next();
    while (auto row = reader.next()) byLine[row->cells.at(0)] = row->cells.at(1);
    return byLine;
  }

  fs::path folder_;
  Memory memory_;
};

const std::string kPlaces = "P-Code,Name,Admin Level\n";

TEST_F(ImportRows, TheDisplacementRoundsComeInByTheirHxlTags) {
  const fs::path file = dataFile("dtm/global-iom-dtm-admin-0-to-2.csv");
  const ImportResult result = run("dtm", file);
  std::cout << "displacement rounds: " << result.sentence() << "\n";
  EXPECT_EQ(result.rows, 13367U);
  EXPECT_EQ(result.created, 13367U);
  EXPECT_EQ(result.rejected, 0U);
  EXPECT_TRUE(result.unknownColumns.empty());
  EXPECT_EQ(memory_.records.size(), 13367U);
  const Json record = memory_.find("source_id", "36747");
  const Json expected = {{"source_id", "36747"},
                         {"operation", "Countrywide monitoring"},
                         {"operation_status", "active"},
                         {"round_number", 10},
                         {"reporting_date", "2025-06-30"},
                         {"assessment_type", "BA"},
                         {"admin_level", "2"},
                         {"admin0_name", "Haiti"},
                         {"admin0_pcode", "HTI"},
                         {"admin1_name", "Nippes"},
                         {"admin1_pcode", "HT10"},
                         {"admin2_name", "Fonds Des Negres"},
                         {"admin2_pcode", "HT1013"},
                         {"num_present_idp_ind", 5063},
                         {"number_males", 2194},
                         {"number_females", 2869},
                         {"displacement_reason", {"conflict"}},
                         {"idp_origin_admin1_name", "Ouest"},
                         {"idp_origin_admin1_pcode", "HT01"}};
  EXPECT_EQ(record, expected);
}

TEST_F(ImportRows, TheSameRoundsComeInWithTagsAlone) {
  const std::string whole = read(dataFile("dtm/global-iom-dtm-admin-0-to-2.csv"));
  const std::string tagsOnly = whole.substr(whole.find('\n') + 1, 200000);
  const std::string file = tagsOnly.substr(0, tagsOnly.rfind('\n') + 1);
  const ImportResult result = run("dtm_round", write("tags.csv", file));
  EXPECT_GT(result.created, 1000U);
  EXPECT_EQ(result.rejected, 0U);
}

TEST_F(ImportRows, ThePlaceCodesComeInAndTheOneThatIsNoneIsRejected) {
  const ImportResult result = run("pcodes", dataFile("pcodes/global-pcodes-adm-1-2.csv"));
  std::cout << "place codes: " << result.sentence() << "\n";
  EXPECT_EQ(result.rows, 33363U);
  EXPECT_EQ(result.created, 33362U);
  EXPECT_EQ(result.rejected, 1U);
  EXPECT_NE(read(result.rejectsFile).find("Unspecified"), std::string::npos);
  const Json expected = {{"pcode", "AF01"},  {"name", "Kabul"}, {"level", "1"},
                         {"country", "AFG"}, {"parent", "AFG"}, {"valid_from", "2019-10-22"}};
  EXPECT_EQ(memory_.find("pcode", "AF01"), expected);
}

TEST_F(ImportRows, TenThousandPackedCasesComeInAndASecondTimeChangeNothing) {
  const fs::path file = dataFile("bench/cases-10000.jsonl.zst");
  const ImportResult first = run("cases", file);
  std::cout << "cases: " << first.sentence() << "\n";
  EXPECT_EQ(first.created, 10000U);
  EXPECT_EQ(first.rejected, 0U);
  EXPECT_TRUE(first.unknownColumns.empty());
  EXPECT_TRUE(first.rejectsFile.empty());
  EXPECT_EQ(memory_.largestBatch, 500U);
  const Json record = memory_.find("case_no", "ET-STE-2018-000002");
  EXPECT_EQ(record.at("needs"), Json::array({"need_zongsti"}));
  EXPECT_EQ(record.at("household_size"), 1);
  EXPECT_EQ(record.size(), 26U);

  const ImportResult second = run("cases", file);
  EXPECT_EQ(second.unchanged, 10000U);
  EXPECT_EQ(second.created + second.updated + second.rejected, 0U);
}

TEST_F(ImportRows, AnImportThatWasCutIsTakenUpAgain) {
  std::string text = kPlaces;
  for (int i = 100; i < 1300; ++i) text += "XX" + std::to_string(i) + ",Place,1\n";
  const fs::path file = write("places.csv", text);
  ImportSinks sinks = memory_.sinks();
  const RecordSink save = sinks.save;
  sinks.save = [&](const Kind& kind, const std::vector<ImportedRecord>& batch) {
    if (memory_.saves == 1) throw Failure("store.full", "The disk is full.");
    return save(kind, batch);
  };
  EXPECT_THROW(importFile(shipped(), shipped().kind("place"), file, sinks, {}, {}), Failure);
  EXPECT_EQ(memory_.records.size(), 500U);
  const ImportResult again = run("pcodes", file);
  EXPECT_EQ(again.unchanged, 500U);
  EXPECT_EQ(again.created, 700U);
}

TEST_F(ImportRows, ACorrectedRowIsAnUpdateOfTheSameRecord) {
  run("pcodes", write("a.csv", kPlaces + "AF01,Kabol,1\nAF02,Kapisa,1\n"));
  const ImportResult result =
      run("pcodes", write("b.csv", kPlaces + "AF01,Kabul,1\nAF02,Kapisa,1\n"));
  EXPECT_EQ(result.updated, 1U);
  EXPECT_EQ(result.unchanged, 1U);
  EXPECT_EQ(memory_.records.size(), 2U);
}

TEST_F(ImportRows, ATrialSavesNothingAndSaysWhatItWouldDo) {
  const fs::path file = write("a.csv", kPlaces + "AF01,Kabul,1\nbad,Place,1\n");
  const ImportResult result = run("pcodes", file, true);
  EXPECT_EQ(memory_.saves, 0);
  EXPECT_EQ(memory_.examinations, 1);
  EXPECT_TRUE(memory_.records.empty());
  EXPECT_EQ(result.created, 1U);
  EXPECT_EQ(result.rejected, 1U);
  EXPECT_NE(result.sentence().find("nothing was saved"), std::string::npos);
}

TEST_F(ImportRows, ATrialWithoutAStoreCountsWhatCouldComeIn) {
  ImportOptions options;
  options.isDryRun = true;
  const fs::path file = write("a.csv", kPlaces + "AF01,Kabul,1\n");
  const auto result = importFile(shipped(), shipped().kind("place"), file, {}, {}, options);
  EXPECT_EQ(result.accepted, 1U);
  EXPECT_NE(result.sentence().find("1 could be imported"), std::string::npos);
}

TEST_F(ImportRows, EveryRejectedRowIsWrittenDownWithItsReason) {
  const fs::path file = write("a.csv", kPlaces +
                                           "AF01,Kabul,1\n"
                                           "AF02,Kapisa\n"
                                           "AF03,Par\"wan,1\n"
                                           "AF04,,1\n"
                                           "AF05,\xFF,1\n"
                                           "kabul,Kabul,1\n"
                                           "AF01,Kabul again,1\n"
                                           "AF08,Place,9\n"
                                           ",,\n"
                                           "=1+1,\"say \"\"no\"\"\",1\n"
                                           "AF09,Baghlan,1\n");
  const ImportResult result = run("pcodes", file);
  EXPECT_EQ(result.rows, 11U);
  EXPECT_EQ(result.created, 2U);
  EXPECT_EQ(result.rejected, 9U);
  const std::map<std::string, std::string> expected = {
      {"3", "csv.cell-count"},     {"4", "csv.stray-quote"},    {"5", "case.field-required"},
      {"6", "csv.not-utf-8"},      {"7", "case.value-invalid"}, {"8", "import.row-twice"},
      {"9", "case.value-invalid"}, {"10", "import.row-empty"},  {"11", "case.value-invalid"}};
  EXPECT_EQ(reasons(result.rejectsFile), expected);
  const std::string text = read(result.rejectsFile);
  EXPECT_NE(text.find("same record as line 2"), std::string::npos);
  EXPECT_NE(text.find("\"'=1+1,\"\"say \"\"\"\"no\"\"\"\"\"\",1\""), std::string::npos) << text;
  EXPECT_NE(result.sentence().find(result.rejectsFile.string()), std::string::npos);
  struct stat about {};
  ASSERT_EQ(::stat(result.rejectsFile.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600U);
}

TEST_F(ImportRows, WithoutRejectsThereIsNoRejectsFileNotEvenAnOldOne) {
  const fs::path file = write("a.csv", kPlaces + "AF01,Kabul,1\n");
  const fs::path old = write("a.csv.rejected", "old");
  const ImportResult result = run("pcodes", file);
  EXPECT_TRUE(result.rejectsFile.empty());
  EXPECT_FALSE(fs::exists(old));
}

TEST_F(ImportRows, ALineWithAKeyTwiceIsRejectedWhileTheOthersComeIn) {
  const fs::path file = write("a.jsonl",
                              "{\"pcode\":\"AF01\",\"name\":\"Kabul\"}\n"
                              "{\"pcode\":\"AF02\",\"name\":\"a\",\"name\":\"b\"}\n"
                              "{\"pcode\":\"AF03\",\"P-Code\":\"AF03\",\"name\":\"a\"}\n"
                              "[1]\n"
                              "{\"pcode\":\"AF04\"\n"
                              "\n"
                              "{\"pcode\":\"AF05\",\"name\":\"x\",\"altitude\":4}\r\n"
                              "{\"pcode\":5,\"name\":\"x\"}");
  const ImportResult result = run("pcodes", file);
  EXPECT_EQ(result.created, 2U);
  EXPECT_EQ(result.rejected, 5U);
  EXPECT_EQ(result.unknownColumns, std::vector<std::string>{"altitude"});
  std::string codes;
  std::istringstream lines(read(result.rejectsFile));
  for (std::string line; std::getline(lines, line);) {
    const Json reject = http::parseJson(line);
    codes += std::to_string(reject.at("line").get<int>()) + " " +
             reject.at("code").get<std::string>() + "\n";
  }
  EXPECT_EQ(codes,
            "2 json.duplicate-key\n3 jsonl.field-twice\n4 jsonl.not-an-object\n5 json.malformed\n"
            "8 case.value-invalid\n");
}

TEST_F(ImportRows, WhatTheStoreRejectsIsWrittenDownToo) {
  ImportSinks sinks;
  sinks.save = [](const Kind&, const std::vector<ImportedRecord>& batch) {
    return std::vector<SinkAnswer>(
        batch.size(), {RowOutcome::kRejected, {"custody.elsewhere", "It is another office's."}});
  };
  const fs::path file = write("a.csv", kPlaces + "AF01,Kabul,1\n");
  const auto result = importFile(shipped(), shipped().kind("place"), file, sinks, {}, {});
  EXPECT_EQ(result.rejected, 1U);
  EXPECT_EQ(result.rejectsFile, fs::path(file.string() + ".rejected.csv"));
  EXPECT_NE(read(result.rejectsFile).find("custody.elsewhere"), std::string::npos);
}

TEST_F(ImportRows, HeadersMayStandUnderATitleAndInAnyLanguage) {
  EXPECT_EQ(
      run("pcodes", write("a.csv", "Places of 2024,,\n\nP_CODE,nom,Whatever\nAF01,Kaboul,x\n"))
          .created,
      1U);
  EXPECT_EQ(memory_.find("pcode", "AF01").at("name"), "Kaboul");
}

TEST_F(ImportRows, FilesThatCannotBeUnderstoodAreRefusedWhole) {
  EXPECT_EQ(failureOf("pcodes", folder_ / "none.csv"), "import.unreadable");
  EXPECT_EQ(failureOf("pcodes", folder_), "import.unreadable");
  EXPECT_EQ(failureOf("pcodes", write("a.csv", "")), "import.no-columns");
  EXPECT_EQ(failureOf("pcodes", write("b.csv", "\xEF\xBB\xBF")), "import.no-columns");
  EXPECT_EQ(failureOf("pcodes", write("c.csv", "x,y\n1,2\n")), "import.no-columns");
  EXPECT_EQ(failureOf("pcodes", write("d.csv", "pcode,name,P-Code\n1,2,3\n")),
            "import.column-twice");
  EXPECT_EQ(failureOf("pcodes", write("e.csv", "pcode\nAF01\n")), "import.column-missing");
  EXPECT_EQ(failureOf("pcodes", write("f.json", "[{\"pcode\":\"AF01\"}]")), "import.format");
  EXPECT_EQ(failureOf("note", write("g.csv", "subject\nx\n")), "import.kind-not-root");
  EXPECT_EQ(failureOf("pcodes", write("h.csv", "\xFF\xFEp\0c\0")), "import.encoding");
}

TEST_F(ImportRows, AnOverlongLineOfJsonCostsItselfOnly) {
  const std::string big(3 << 20, 'x');
  const ImportResult result =
      run("pcodes", write("a.jsonl", "{\"pcode\":\"AF01\",\"name\":\"a\"}\n{\"pcode\":\"" + big +
                                         "\"}\n{\"pcode\":\"AF02\",\"name\":\"b\"}\n"));
  EXPECT_EQ(result.created, 2U);
  EXPECT_EQ(result.rejected, 1U);
}

std::string packed(const std::string& text) {
  std::string result(ZSTD_compressBound(text.size()), '\0');
  result.resize(ZSTD_compress(result.data(), result.size(), text.data(), text.size(), 3));
  return result;
}

TEST_F(ImportRows, PackedFilesAreUnpackedWhateverTheirNameAndInSeveralFrames) {
  const std::string content =
      packed(kPlaces) + packed("AF01,Kabul,1\n") + packed("AF02,Kapisa,1\n");
  EXPECT_EQ(run("pcodes", write("a.bin", content)).created, 2U);
}

TEST_F(ImportRows, ADamagedOrCutPackedFileIsSaidToBeSo) {
  std::string text = kPlaces;
  for (int i = 0; i < 9000; ++i) text += "XX" + std::to_string(i * 7919) + ",Place,1\n";
  const std::string whole = packed(text);
  EXPECT_EQ(failureOf("pcodes", write("a.zst", whole.substr(0, whole.size() / 2))),
            "import.damaged");
  std::string broken = whole.substr(0, 4) + std::string(40, '\xFF');
  EXPECT_EQ(failureOf("pcodes", write("b.zst", broken)), "import.damaged");
}

TEST_F(ImportRows, ProgressGoesUpToTheWholeFile) {
  std::string text = kPlaces;
  for (int i = 100; i < 2000; ++i) text += "XX" + std::to_string(i) + ",Place,1\n";
  const fs::path file = write("a.csv", text);
  std::vector<ImportProgress> seen;
  importFile(shipped(), shipped().kind("place"), file, memory_.sinks(),
             [&](const ImportProgress& progress) { seen.push_back(progress); }, {});
  ASSERT_EQ(seen.size(), 4U);
  EXPECT_EQ(seen.front().rows, 500U);
  EXPECT_EQ(seen.back().rows, 1900U);
  EXPECT_EQ(seen.back().bytesDone, text.size());
  EXPECT_EQ(seen.back().bytesTotal, text.size());
}

TEST(ExternalKey, DependsOnTheKeyFieldsAndTheKindAlone) {
  const Kind& place = shipped().kind("place");
  const std::string key = externalKeyOf(place, {{"pcode", "AF01"}, {"name", "a"}});
  EXPECT_EQ(key.size(), 32U);
  EXPECT_EQ(key, externalKeyOf(place, {{"pcode", "AF01"}, {"name", "b"}}));
  EXPECT_NE(key, externalKeyOf(place, {{"pcode", "AF02"}, {"name", "a"}}));
  Kind keyless = place;
  keyless.importKey.clear();
  EXPECT_NE(externalKeyOf(keyless, {{"name", "a"}}), externalKeyOf(keyless, {{"name", "b"}}));
}

TEST(Hxl, TagsAndPatternsAreReadWhateverTheirCaseAndOrder) {
  EXPECT_EQ(HxlTag::parse(" #ADM1 +Name+origin ")->attributes,
            (std::set<std::string>{"name", "origin"}));
  EXPECT_TRUE(HxlPattern::parse("#adm1+name")->matches(*HxlTag::parse("#adm1+origin+name")));
  EXPECT_FALSE(
      HxlPattern::parse("#adm1+name-origin")->matches(*HxlTag::parse("#adm1+name+origin")));
  EXPECT_FALSE(HxlPattern::parse("#adm1")->matches(*HxlTag::parse("#adm2")));
  for (const char* text : {"", "#", "adm1", "#1", "#adm1+", "#adm1++x", "#adm1+1", "#adm1,b"}) {
    EXPECT_FALSE(HxlTag::parse(text)) << text;
  }
  EXPECT_FALSE(HxlTag::parse("#adm1-name")) << "a column cannot forbid";
  EXPECT_TRUE(isHxlRow({"#adm1", "", "#date"}));
  EXPECT_FALSE(isHxlRow({"", ""}));
  EXPECT_FALSE(isHxlRow({"#adm1", "x"}));
}

}  // namespace
}  // namespace waystation::cases

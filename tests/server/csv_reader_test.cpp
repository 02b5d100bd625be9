#include "server/cases/import/csv_reader.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "crypto/failure.h"

namespace waystation::cases {
namespace {

// Gives the text out in pieces, to meet every boundary.
ByteSource inPieces(std::string text, std::size_t size) {
  return [text = std::move(text), size, at = std::size_t{0}]() mutable -> std::string_view {
    const std::string_view piece = std::string_view(text).substr(at, size);
    at += piece.size();
    return piece;
  };
}

std::vector<SourceRow> readAll(const std::string& text, std::size_t piece = 1 << 16,
                               RowLimits limits = {}) {
  CsvReader reader(inPieces(text, piece), limits);
  std::vector<SourceRow> rows;
  while (auto row = reader.next()) rows.push_back(std::move(*row));
  return rows;
}

// "line:cell|cell" or "line!fault", one per row.
std::string told(const std::vector<SourceRow>& rows) {
  std::string text;
  for (const SourceRow& row : rows) {
    text += std::to_string(row.line);
    if (row.fault) {
      text += "!" + row.fault->code;
    } else {
      for (std::size_t i = 0; i < row.cells.size(); ++i)
        text += (i == 0 ? ":" : "|") + row.cells[i];
    }
    text += "\n";
  }
  return text;
}

struct CsvCase {
  const char* what;
  std::string text;
  std::string expected;
};

std::string bytes(const char* text, std::size_t size) {
  return std::string(text, size);
}

class CsvTable : public testing::TestWithParam<CsvCase> {};

TEST_P(CsvTable, IsReadAlikeInPiecesOfAnySize) {
  for (const std::size_t piece : {1U, 2U, 3U, 7U, 4096U}) {
    SCOPED_TRACE(piece);
    EXPECT_EQ(told(readAll(GetParam().text, piece)), GetParam().expected);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, CsvTable,
    testing::Values(
        CsvCase{"Empty", "", ""}, CsvCase{"MarkOnly", "\xEF\xBB\xBF", ""},
        CsvCase{"Mark",
                "\xEF\xBB\xBF"
                "a,b\n1,2\n",
                "1:a|b\n2:1|2\n"},
        CsvCase{"NoLastLineEnd", "a,b\n1,2", "1:a|b\n2:1|2\n"},
        CsvCase{"Crlf", "a,b\r\n1,2\r\n", "1:a|b\n2:1|2\n"},
        CsvCase{"LoneReturns", "a,b\r1,2\r", "1:a|b\n2:1|2\n"},
        CsvCase{"EmptyLines", "a,b\n\n\r\n1,2\n\n", "1:a|b\n4:1|2\n"},
        CsvCase{"EmptyCells", "a,b,c\n,,\n", "1:a|b|c\n2:||\n"},
        CsvCase{"LastCellEmpty", "a,b\n1,", "1:a|b\n2:1|\n"},
        CsvCase{"Quoted", "a,b\n\"1,5\",\"say \"\"yes\"\"\"\n", "1:a|b\n2:1,5|say \"yes\"\n"},
        CsvCase{"QuotedEmpty", "a,b\n\"\",2\n", "1:a|b\n2:|2\n"},
        CsvCase{"LineEndInCell", "a,b\n\"x\ny\",2\n3,4\n", "1:a|b\n2:x\ny|2\n4:3|4\n"},
        CsvCase{"CrlfInCell", "a,b\r\n\"x\r\ny\",2\r\n3,4\r\n", "1:a|b\n2:x\r\ny|2\n4:3|4\n"},
        CsvCase{"Semicolons", "a;b\n1,5;2\n", "1:a|b\n2:1,5|2\n"},
        CsvCase{"Tabs", "a\tb\n1,5\t2\n", "1:a|b\n2:1,5|2\n"},
        CsvCase{"CommaInQuotedHeader", "\"a,b,c\";d\n1;2\n", "1:a,b,c|d\n2:1|2\n"},
        CsvCase{"QuoteInCell", "a,b\n1\"2,3\n4,5\n", "1:a|b\n2!csv.stray-quote\n3:4|5\n"},
        CsvCase{"TextAfterQuote", "a,b\n\"1\"2,3\n4,5\n", "1:a|b\n2!csv.stray-quote\n3:4|5\n"},
        CsvCase{"QuoteNeverClosed", "a,b\n\"1,2\n3,4\n5,6\n",
                "1:a|b\n2!csv.quote-not-closed\n3:3|4\n4:5|6\n"},
        CsvCase{"QuoteNeverClosedAtTheEnd", "a,b\n\"1", "1:a|b\n2!csv.quote-not-closed\n"},
        CsvCase{"TwoLostQuotes", "a,b\n\"1,2\n\"3,4\n5,6\n",
                "1:a|b\n2!csv.stray-quote\n3!csv.quote-not-closed\n4:5|6\n"},
        CsvCase{"Nul", bytes("a,b\n1,\0\n3,4\n", 12), "1:a|b\n2!csv.nul\n3:3|4\n"},
        CsvCase{"BadUtf8", "a,b\n1,\xFF\n3,4\n", "1:a|b\n2!csv.not-utf-8\n3:3|4\n"},
        CsvCase{"Latin1", "a,b\n1,Caf\xE9\n3,4\n", "1:a|b\n2!csv.not-utf-8\n3:3|4\n"},
        CsvCase{"OverlongUtf8", "a,b\n1,\xC0\xAF\n3,4\n", "1:a|b\n2!csv.not-utf-8\n3:3|4\n"},
        CsvCase{"Arabic", "a,b\n\"\xD8\xB2\xD9\x87\xD8\xB1\xD8\xA7\",2\n",
                "1:a|b\n2:\xD8\xB2\xD9\x87\xD8\xB1\xD8\xA7|2\n"}),
    [](const testing::TestParamInfo<CsvCase>& each) { return std::string(each.param.what); });

// What stands between the cells is told by the whole first line, wherever the file is cut.
TEST(CsvReader, AHeaderWithALineEndInItsFirstCellIsReadAlikeInPiecesOfAnySize) {
  const std::string text = "\"name,\n and so on\";age;place\nAli;3;Goma\n";
  for (const std::size_t piece : {1U, 4U, 9U, 4096U}) {
    const std::vector<SourceRow> rows = readAll(text, piece);
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_EQ(rows[1].cells, (std::vector<std::string>{"Ali", "3", "Goma"})) << piece;
  }
}

TEST(CsvReader, ACellOfTenMegabytesCostsItsRowAndNoMore) {
  for (const std::string& cell :
       {std::string(10 << 20, 'x'), "\"" + std::string(10 << 20, 'x') + "\""}) {
    const auto rows = readAll("a,b\n1," + cell + "\n3,4\n");
    EXPECT_EQ(told(rows), "1:a|b\n2!csv.row-too-long\n3:3|4\n");
    EXPECT_EQ(rows[1].text.size(), kShownRowBytes);
  }
}

TEST(CsvReader, AQuoteThatIsNeverClosedInALongFileCostsOneRow) {
  std::string text = "a,b\n\"1,2\n";
  for (int i = 0; i < 200000; ++i) text += "3,4567890\n";
  const auto rows = readAll(text);
  ASSERT_EQ(rows.size(), 200002U);
  EXPECT_EQ(rows[1].fault->code, "csv.quote-not-closed");
  EXPECT_EQ(rows[1].text, "\"1,2");
  EXPECT_FALSE(rows[2].fault);
  EXPECT_EQ(rows.back().line, 200002U);
}

TEST(CsvReader, ABrokenRowKeepsItsText) {
  const auto rows = readAll("a,b\n1\"2,rest of it\n3,4\n", 4);
  EXPECT_EQ(rows.at(1).text, "1\"2,rest of it");
  EXPECT_EQ(rows.at(2).text, "3,4");
}

TEST(CsvReader, MoreColumnsThanTheLimitAreAFault) {
  const auto rows = readAll("a,b\n1,2,3,4\n5,6\n", 4096, {1024, 3});
  EXPECT_EQ(told(rows), "1:a|b\n2!csv.too-many-columns\n3:5|6\n");
}

TEST(CsvReader, AFileInUtf16IsRefusedWithAdvice) {
  CsvReader reader(inPieces(bytes("\xFF\xFE"
                                  "a\0,\0",
                                  6),
                            64));
  try {
    reader.next();
    FAIL() << "nothing was thrown";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), "import.encoding");
  }
}

}  // namespace
}  // namespace waystation::cases

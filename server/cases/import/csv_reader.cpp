#include "server/cases/import/csv_reader.h"

#include <algorithm>

#include "crypto/failure.h"
#include "server/cases/text_check.h"

namespace waystation::cases {

namespace {

constexpr int kEnd = -1;

RowFault longRow(std::size_t limit) {
  return {"csv.row-too-long", "The row is longer than " + std::to_string(limit) +
                                  " bytes; split the text or attach it as a file."};
}

// The line ends inside a text; CRLF counts once.
std::uint64_t countLines(std::string_view text) {
  std::uint64_t lines = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool isLoneReturn = text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n');
    if (text[i] == '\n' || isLoneReturn) ++lines;
  }
  return lines;
}

// What may stand between the cells, counted outside of quotes.
struct FirstLine {
  std::size_t commas = 0;
  std::size_t semicolons = 0;
  std::size_t tabs = 0;
  bool isWhole = false;  // else it goes on
};

FirstLine firstLineOf(std::string_view bytes) {
  FirstLine line;
  bool isQuoted = false;
  for (const char c : bytes.substr(0, kShownRowBytes)) {
    if (c == '"') isQuoted = !isQuoted;
    if (isQuoted) continue;
    line.isWhole = c == '\n' || c == '\r';
    if (line.isWhole) break;
    line.commas += c == ',';
    line.semicolons += c == ';';
    line.tabs += c == '\t';
  }
  return line;
}

}  // namespace

CsvReader::CsvReader(ByteSource source, RowLimits limits)
    : source_(std::move(source)), limits_(limits) {}

bool CsvReader::fill() {
  if (isAtEnd_) return false;
  if (rowStart_ > 0) {
    buffer_.erase(0, rowStart_);
    at_ -= rowStart_;
    rowStart_ = 0;
  }
  const std::string_view more = source_();
  if (more.empty()) isAtEnd_ = true;
  buffer_.append(more);
  return !more.empty();
}

int CsvReader::peek() {
  if (at_ == buffer_.size() && !fill()) return kEnd;
  return static_cast<unsigned char>(buffer_[at_]);
}

// Takes the byte order mark away and finds out what stands between the cells.
void CsvReader::start() {
  isStarted_ = true;
  FirstLine line = firstLineOf(buffer_);
  while (!line.isWhole && buffer_.size() < kShownRowBytes && fill()) line = firstLineOf(buffer_);
  const std::string_view bytes = buffer_;
  if (bytes.substr(0, 2) == "\xFF\xFE" || bytes.substr(0, 2) == "\xFE\xFF") {
    throw Failure("import.encoding",
                  "The file is in UTF-16. Open it in the spreadsheet program and save it as "
                  "\"CSV UTF-8\".");
  }
  if (bytes.substr(0, 3) == "\xEF\xBB\xBF") at_ = rowStart_ = 3;
  if (line.semicolons > line.commas && line.semicolons >= line.tabs) delimiter_ = ';';
  if (line.tabs > line.commas && line.tabs > line.semicolons) delimiter_ = '\t';
}

// Where the line that begins at `from` ends, in what the buffer holds; npos if further on.
std::size_t CsvReader::lineEndAt(std::size_t from) const {
  return buffer_.find_first_of("\r\n", from);
}

// Takes away the line end that stands at `at_`, if one does.
void CsvReader::takeLineEnd() {
  const int c = peek();
  if (c == kEnd) return;
  ++at_;
  if (c == '\r' && peek() == '\n') ++at_;
  ++line_;
}

void CsvReader::keepText(SourceRow& row, std::size_t end) const {
  row.text = buffer_.substr(rowStart_, std::min(end - rowStart_, kShownRowBytes));
}

// Moves past the line in which the broken row began; of a long one only the beginning is kept.
void CsvReader::passFirstLine(SourceRow& row) {
  const std::size_t firstEnd = lineEndAt(rowStart_);
  if (firstEnd != std::string::npos && firstEnd < at_) at_ = firstEnd;
  bool isKept = false;
  for (;;) {
    const std::size_t end = lineEndAt(at_);
    const bool isFound = end != std::string::npos;
    at_ = isFound ? end : buffer_.size();
    if (!isKept && (isFound || isAtEnd_ || at_ - rowStart_ >= kShownRowBytes)) {
      keepText(row, at_);
      isKept = true;
    }
    if (isFound) break;
    if (isKept) rowStart_ = at_;
    if (!fill() && isKept) break;
  }
  takeLineEnd();
}

CsvReader::End CsvReader::parseQuoted(SourceRow& row, std::string& cell) {
  ++at_;
  for (;;) {
    const int c = peek();
    if (c == kEnd || at_ - rowStart_ > limits_.rowBytes) {
      row.fault = {"csv.quote-not-closed",
                   "A quotation mark opens a cell in this row and is never closed."};
      if (c != kEnd &&
          countLines(std::string_view(buffer_).substr(rowStart_, at_ - rowStart_)) == 0) {
        row.fault = longRow(limits_.rowBytes);
      }
      return End::kFault;
    }
    ++at_;
    if (c != '"') {
      cell.push_back(static_cast<char>(c));
    } else if (peek() == '"') {
      ++at_;
      cell.push_back('"');
    } else {
      return End::kRow;
    }
  }
}

CsvReader::End CsvReader::parse(SourceRow& row) {
  const auto stray = RowFault{
      "csv.stray-quote", "A quotation mark stands where none may; double it inside a quoted cell."};
  std::string cell;
  bool isAtCellStart = true;
  bool wasQuoted = false;
  for (;;) {
    const int c = peek();
    if (at_ - rowStart_ > limits_.rowBytes) {
      row.fault = longRow(limits_.rowBytes);
      return End::kFault;
    }
    if (c == kEnd || c == '\n' || c == '\r' || c == delimiter_) {
      row.cells.push_back(std::move(cell));
      cell.clear();
      if (c == kEnd) return End::kFile;
      if (c != delimiter_) return End::kRow;
      if (row.cells.size() >= limits_.columns) {
        row.fault = {"csv.too-many-columns",
                     "The row has more than " + std::to_string(limits_.columns) + " cells."};
        return End::kFault;
      }
      ++at_;
      isAtCellStart = true;
      wasQuoted = false;
    } else if (c == '"' && isAtCellStart) {
      if (parseQuoted(row, cell) == End::kFault) return End::kFault;
      isAtCellStart = false;
      wasQuoted = true;
    } else if (c == '"' || wasQuoted) {
      row.fault = stray;
      return End::kFault;
    } else {
      cell.push_back(static_cast<char>(c));
      isAtCellStart = false;
      ++at_;
    }
  }
}

std::optional<SourceRow> CsvReader::next() {
  if (!isStarted_) start();
  for (;;) {
    rowStart_ = at_;
    if (peek() == kEnd) return std::nullopt;
    SourceRow row;
    row.line = line_;
    if (parse(row) == End::kFault) {
      row.cells.clear();
      passFirstLine(row);
      return row;
    }
    line_ += countLines(std::string_view(buffer_).substr(rowStart_, at_ - rowStart_));
    keepText(row, at_);
    takeLineEnd();
    if (row.cells.size() == 1 && trimmed(row.cells[0]).empty()) continue;
    for (const std::string& cell : row.cells) {
      if (checkText(cell, true).fault == TextFault::kNotUtf8) {
        row.fault = {"csv.not-utf-8",
                     "The row is not valid UTF-8; save the file as \"CSV UTF-8\"."};
      } else if (cell.find('\0') != std::string::npos) {
        row.fault = {"csv.nul", "The row holds a NUL byte; the file is damaged or not text."};
      }
      if (row.fault) break;
    }
    if (row.fault) row.cells.clear();
    return row;
  }
}

}  // namespace waystation::cases

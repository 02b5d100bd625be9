#pragma once

#include <optional>
#include <string>

#include "server/cases/import/source_row.h"

namespace waystation::cases {

// Reads comma separated values (RFC 4180) row by row: quoted cells with line ends in them, LF, CRLF
// or CR, a UTF-8 byte order mark, and ';' or tab in place of the comma when the first line has more
// of them. Empty lines are passed over.
//
// A broken row comes back with its fault and its text. Reading goes on at the line after the one
// where that row began, so that a quote that was never closed costs one row and not the file.
// Faults: "csv.quote-not-closed", "csv.stray-quote", "csv.row-too-long", "csv.too-many-columns",
// "csv.nul", "csv.not-utf-8".
//
// A row longer than the limit is passed over without being kept in memory.
class CsvReader {
 public:
  explicit CsvReader(ByteSource source, RowLimits limits = {});

  // nullopt at the end. Throws Failure("import.encoding") for a file in UTF-16.
  std::optional<SourceRow> next();

  char delimiter() const { return delimiter_; }

 private:
  enum class End { kRow, kFile, kFault };

  bool fill();
  void start();
  int peek();
  End parse(SourceRow& row);
  End parseQuoted(SourceRow& row, std::string& cell);
  std::size_t lineEndAt(std::size_t from) const;
  void takeLineEnd();
  void passFirstLine(SourceRow& row);
  void keepText(SourceRow& row, std::size_t end) const;

  ByteSource source_;
  RowLimits limits_;
  std::string buffer_;  // read and not yet given out, from rowStart_
  std::size_t at_ = 0;  // next byte to parse
  std::size_t rowStart_ = 0;
  std::uint64_t line_ = 1;
  char delimiter_ = ',';
  bool isStarted_ = false;
  bool isAtEnd_ = false;
};

}  // namespace waystation::cases

// Files that somebody imports: rows of CSV, a row of HXL hashtags, lines of JSON. One byte says
// which, one in what pieces the file is read: the same rows must come out as of the whole.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "crypto/failure.h"
#include "server/cases/import/csv_reader.h"
#include "server/cases/import/hxl.h"
#include "server/cases/import/jsonl_reader.h"

namespace {

using namespace waystation;

constexpr cases::RowLimits kLimits{4096, 50};

cases::ByteSource inPieces(std::string_view bytes, std::size_t piece) {
  return [bytes, piece]() mutable {
    const std::string_view next = bytes.substr(0, piece);
    bytes.remove_prefix(next.size());
    return next;
  };
}

void note(const cases::SourceRow& row, std::string& rows) {
  rows += std::to_string(row.line) + (row.fault ? row.fault->code : "") + '\n' + row.text + '\n';
  for (const std::string& cell : row.cells) rows += cell + '\t';
}

std::string readCsv(std::string_view bytes, std::size_t piece) {
  std::string rows;
  try {
    cases::CsvReader reader(inPieces(bytes, piece), kLimits);
    while (const auto row = reader.next()) {
      note(*row, rows);
      if (!cases::isHxlRow(row->cells)) continue;
      for (const std::string& cell : row->cells) {
        const auto tag = cases::HxlTag::parse(cell);
        const auto pattern = cases::HxlPattern::parse(cell);
        if (tag && pattern) static_cast<void>(pattern->matches(*tag));
      }
    }
  } catch (const Failure& failure) {
    rows += failure.code();
  }
  return rows;
}

std::string readLines(std::string_view bytes, std::size_t piece) {
  std::string rows;
  cases::JsonlReader reader(inPieces(bytes, piece), kLimits);
  while (const auto line = reader.next()) {
    note(line->row, rows);
    if (!line->row.fault) rows += line->object.dump();
  }
  return rows;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const std::size_t piece = std::size_t{1} + data[1];
  const auto read = data[0] % 2 == 0 ? readCsv : readLines;
  if (read(bytes, std::max<std::size_t>(1, bytes.size())) != read(bytes, piece)) std::abort();
  return 0;
}

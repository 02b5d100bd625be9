#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "server/cases/import/source_row.h"

namespace waystation::cases {

// Reads JSON Lines: one JSON object per line, UTF-8, LF or CRLF. Empty lines are passed over.
// Strict: no key twice, no nesting beyond 64. A broken line comes back with its fault, and reading
// goes on at the next.
// Faults: "jsonl.line-too-long", "jsonl.not-an-object", "json.malformed", "json.duplicate-key",
// "json.too-deep".
class JsonlReader {
 public:
  explicit JsonlReader(ByteSource source, RowLimits limits = {});

  // The row's `cells` are empty; `object` is null when the row has a fault.
  struct Line {
    SourceRow row;
    nlohmann::json object;
  };
  std::optional<Line> next();

 private:
  bool takeLine(std::string& text, bool& isTooLong);

  ByteSource source_;
  RowLimits limits_;
  std::string buffer_;
  std::size_t at_ = 0;
  std::uint64_t line_ = 0;
  bool isAtEnd_ = false;
};

}  // namespace waystation::cases

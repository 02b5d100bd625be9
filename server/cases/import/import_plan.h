#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/cases/import/source_row.h"
#include "server/cases/programme_pack.h"

namespace waystation::cases {

// Which column of a table fills which field of a kind. Borrows the kind, which must outlive it.
struct ImportPlan {
  std::vector<std::string> headers;   // header text or HXL tag of each column
  std::vector<const Field*> fieldOf;  // for each column; nullptr: not imported
  std::vector<std::string> unknown;   // columns that the pack does not know
  std::size_t headRows = 0;           // rows before the first one with data
};

// The field that a header, a JSON key or the field's label in any language names.
const Field* findFieldForColumn(const Kind& kind, std::string_view header);

// True if the pack says that this column is known and left out on purpose.
bool isIgnoredColumn(const Kind& kind, std::string_view header);

// Finds header and HXL row among the first rows of a table: titles may stand above them, and each
// of the two may be missing. HXL tags count before headers. Throws Failure("import.no-columns"),
// ("import.column-twice") and ("import.column-missing").
ImportPlan planColumns(const Kind& kind, const std::vector<SourceRow>& firstRows);

}  // namespace waystation::cases

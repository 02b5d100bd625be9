#include "server/cases/list_cursor.h"

#include <charconv>

#include "crypto/failure.h"

namespace waystation::cases {

std::string cursorOf(const storage::RecordRow& row) {
  return std::to_string(row.changedSeq) + "-" + std::to_string(row.row);
}

void readCursor(const std::string& cursor, storage::RecordQuery& query) {
  const char* end = cursor.data() + cursor.size();
  const auto first = std::from_chars(cursor.data(), end, query.beforeSeq);
  const bool good = first.ec == std::errc() && first.ptr != end && *first.ptr == '-' &&
                    std::from_chars(first.ptr + 1, end, query.beforeRow).ptr == end;
  if (!good) {
    throw Failure("case.cursor-malformed",
                  "The place in the list can't be read. Begin the list again from its start.");
  }
}

}  // namespace waystation::cases

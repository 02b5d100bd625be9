#pragma once

#include <string>

#include "storage/store.h"

namespace waystation::cases {

// The place in a list of records behind which it goes on, as clients are given it: opaque to them.
std::string cursorOf(const storage::RecordRow& row);
// Throws Failure("case.cursor-malformed").
void readCursor(const std::string& cursor, storage::RecordQuery& query);

}  // namespace waystation::cases

#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/database.h"

namespace waystation::storage {

// The named values of the node itself (Store::meta) whose names begin so, in order of their names.
std::vector<std::pair<std::string, std::string>> metaUnder(Database& database,
                                                           std::string_view prefix);

}  // namespace waystation::storage

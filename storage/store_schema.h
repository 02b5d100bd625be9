#pragma once

#include <string>
#include <vector>

namespace waystation::storage {

// The numbered migrations of a node's main database (see migrate()).
const std::vector<std::string>& storeMigrations();

}  // namespace waystation::storage

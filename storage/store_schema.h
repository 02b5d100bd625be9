#pragma once

#include <string>
#include <vector>

#include "storage/database.h"

namespace waystation::storage {

// The numbered migrations of a node's main database (see migrate()).
const std::vector<std::string>& storeMigrations();
// Those of its database of attachments.
const std::vector<std::string>& chunkMigrations();

// How many of its migrations a database has behind it.
std::size_t schemaVersion(Database& database);

}  // namespace waystation::storage

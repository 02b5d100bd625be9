#include <string>

#include "storage/store_schema.h"

namespace waystation::storage {

std::size_t schemaVersion(Database& database) {
  Statement query = database.statement("PRAGMA user_version");
  query.step();
  return static_cast<std::size_t>(query.integer(0));
}

void migrate(Database& database, const std::vector<std::string>& migrations) {
  for (std::size_t version = schemaVersion(database); version < migrations.size(); ++version) {
    Transaction transaction(database);
    // Another connection may have been first.
    if (schemaVersion(database) > version) continue;
    database.execute(migrations[version]);
    database.execute("PRAGMA user_version = " + std::to_string(version + 1));
    transaction.commit();
  }
  if (schemaVersion(database) > migrations.size()) {
    throw Failure("store.newer-schema",
                  "The store was written by a newer version of this program. Nothing was changed; "
                  "start the newer version.");
  }
}

}  // namespace waystation::storage

#include "storage/named_values.h"

namespace waystation::storage {

std::vector<std::pair<std::string, std::string>> metaUnder(Database& database,
                                                           std::string_view prefix) {
  Statement statement = database.statement(
      "SELECT name, value FROM meta WHERE substr(name, 1, length(?1)) = ?1 ORDER BY name");
  statement.bindText(1, prefix);
  std::vector<std::pair<std::string, std::string>> values;
  while (statement.step()) values.emplace_back(statement.text(0), statement.text(1));
  return values;
}

}  // namespace waystation::storage

#include "storage/copied_chains.h"

namespace waystation::storage {

std::vector<ChainMarkRow> CopiedChains::lacking() {
  Statement statement =
      db_.statement("SELECT leaf, incarnation, number FROM chains WHERE number > copied");
  std::vector<ChainMarkRow> rows;
  while (statement.step()) {
    rows.push_back({statement.integer(0), static_cast<std::uint64_t>(statement.integer(1)),
                    static_cast<std::uint64_t>(statement.integer(2))});
  }
  return rows;
}

void CopiedChains::put(const std::vector<ChainMarkRow>& rows) {
  for (const ChainMarkRow& row : rows) {
    db_.statement("UPDATE chains SET copied = max(copied, ?3) WHERE leaf = ?1 AND incarnation = ?2")
        .bind(1, row.leaf)
        .bind(2, static_cast<std::int64_t>(row.incarnation))
        .bind(3, static_cast<std::int64_t>(row.number))
        .run();
  }
}

std::uint64_t CopiedChains::of(std::int64_t leaf, std::uint64_t incarnation) {
  Statement statement =
      db_.statement("SELECT copied FROM chains WHERE leaf = ? AND incarnation = ?");
  statement.bind(1, leaf).bind(2, static_cast<std::int64_t>(incarnation));
  return statement.step() ? static_cast<std::uint64_t>(statement.integer(0)) : 0;
}

}  // namespace waystation::storage

#pragma once

#include <cstdint>
#include <vector>

#include "storage/database.h"

namespace waystation::storage {

// How far the chain of a leaf's incarnation has come.
struct ChainMarkRow {
  std::int64_t leaf = 0;
  std::uint64_t incarnation = 0;
  std::uint64_t number = 0;
};

// How much of each chain is in a copy of this database that was read back. Borrows `database`.
class CopiedChains {
 public:
  explicit CopiedChains(Database& database) : db_(database) {}

  // How far those have come now of which more is here than in a copy.
  std::vector<ChainMarkRow> lacking();
  // They are in a copy, as far as that.
  void put(const std::vector<ChainMarkRow>& rows);
  // The number up to which this chain is in a copy; 0: none of it.
  std::uint64_t of(std::int64_t leaf, std::uint64_t incarnation);

 private:
  Database& db_;
};

}  // namespace waystation::storage

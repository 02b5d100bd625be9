#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "storage/store.h"

namespace waystation::storage {

// Rows under another identity, for changes that have to be made again under another one
// (sync/reissue.h). Wants a Transaction around it. Borrows `store`.
class RenamedRows {
 public:
  explicit RenamedRows(Store& store) : store_(store), db_(store.database()) {}

  // A journal entry under another dot, with another body.
  void putJournal(std::int64_t seq, std::uint64_t replica, std::uint64_t counter,
                  std::string_view body);
  // The links from that of this journal entry on go; answers the last one that is left.
  std::optional<UpwardRow> cutUpward(std::int64_t fromSeq);
  // A record under another id, also where it is a root that leaves hold or others name; what its
  // own columns and other records say of it is the caller's.
  void putRecordId(std::int64_t row, std::string_view from, std::string_view to);

 private:
  Store& store_;
  Database& db_;
};

}  // namespace waystation::storage

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sync/record.h"

namespace waystation::sync {

// The same changes under another replica: dots, the ids of the records that they bear, and all that
// they say of either. What anybody else wrote stays as it is; it may be signed.
class Renaming {
 public:
  // `to`: a replica that has made nothing yet.
  explicit Renaming(ReplicaId to) : to_(to) {}

  // Its own changes, in the order in which they were made; of each replica all from the first one
  // that is given. Before anything is asked for.
  void add(const Change& change);

  std::uint64_t lastCounter() const { return lastCounter_; }
  std::uint64_t lastRecord() const { return lastRecord_; }
  const std::map<RecordId, RecordId>& records() const { return records_; }

  RecordId renamed(const RecordId& id) const;
  Change renamed(const Change& change) const;  // one that was added
  // Nothing where nothing of the record is another.
  std::optional<Record> renamed(const Record& record) const;

 private:
  using FieldName = std::pair<RecordId, std::string>;

  // Of one write that was added, by its dot.
  void rename(const FieldName& field, const Dot& dot, bool isBirth, Context& seen,
              std::string& value) const;
  Context seenBy(const FieldName& field, const Dot& dot, bool isBirth, const Context& seen) const;
  Context readOf(const FieldName& field, const Context& read) const;
  ReadContexts readOf(const RecordId& record, const ReadContexts& read) const;
  std::string valueOf(const FieldName& field, const std::string& value) const;
  void addOlder(const Context::Entry& entry, Context& context) const;

  ReplicaId to_;
  std::uint64_t lastCounter_ = 0;
  std::uint64_t lastRecord_ = 0;
  std::map<Dot, std::uint64_t> counters_;         // of what was added, the new ones
  std::map<ReplicaId, std::uint64_t> from_;       // the first counter of each that was added
  std::map<RecordId, RecordId> records_;          // born by it
  std::map<RecordId, Dot> births_;                // likewise: by which change
  std::map<FieldName, std::vector<Dot>> writes_;  // to each field, in order
};

}  // namespace waystation::sync

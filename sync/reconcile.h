#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sync/record.h"

namespace waystation::sync {

// Finding what two sets of records differ in, by ranges of their ids (docs/spec/sync.md,
// "Healing"): who hears fingerprints answers those that differ with finer ones, or with the
// records themselves where they are few. Neither side keeps anything between two messages.

// One record of a set; of the hash, the first 8 bytes travel.
struct Item {
  RecordId id;
  StateSum hash{};
};

// Beyond every range: no record bears this id.
inline constexpr RecordId kEndOfIds{~std::uint64_t{0}, ~std::uint64_t{0}};

// The records from the end of the part before it (or the span's beginning) up to, not with, `to`.
struct RangePart {
  RecordId to;
  bool isList = false;
  std::uint64_t fingerprint = 0;  // unless a list: over all records in it
  std::vector<Item> items;        // of a list; of each hash only the first half is known
};
struct RangeSpan {
  RecordId from;
  std::vector<RangePart> parts;
};
using Comparison = std::vector<RangeSpan>;  // ascending, none overlaps another

std::string encodeComparison(const Comparison& comparison);
// Throws Failure("sync.malformed"), also for spans that overlap.
Comparison decodeComparison(std::string_view payload);

std::string encodeIds(const std::vector<RecordId>& ids);
std::vector<RecordId> decodeIds(std::string_view payload);

// Changes as the healing frame holds them: compressed, and each frame by itself.
std::string encodeHealing(const std::vector<Change>& changes);
std::vector<Change> decodeHealing(std::string_view payload);

// All records that one side holds of what both are to hold.
class ItemSet {
 public:
  explicit ItemSet(std::vector<Item> items);

  // What to say first: everything, in one span.
  Comparison whole() const;

  struct Reply {
    Comparison next;             // to say next; empty: nothing is left to narrow
    std::vector<RecordId> send;  // records of ours that differ there, or are missing
    std::vector<RecordId> want;  // likewise theirs
  };
  // What follows from what the other side said. However much that was, the reply is at most about
  // kMostParts parts and kMostRecords records; what is left out is found in a later session.
  Reply reply(const Comparison& theirs) const;

  static constexpr std::size_t kWays = 64;
  static constexpr std::size_t kFewItems = 32;
  static constexpr std::size_t kMostParts = 4096;
  static constexpr std::size_t kMostRecords = 2048;

 private:
  struct Range {
    std::size_t first = 0;
    std::size_t last = 0;  // one beyond
    std::size_t size() const { return last - first; }
  };
  std::size_t lowerBound(const RecordId& id) const;
  std::uint64_t fingerprint(const Range& range) const;
  RangePart listOf(const Range& range, const RecordId& to) const;
  RangeSpan narrower(const Range& range, const RecordId& from, const RecordId& to) const;
  void compareLists(const Range& range, const std::vector<Item>& theirs, Reply& reply) const;

  std::vector<Item> items_;      // ascending by id
  std::vector<StateSum> sumTo_;  // of all items before the one of this index
};

}  // namespace waystation::sync

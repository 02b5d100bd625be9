#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "sync/byte_stream.h"
#include "sync/change.h"
#include "sync/handles.h"
#include "sync/value_columns.h"

namespace waystation::sync {

// More writes are in no batch. Writers end one long before.
inline constexpr std::size_t kMaxBatchWrites = 131'072;
// What a change adds to a batch, for the one who decides when it is full: bytes, where a write
// counts for at least so many.
inline constexpr std::size_t kLeastWriteWeight = 16;
std::size_t weightOf(const Change& change, std::size_t bodyBytes);

// What a direction of an exchange has named so far, and what it has seen of contexts: by replica,
// how far the counter of a birth was ahead of the record's number, and up to where was read last.
struct BatchTables {
  struct Reading {
    std::uint64_t ahead = 0;
    std::uint64_t upTo = 0;
  };
  Handles<std::string> names;  // fields and authors
  Handles<ReplicaId> replicas;
  Handles<std::vector<std::size_t>> shapes;  // the fields that an edit writes, as names
  std::vector<Reading> readings;             // by replica

  Reading& reading(std::size_t replica);
  // What whoever writes to `edit` has most likely read: nothing of a record that they bore
  // themselves or with this change, else the record's birth or what followed it.
  Context predicted(const Dot& dot, const Edit& edit, bool isBirth, std::size_t recordReplica);
};

// A batch of changes by columns (docs/spec/sync.md, "Batch"). An encoder and a decoder live as long
// as one direction of one exchange and see the same batches in the same order.
class BatchEncoder {
 public:
  void encode(const std::vector<Change>& changes, ByteWriter& writer);

 private:
  std::size_t name(const std::string& name, ByteWriter& writer);
  std::size_t replica(ReplicaId id, ByteWriter& writer);
  void shapes(const std::vector<Change>& changes, ByteWriter& writer);
  void contexts(const std::vector<Change>& changes, ByteWriter& writer);
  void context(const Context& context, const Edit& edit, ByteWriter& writer);

  BatchTables tables_;
  ValueEncoder values_;
};

class BatchDecoder {
 public:
  // Throws Failure("sync.malformed"). The changes come out canonical or not at all.
  std::vector<Change> decode(ByteReader& reader);

 private:
  const std::string& name(ByteReader& reader);
  std::size_t nameHandle(ByteReader& reader);
  std::size_t replica(ByteReader& reader);
  void shapes(std::vector<Change>& changes, ByteReader& reader);
  void contexts(std::vector<Change>& changes, ByteReader& reader);
  Context context(std::size_t entries, const Edit& edit, ByteReader& reader);

  BatchTables tables_;
  ValueDecoder values_;
  std::vector<std::size_t> recordReplicas_;  // of the edits of the batch being read
};

// A column of numbers: 0 and differences, or 1 and the numbers themselves, whichever is shorter.
void encodeNumbers(const std::vector<std::uint64_t>& numbers, ByteWriter& writer);
std::vector<std::uint64_t> decodeNumbers(std::size_t count, ByteReader& reader);

}  // namespace waystation::sync

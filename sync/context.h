#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sync/byte_stream.h"
#include "sync/ids.h"

namespace waystation::sync {

// Which writes to one field somebody had read: a version vector with exceptions. An entry
// (replica, upTo, except) covers every write of `replica` to that field whose counter is at most
// upTo and not in except. Exceptions are needed because a page may save on an older state than its
// own server holds (docs/spec/sync.md, "Contexts").
class Context {
 public:
  struct Entry {
    ReplicaId replica = 0;
    std::uint64_t upTo = 0;
    std::vector<std::uint64_t> except;  // ascending, each at most upTo

    bool operator==(const Entry&) const = default;
    // varint count, then each as varint distance down from the highest that it can be: upTo, or
    // one below the exception before it.
    void encodeExceptions(ByteWriter& writer) const;
    void decodeExceptions(ByteReader& reader);
  };

  bool covers(const Dot& dot) const;
  // Whether it covers all that `other` covers.
  bool includes(const Context& other) const;
  bool empty() const { return entries_.empty(); }
  const std::vector<Entry>& entries() const { return entries_; }  // ascending by replica

  // Joins one entry: the union of what both cover.
  void add(Entry entry);
  void join(const Context& other);

  // Canonical: varint count, then per entry replica (8), varint upTo, exceptions.
  void encode(ByteWriter& writer) const;
  static Context decode(ByteReader& reader);

  bool operator==(const Context&) const = default;

 private:
  std::vector<Entry> entries_;
};

}  // namespace waystation::sync

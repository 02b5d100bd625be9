#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sync/byte_stream.h"
#include "sync/change.h"

namespace waystation::sync {

// A batch of changes by columns (docs/spec/sync.md, "Batch"). Names (fields, authors) and replicas
// become handles into tables that the exchange builds as it goes, so an encoder and a decoder live
// as long as one direction of one exchange and see the same batches in the same order.
class BatchEncoder {
 public:
  void encode(const std::vector<Change>& changes, ByteWriter& writer);

 private:
  void handle(std::string_view name, ByteWriter& writer);
  void replica(ReplicaId id, ByteWriter& writer);
  void context(const Context& context, const Dot& dot, ByteWriter& writer);

  std::map<std::string, std::uint64_t, std::less<>> names_;
  std::map<ReplicaId, std::uint64_t> replicas_;
};

class BatchDecoder {
 public:
  // Throws Failure("sync.malformed"). The changes come out canonical or not at all.
  std::vector<Change> decode(ByteReader& reader);

 private:
  std::string handle(ByteReader& reader);
  ReplicaId replica(ByteReader& reader);
  Context context(const Dot& dot, ByteReader& reader);

  std::vector<std::string> names_;
  std::vector<ReplicaId> replicas_;
};

}  // namespace waystation::sync

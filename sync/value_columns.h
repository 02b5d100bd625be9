#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sync/byte_stream.h"
#include "sync/handles.h"
#include "sync/ids.h"

namespace waystation::sync {

// The values of a batch, a column for each field (docs/spec/sync.md, "Values"). Texts are written
// in words: those that come more than once are handles into a table, which lives as long as one
// direction of one exchange and fills as it goes. It takes a fifth off what zstd makes of texts.

// Limits of what a reader builds; writers keep below them.
inline constexpr std::size_t kMaxWords = 65'536;
inline constexpr std::size_t kMaxWordBytes = 64;
inline constexpr std::size_t kMaxBatchValueBytes = 4 * 1024 * 1024;

class ValueEncoder {
 public:
  // A column's values. `replicas` are those of the batch.
  using Column = std::vector<const std::string*>;
  void encode(const std::vector<Column>& columns, Handles<ReplicaId>& replicas, ByteWriter& writer);

 private:
  void encodeWords(const std::vector<const Column*>& columns, ByteWriter& writer);

  std::map<std::string, std::uint64_t, std::less<>> words_;  // their codes
};

class ValueDecoder {
 public:
  using Column = std::vector<std::string*>;
  // Fills in the values. Throws Failure("sync.malformed").
  void decode(const std::vector<Column>& columns, Handles<ReplicaId>& replicas, ByteReader& reader);

 private:
  void learnWords(ByteReader& reader);
  std::string text(ByteReader& reader, ByteReader& rare, std::size_t& allowance) const;

  std::vector<std::string> words_;
};

}  // namespace waystation::sync

#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace waystation::sync {

// An incarnation of a node: drawn at random at every start of the process, never reused.
using ReplicaId = std::uint64_t;

// Names one change: the counter-th that `replica` made. Counters start at 1 and have no gaps.
struct Dot {
  ReplicaId replica = 0;
  std::uint64_t counter = 0;

  auto operator<=>(const Dot&) const = default;
};

// Names one record: the number-th born under `replica`. Printed as a UUID (16 bytes, big endian).
struct RecordId {
  ReplicaId replica = 0;
  std::uint64_t number = 0;

  auto operator<=>(const RecordId&) const = default;
  bool isNull() const { return replica == 0 && number == 0; }

  std::string uuid() const;   // "0123456789abcdef-..." in the usual 8-4-4-4-12 groups
  std::string bytes() const;  // 16 bytes, the order of which is the order of ids
  static std::optional<RecordId> fromUuid(std::string_view text);
  static RecordId fromBytes(std::string_view sixteen);  // throws Failure("sync.malformed")
};

// How a field's value refers to a record: the JSON string "urn:uuid:..." (RFC 4122).
std::string referenceValue(const RecordId& record);
std::optional<RecordId> referencedRecord(std::string_view value);

}  // namespace waystation::sync

template <>
struct std::hash<waystation::sync::RecordId> {
  std::size_t operator()(const waystation::sync::RecordId& id) const noexcept {
    return static_cast<std::size_t>(id.replica ^ (id.number * 0x9E3779B97F4A7C15ULL));
  }
};

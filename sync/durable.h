#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "storage/copied_chains.h"
#include "storage/store.h"
#include "sync/leaf.h"

namespace waystation::sync {

// Two levels of acknowledgement (docs/spec/sync.md, "Durable"): headquarters has it, and a copy of
// headquarters has it that was read back. What a leaf throws away it throws away at the second,
// from when it has heard of one.

// At headquarters. What a copy that begins now is sure to hold: taken before it.
struct CopyMark {
  std::int64_t journal = 0;  // entries up to this
  std::vector<storage::ChainMarkRow> chains;
};
CopyMark markCopy(storage::Store& store);
// The copy was read back and is whole.
void noteCopied(storage::Store& store, const CopyMark& mark, std::int64_t nowMs);
struct LastCopy {
  std::int64_t journal = 0;  // entries up to this are in it
  std::int64_t atMs = 0;     // 0: there never was one
};
LastCopy lastCopy(storage::Store& store);
// For the answer: how much is durable of the leaf's chain of this incarnation; empty where there
// never was a copy, or the leaf knows. `known`: what it says in its frame.
std::string durableFrame(storage::Store& store, const storage::LeafRow& leaf, ReplicaId incarnation,
                         std::string_view known);

// At a leaf. Journal entries up to this one are durable; nothing where headquarters never said so.
std::optional<std::int64_t> durableSeq(storage::Store& store);
// For the request: what it knows, where more is acknowledged than that; else empty.
std::string durableKnownFrame(storage::Store& store, const LeafState& state);
// Takes in the hub's frame. Answers whether that was news.
bool noteDurable(storage::Store& store, std::string_view payload, const LeafState& state);
// Own entries up to this one may be thrown away, `acknowledged` being at the hub.
std::int64_t safeToForget(storage::Store& store, std::int64_t acknowledged);

}  // namespace waystation::sync

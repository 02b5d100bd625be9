// durable: replica(8) varint(number); known: varint(number), or nothing.

#include "sync/durable.h"

#include <algorithm>

#include "sync/byte_stream.h"
#include "sync/frame.h"

namespace waystation::sync {
namespace {

// In `meta`, at headquarters: varint(journal entry) varint(ms).
constexpr std::string_view kCopiedKey = "copied";
// In `meta`, at a leaf: a journal entry.
constexpr std::string_view kDurableKey = "hub.durable";

std::string varintText(std::uint64_t number) {
  ByteWriter writer;
  writer.varint(number);
  return writer.take();
}

}  // namespace

CopyMark markCopy(storage::Store& store) {
  return {store.lastJournalSeq(), storage::CopiedChains(store.database()).lacking()};
}

void noteCopied(storage::Store& store, const CopyMark& mark, std::int64_t nowMs) {
  ByteWriter writer;
  writer.varint(static_cast<std::uint64_t>(std::max(mark.journal, lastCopy(store).journal)));
  writer.varint(static_cast<std::uint64_t>(nowMs));
  store.setMeta(kCopiedKey, writer.bytes());
  storage::CopiedChains(store.database()).put(mark.chains);
}

LastCopy lastCopy(storage::Store& store) {
  const std::optional<std::string> kept = store.meta(kCopiedKey);
  if (!kept) return {};
  ByteReader reader(*kept);
  LastCopy last;
  last.journal = static_cast<std::int64_t>(reader.varint());
  last.atMs = static_cast<std::int64_t>(reader.varint());
  return last;
}

std::string durableFrame(storage::Store& store, const storage::LeafRow& leaf, ReplicaId incarnation,
                         std::string_view known) {
  if (lastCopy(store).atMs == 0) return {};
  const std::uint64_t number = storage::CopiedChains(store.database()).of(leaf.leaf, incarnation);
  if (known == varintText(number)) return {};
  ByteWriter writer;
  writer.fixed64(incarnation);
  writer.varint(number);
  return encodeFrame(FrameType::kDurable, writer.bytes());
}

std::optional<std::int64_t> durableSeq(storage::Store& store) {
  if (!store.meta(kDurableKey)) return std::nullopt;
  return store.metaNumber(kDurableKey);
}

std::string durableKnownFrame(storage::Store& store, const LeafState& state) {
  const std::optional<std::int64_t> known = durableSeq(store);
  if (known.value_or(0) >= state.acknowledgedSeq) return {};
  if (!known) return encodeFrame(FrameType::kDurableKnown, {});
  const std::optional<storage::UpwardRow> link = store.upwardOfSeq(*known);
  const bool isOfIt = link && link->incarnation == state.acknowledged.incarnation;
  return encodeFrame(FrameType::kDurableKnown, varintText(isOfIt ? link->number : 0));
}

// Of a link that this node has lost, it knows where that stands if it is all that headquarters has
// of it; else it hears only that headquarters makes copies.
bool noteDurable(storage::Store& store, std::string_view payload, const LeafState& state) {
  ByteReader reader(payload);
  const ReplicaId incarnation = reader.fixed64();
  const std::uint64_t number = reader.varint();
  const std::optional<storage::UpwardRow> link = store.upward(incarnation, number);
  const bool isAll =
      state.acknowledged.incarnation == incarnation && state.acknowledged.number == number;
  const std::int64_t seq = link ? link->seq : isAll ? state.acknowledgedSeq : 0;
  const std::optional<std::int64_t> known = durableSeq(store);
  if (known && seq <= *known) return false;
  store.setMetaNumber(kDurableKey, seq);
  return true;
}

std::int64_t safeToForget(storage::Store& store, std::int64_t acknowledged) {
  return std::min(acknowledged, durableSeq(store).value_or(acknowledged));
}

}  // namespace waystation::sync

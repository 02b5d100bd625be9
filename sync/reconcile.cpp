#include "sync/reconcile.h"

#include <algorithm>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "sync/batch_codec.h"
#include "sync/compression.h"
#include "sync/frame.h"

namespace waystation::sync {
namespace {

constexpr std::uint8_t kFingerprintPart = 0;
constexpr std::uint8_t kListPart = 1;
constexpr std::size_t kIdBytes = 9;  // at least
constexpr std::size_t kHalfHashBytes = 8;

[[noreturn]] void malformed() {
  throw Failure("sync.malformed",
                "A sync message can't be read: its ranges of records are broken. Nothing of this "
                "part was applied.");
}

void writeId(const RecordId& id, ByteWriter& writer) {
  writer.fixed64(id.replica);
  writer.varint(id.number);
}

RecordId readId(ByteReader& reader) {
  RecordId id;
  id.replica = reader.fixed64();
  id.number = reader.varint();
  return id;
}

RangePart readPart(ByteReader& reader, const RecordId& from) {
  RangePart part;
  part.to = readId(reader);
  if (!(from < part.to)) malformed();
  const std::uint8_t kind = reader.byte();
  if (kind > kListPart) malformed();
  part.isList = kind == kListPart;
  if (!part.isList) {
    part.fingerprint = reader.fixed64();
    return part;
  }
  part.items.resize(reader.count(kIdBytes + kHalfHashBytes));
  const RecordId* before = nullptr;
  for (Item& item : part.items) {
    item.id = readId(reader);
    item.hash[0] = reader.fixed64();
    const bool inPlace = before == nullptr ? !(item.id < from) : *before < item.id;
    if (!inPlace || !(item.id < part.to)) malformed();
    before = &item.id;
  }
  return part;
}

}  // namespace

std::string encodeComparison(const Comparison& comparison) {
  ByteWriter writer;
  writer.varint(comparison.size());
  for (const RangeSpan& span : comparison) {
    writeId(span.from, writer);
    writer.varint(span.parts.size());
    for (const RangePart& part : span.parts) {
      writeId(part.to, writer);
      writer.byte(part.isList ? kListPart : kFingerprintPart);
      if (!part.isList) {
        writer.fixed64(part.fingerprint);
        continue;
      }
      writer.varint(part.items.size());
      for (const Item& item : part.items) {
        writeId(item.id, writer);
        writer.fixed64(item.hash[0]);
      }
    }
  }
  return writer.take();
}

Comparison decodeComparison(std::string_view payload) {
  ByteReader reader(payload);
  Comparison comparison(reader.count(kIdBytes + 1));
  RecordId from;
  for (RangeSpan& span : comparison) {
    span.from = readId(reader);
    if (span.from < from) malformed();
    from = span.from;
    const std::size_t parts = reader.count(kIdBytes + 2);
    span.parts.reserve(parts);
    for (std::size_t i = 0; i < parts; ++i) {
      span.parts.push_back(readPart(reader, from));
      from = span.parts.back().to;
    }
  }
  reader.expectEnd();
  return comparison;
}

std::string encodeIds(const std::vector<RecordId>& ids) {
  ByteWriter writer;
  writer.varint(ids.size());
  for (const RecordId& id : ids) writeId(id, writer);
  return writer.take();
}

std::vector<RecordId> decodeIds(std::string_view payload) {
  ByteReader reader(payload);
  std::vector<RecordId> ids(reader.count(kIdBytes));
  for (RecordId& id : ids) id = readId(reader);
  reader.expectEnd();
  return ids;
}

std::string encodeHealing(const std::vector<Change>& changes) {
  ByteWriter writer;
  BatchEncoder().encode(changes, writer);
  return Compressor(writer.bytes().size()).frame(writer.bytes());
}

std::vector<Change> decodeHealing(std::string_view payload) {
  const std::string plain = Decompressor().frame(payload, kMaxPlainBytes);
  ByteReader reader(plain);
  std::vector<Change> changes = BatchDecoder().decode(reader);
  reader.expectEnd();
  return changes;
}

ItemSet::ItemSet(std::vector<Item> items) : items_(std::move(items)) {
  std::sort(items_.begin(), items_.end(), [](const Item& a, const Item& b) { return a.id < b.id; });
  sumTo_.reserve(items_.size() + 1);
  sumTo_.emplace_back();
  for (const Item& item : items_) {
    StateSum sum = sumTo_.back();
    addTo(sum, item.hash);
    sumTo_.push_back(sum);
  }
}

std::size_t ItemSet::lowerBound(const RecordId& id) const {
  const auto at =
      std::lower_bound(items_.begin(), items_.end(), id,
                       [](const Item& item, const RecordId& bound) { return item.id < bound; });
  return static_cast<std::size_t>(at - items_.begin());
}

// The first 8 bytes of SHA-256(sum of the hashes || count).
std::uint64_t ItemSet::fingerprint(const Range& range) const {
  StateSum sum = sumTo_[range.last];
  subtractFrom(sum, sumTo_[range.first]);
  ByteWriter writer;
  writer.raw(sumBytes(sum));
  writer.fixed64(range.size());
  const crypto::Sha256Digest digest = crypto::sha256(writer.bytes());
  return ByteReader(crypto::view(digest)).fixed64();
}

RangePart ItemSet::listOf(const Range& range, const RecordId& to) const {
  const auto at = [&](std::size_t i) { return items_.begin() + static_cast<std::ptrdiff_t>(i); };
  return {to, true, 0, {at(range.first), at(range.last)}};
}

// The same range as a list where it is short, else in up to 64 parts of equal size.
RangeSpan ItemSet::narrower(const Range& range, const RecordId& from, const RecordId& to) const {
  RangeSpan span{from, {}};
  if (range.size() <= kFewItems) {
    span.parts.push_back(listOf(range, to));
    return span;
  }
  const std::size_t ways = std::min(kWays, range.size());
  std::size_t first = range.first;
  for (std::size_t way = 1; way <= ways; ++way) {
    const std::size_t last = range.first + range.size() * way / ways;
    const RecordId end = way == ways ? to : items_[last].id;
    span.parts.push_back({end, false, fingerprint({first, last}), {}});
    first = last;
  }
  return span;
}

Comparison ItemSet::whole() const {
  return {narrower({0, items_.size()}, {}, kEndOfIds)};
}

void ItemSet::compareLists(const Range& range, const std::vector<Item>& theirs,
                           Reply& reply) const {
  std::size_t mine = range.first;
  auto other = theirs.begin();
  while (mine < range.last || other != theirs.end()) {
    const bool onlyMine =
        other == theirs.end() || (mine < range.last && items_[mine].id < other->id);
    const bool onlyTheirs = mine >= range.last || (!onlyMine && other->id < items_[mine].id);
    const bool differ = onlyMine || onlyTheirs || items_[mine].hash[0] != other->hash[0];
    if (differ && !onlyTheirs && reply.send.size() < kMostRecords) {
      reply.send.push_back(items_[mine].id);
    }
    if (differ && !onlyMine && reply.want.size() < kMostRecords) reply.want.push_back(other->id);
    if (!onlyTheirs) ++mine;
    if (!onlyMine) ++other;
  }
}

ItemSet::Reply ItemSet::reply(const Comparison& theirs) const {
  Reply reply;
  std::size_t parts = 0;
  for (const RangeSpan& span : theirs) {
    RecordId from = span.from;
    for (const RangePart& part : span.parts) {
      const Range range{lowerBound(from), lowerBound(part.to)};
      if (part.isList) {
        compareLists(range, part.items, reply);
      } else if (parts < kMostParts && fingerprint(range) != part.fingerprint) {
        reply.next.push_back(narrower(range, from, part.to));
        parts += reply.next.back().parts.size() + reply.next.back().parts.front().items.size();
      }
      from = part.to;
    }
  }
  return reply;
}

}  // namespace waystation::sync

// Layout of a batch, every column over all changes before the next begins:
//   varint(#changes)
//   dots:     replica-handle per change, then zigzag(counter - previous counter - 1) per change
//   times:    zigzag(ms - previous ms) per change, then per change the counter of its clock: where
//             ms is the same, zigzag(counter - previous counter - 1), else varint
//   authors:  name-handle per change
//   edits:    varint(#edits) per change
//   records:  replica-handle per edit, then their numbers
//   shapes:   per edit shape-handle; a new one: varint(#writes) name-handle...
//   readings: per edit 0, all its contexts as predicted, or 1
//   contexts: of those that are not, per write 0 as predicted, or varint(1 + #entries), per entry
//             replica-handle zigzag(upTo - expected) exceptions
//   values:   sync/value_columns.cpp
//
// handle := varint(index), and where index equals the table's size the new entry follows.

#include "sync/batch_codec.h"

#include <algorithm>

#include "crypto/failure.h"

namespace waystation::sync {
namespace {

constexpr unsigned kClockBits = 16;

// The least that things take in all columns together: what a batch announces is checked against it
// before anything is set aside for it.
constexpr std::size_t kLeastChangeBytes = 6;
constexpr std::size_t kLeastEditBytes = 4;
constexpr std::size_t kLeastWriteBytes = 1;

[[noreturn]] void malformed(const char* what) {
  throw Failure("sync.malformed", std::string("A sync message can't be read: ") + what +
                                      ". Nothing of this part was applied.");
}

template <typename Changes, typename Visit>
void eachEdit(Changes& changes, const Visit& visit) {
  for (auto& change : changes) {
    for (auto& edit : change.edits) visit(change, edit);
  }
}

// The values, grouped by field in order of the field's first use.
template <typename Column, typename Changes>
std::vector<Column> columnsOf(Changes& changes) {
  std::map<std::string_view, std::size_t> places;
  std::vector<Column> columns;
  eachEdit(changes, [&](auto&, auto& edit) {
    for (auto& write : edit.writes) {
      const auto [at, isNew] = places.try_emplace(write.field, columns.size());
      if (isNew) columns.emplace_back();
      columns[at->second].push_back(&write.value);
    }
  });
  return columns;
}

// Counts of a column, which together can't be more than what follows has room for.
class Allowance {
 public:
  explicit Allowance(std::size_t most) : left_(most) {}
  void take(std::size_t count) {
    if (count > left_) malformed("it announces more than it holds");
    left_ -= count;
  }

 private:
  std::size_t left_;
};

void encodeTimes(const std::vector<Change>& changes, ByteWriter& writer) {
  std::uint64_t previous = 0;
  for (const Change& change : changes) {
    const std::uint64_t ms = change.time >> kClockBits;
    writer.zigzag(difference(ms, previous));
    previous = ms;
  }
  HybridTime last = 0;
  for (const Change& change : changes) {
    const bool isSameMs = change.time >> kClockBits == last >> kClockBits;
    const std::uint64_t counter = change.time & 0xFFFFU;
    if (isSameMs) {
      writer.zigzag(difference(counter, (last & 0xFFFFU) + 1));
    } else {
      writer.varint(counter);
    }
    last = change.time;
  }
}

void decodeTimes(std::vector<Change>& changes, ByteReader& reader) {
  std::uint64_t previous = 0;
  for (Change& change : changes) {
    previous = advance(previous, reader.zigzag());
    if (previous >> (64 - kClockBits) != 0) malformed("a time is out of range");
    change.time = previous << kClockBits;
  }
  HybridTime last = 0;
  for (Change& change : changes) {
    const bool isSameMs = change.time >> kClockBits == last >> kClockBits;
    const std::uint64_t counter =
        isSameMs ? advance((last & 0xFFFFU) + 1, reader.zigzag()) : reader.varint();
    if (counter > 0xFFFFU) malformed("a time is out of range");
    last = change.time |= counter;
  }
}

}  // namespace

std::size_t weightOf(const Change& change, std::size_t bodyBytes) {
  std::size_t writes = 0;
  for (const Edit& edit : change.edits) writes += edit.writes.size();
  return std::max(bodyBytes, writes * kLeastWriteWeight);
}

void encodeNumbers(const std::vector<std::uint64_t>& numbers, ByteWriter& writer) {
  ByteWriter differences;
  ByteWriter plain;
  std::uint64_t previous = 0;
  for (const std::uint64_t number : numbers) {
    differences.zigzag(difference(number, previous));
    plain.varint(number);
    previous = number;
  }
  const bool isPlain = plain.bytes().size() < differences.bytes().size();
  writer.byte(isPlain ? 1 : 0);
  writer.raw(isPlain ? plain.bytes() : differences.bytes());
}

std::vector<std::uint64_t> decodeNumbers(std::size_t count, ByteReader& reader) {
  std::vector<std::uint64_t> numbers(count);
  const std::uint8_t isPlain = reader.byte();
  if (isPlain > 1) malformed("numbers are written in an unknown form");
  std::uint64_t previous = 0;
  for (std::uint64_t& number : numbers) {
    number = isPlain == 1 ? reader.varint() : advance(previous, reader.zigzag());
    previous = number;
  }
  return numbers;
}

BatchTables::Reading& BatchTables::reading(std::size_t replica) {
  if (readings.size() <= replica) readings.resize(replica + 1);
  return readings[replica];
}

Context BatchTables::predicted(const Dot& dot, const Edit& edit, bool isBirth,
                               std::size_t recordReplica) {
  Context context;
  if (isBirth || edit.record.replica == dot.replica) return context;
  const std::uint64_t upTo = edit.record.number + reading(recordReplica).ahead;
  if (upTo != 0) context.add({edit.record.replica, upTo, {}});
  return context;
}

std::size_t BatchEncoder::name(const std::string& name, ByteWriter& writer) {
  const auto [handle, isNew] = tables_.names.of(name);
  writer.varint(handle);
  if (isNew) writer.string(name);
  return handle;
}

std::size_t BatchEncoder::replica(ReplicaId id, ByteWriter& writer) {
  const auto [handle, isNew] = tables_.replicas.of(id);
  writer.varint(handle);
  if (isNew) writer.fixed64(id);
  return handle;
}

// A new shape's names follow it, and may be new themselves.
void BatchEncoder::shapes(const std::vector<Change>& changes, ByteWriter& writer) {
  eachEdit(changes, [&](const Change&, const Edit& edit) {
    std::vector<std::size_t> shape;
    ByteWriter names;
    for (const Write& write : edit.writes) shape.push_back(name(write.field, names));
    const auto [handle, isNew] = tables_.shapes.of(shape);
    writer.varint(handle);
    if (!isNew) return;
    writer.varint(shape.size());
    writer.raw(names.bytes());
  });
}

void BatchEncoder::context(const Context& context, const Edit& edit, ByteWriter& writer) {
  writer.varint(1 + context.entries().size());
  for (const Context::Entry& entry : context.entries()) {
    BatchTables::Reading& reading = tables_.reading(replica(entry.replica, writer));
    const bool isOfRecord = entry.replica == edit.record.replica;
    writer.zigzag(
        difference(entry.upTo, isOfRecord ? edit.record.number + reading.ahead : reading.upTo));
    if (isOfRecord) reading.ahead = entry.upTo - edit.record.number;
    reading.upTo = entry.upTo;
    entry.encodeExceptions(writer);
  }
}

void BatchEncoder::contexts(const std::vector<Change>& changes, ByteWriter& writer) {
  ByteWriter others;
  eachEdit(changes, [&](const Change& change, const Edit& edit) {
    const std::size_t of = tables_.replicas.of(edit.record.replica).first;
    const bool isBorn = isBirth(edit);
    const auto isPredicted = [&](const Write& write) {
      return write.seen == tables_.predicted(change.dot, edit, isBorn, of);
    };
    const bool all = std::all_of(edit.writes.begin(), edit.writes.end(), isPredicted);
    writer.byte(all ? 0 : 1);
    if (all) return;
    for (const Write& write : edit.writes) {
      if (isPredicted(write)) {
        others.varint(0);
      } else {
        context(write.seen, edit, others);
      }
    }
  });
  writer.raw(others.bytes());
}

void BatchEncoder::encode(const std::vector<Change>& changes, ByteWriter& writer) {
  writer.varint(changes.size());
  for (const Change& change : changes) replica(change.dot.replica, writer);
  std::uint64_t previous = 0;
  for (const Change& change : changes) {
    writer.zigzag(difference(change.dot.counter, previous + 1));
    previous = change.dot.counter;
  }
  encodeTimes(changes, writer);
  for (const Change& change : changes) name(change.author, writer);
  for (const Change& change : changes) writer.varint(change.edits.size());
  std::vector<std::uint64_t> numbers;
  eachEdit(changes, [&](const Change&, const Edit& edit) {
    replica(edit.record.replica, writer);
    numbers.push_back(edit.record.number);
  });
  encodeNumbers(numbers, writer);
  shapes(changes, writer);
  contexts(changes, writer);
  values_.encode(columnsOf<ValueEncoder::Column>(changes), tables_.replicas, writer);
}

std::size_t BatchDecoder::nameHandle(ByteReader& reader) {
  const std::uint64_t handle = reader.varint();
  if (handle > tables_.names.size()) malformed("a name is used before it is given");
  if (handle == tables_.names.size()) tables_.names.add(std::string(reader.string()));
  return static_cast<std::size_t>(handle);
}

const std::string& BatchDecoder::name(ByteReader& reader) {
  return tables_.names[nameHandle(reader)];
}

std::size_t BatchDecoder::replica(ByteReader& reader) {
  const std::uint64_t handle = reader.varint();
  if (handle > tables_.replicas.size()) malformed("a replica is used before it is given");
  if (handle == tables_.replicas.size()) tables_.replicas.add(reader.fixed64());
  return static_cast<std::size_t>(handle);
}

void BatchDecoder::shapes(std::vector<Change>& changes, ByteReader& reader) {
  Allowance writes(std::min(kMaxBatchWrites, reader.rest().size() / kLeastWriteBytes));
  eachEdit(changes, [&](Change&, Edit& edit) {
    const std::uint64_t handle = reader.varint();
    if (handle > tables_.shapes.size()) malformed("a shape is used before it is given");
    if (handle == tables_.shapes.size()) {
      std::vector<std::size_t> shape(reader.count());
      for (std::size_t& field : shape) field = nameHandle(reader);
      tables_.shapes.add(std::move(shape));
    }
    const std::vector<std::size_t>& shape = tables_.shapes[static_cast<std::size_t>(handle)];
    writes.take(shape.size());
    edit.writes.resize(shape.size());
    for (std::size_t i = 0; i < shape.size(); ++i) edit.writes[i].field = tables_.names[shape[i]];
  });
}

Context BatchDecoder::context(std::size_t entries, const Edit& edit, ByteReader& reader) {
  Context context;
  for (std::size_t i = 0; i < entries; ++i) {
    const std::size_t handle = replica(reader);
    Context::Entry entry{tables_.replicas[handle], 0, {}};
    BatchTables::Reading& reading = tables_.reading(handle);
    const bool isOfRecord = entry.replica == edit.record.replica;
    entry.upTo =
        advance(isOfRecord ? edit.record.number + reading.ahead : reading.upTo, reader.zigzag());
    if (entry.upTo == 0) malformed("a context covers nothing of a replica it names");
    if (isOfRecord) reading.ahead = entry.upTo - edit.record.number;
    reading.upTo = entry.upTo;
    entry.decodeExceptions(reader);
    context.add(std::move(entry));
  }
  return context;
}

void BatchDecoder::contexts(std::vector<Change>& changes, ByteReader& reader) {
  std::string isOther;
  eachEdit(changes, [&](Change&, Edit&) { isOther.push_back(static_cast<char>(reader.byte())); });
  std::size_t at = 0;
  eachEdit(changes, [&](Change& change, Edit& edit) {
    const std::size_t of = recordReplicas_[at];
    const char other = isOther[at++];
    if (other < 0 || other > 1) malformed("contexts are written in an unknown form");
    const bool isBorn = isBirth(edit);
    for (Write& write : edit.writes) {
      const std::size_t code = other == 0 ? 0 : reader.count();
      write.seen = code == 0 ? tables_.predicted(change.dot, edit, isBorn, of)
                             : context(code - 1, edit, reader);
    }
  });
}

std::vector<Change> BatchDecoder::decode(ByteReader& reader) {
  std::vector<Change> changes(reader.count(kLeastChangeBytes));
  for (Change& change : changes) change.dot.replica = tables_.replicas[replica(reader)];
  std::uint64_t previous = 0;
  for (Change& change : changes) {
    change.dot.counter = previous = advance(previous + 1, reader.zigzag());
  }
  decodeTimes(changes, reader);
  for (Change& change : changes) change.author = name(reader);
  Allowance edits(reader.rest().size() / kLeastEditBytes);
  for (Change& change : changes) {
    const std::size_t count = reader.count();
    edits.take(count);
    change.edits.resize(count);
  }
  recordReplicas_.clear();
  eachEdit(changes, [&](Change&, Edit& edit) {
    recordReplicas_.push_back(replica(reader));
    edit.record.replica = tables_.replicas[recordReplicas_.back()];
  });
  const std::vector<std::uint64_t> numbers = decodeNumbers(recordReplicas_.size(), reader);
  std::size_t at = 0;
  eachEdit(changes, [&](Change&, Edit& edit) { edit.record.number = numbers[at++]; });
  shapes(changes, reader);
  contexts(changes, reader);
  values_.decode(columnsOf<ValueDecoder::Column>(changes), tables_.replicas, reader);
  // One rule for what a change may be, wherever it comes from: the canonical decoder's.
  for (const Change& change : changes) decodeChange(encodeChange(change));
  return changes;
}

}  // namespace waystation::sync

// Layout of a batch, every column over all changes before the next begins:
//   varint(#changes)
//   dots:     per change   replica-handle zigzag(counter - previous counter - 1)
//   times:    per change   zigzag(time - previous time)
//   authors:  per change   name-handle
//   edits:    per change   varint(#edits)
//   records:  per edit     replica-handle zigzag(number - previous number)
//   writes:   per edit     varint(#writes)
//   fields:   per write    name-handle
//   contexts: per write    varint(#entries) per entry: replica-handle
//                          zigzag(counter of the dot - upTo) varint(#exceptions) exceptions
//   values:   field by field, in order of the field's first use in the batch: string per write
//
// handle := varint(index), and where index equals the table's size the new entry follows.

#include "sync/batch_codec.h"

#include "crypto/failure.h"

namespace waystation::sync {
namespace {

[[noreturn]] void malformed(const char* what) {
  throw Failure("sync.malformed", std::string("A sync message can't be read: ") + what +
                                      ". Nothing of this part was applied.");
}

// Visits every write, grouped by field in order of the field's first use.
template <typename Changes, typename Visit>
void byField(Changes& changes, const Visit& visit) {
  std::vector<std::string> order;
  std::map<std::string, std::vector<decltype(&changes[0].edits[0].writes[0])>> groups;
  for (auto& change : changes) {
    for (auto& edit : change.edits) {
      for (auto& write : edit.writes) {
        auto& group = groups[write.field];
        if (group.empty()) order.push_back(write.field);
        group.push_back(&write);
      }
    }
  }
  for (const std::string& field : order) {
    for (auto* write : groups[field]) visit(*write);
  }
}

template <typename Changes, typename Visit>
void eachWrite(Changes& changes, const Visit& visit) {
  for (auto& change : changes) {
    for (auto& edit : change.edits) {
      for (auto& write : edit.writes) visit(change, write);
    }
  }
}

// The least that things take in all columns together: what a batch announces is checked against it
// before anything is set aside for it.
constexpr std::size_t kLeastChangeBytes = 5;  // dot 2, time, author, number of edits
constexpr std::size_t kLeastEditBytes = 3;    // record 2, number of writes
constexpr std::size_t kLeastWriteBytes = 3;   // field, context, value

// Counts of a column, which together can't be more than what follows has room for.
class Allowance {
 public:
  Allowance(const ByteReader& reader, std::size_t each) : left_(reader.rest().size() / each) {}
  std::size_t take(ByteReader& reader) {
    const std::size_t count = reader.count();
    if (count > left_) malformed("it announces more than it holds");
    left_ -= count;
    return count;
  }

 private:
  std::size_t left_;
};

}  // namespace

void BatchEncoder::handle(std::string_view name, ByteWriter& writer) {
  const auto [at, isNew] = names_.try_emplace(std::string(name), names_.size());
  writer.varint(at->second);
  if (isNew) writer.string(name);
}

void BatchEncoder::replica(ReplicaId id, ByteWriter& writer) {
  const auto [at, isNew] = replicas_.try_emplace(id, replicas_.size());
  writer.varint(at->second);
  if (isNew) writer.fixed64(id);
}

void BatchEncoder::context(const Context& context, const Dot& dot, ByteWriter& writer) {
  writer.varint(context.entries().size());
  for (const Context::Entry& entry : context.entries()) {
    replica(entry.replica, writer);
    writer.zigzag(difference(dot.counter, entry.upTo));
    entry.encodeExceptions(writer);
  }
}

void BatchEncoder::encode(const std::vector<Change>& changes, ByteWriter& writer) {
  writer.varint(changes.size());
  std::uint64_t previous = 0;
  for (const Change& change : changes) {
    replica(change.dot.replica, writer);
    writer.zigzag(difference(change.dot.counter, previous + 1));
    previous = change.dot.counter;
  }
  previous = 0;
  for (const Change& change : changes) {
    writer.zigzag(difference(change.time, previous));
    previous = change.time;
  }
  for (const Change& change : changes) handle(change.author, writer);
  for (const Change& change : changes) writer.varint(change.edits.size());
  previous = 0;
  for (const Change& change : changes) {
    for (const Edit& edit : change.edits) {
      replica(edit.record.replica, writer);
      writer.zigzag(difference(edit.record.number, previous));
      previous = edit.record.number;
    }
  }
  for (const Change& change : changes) {
    for (const Edit& edit : change.edits) writer.varint(edit.writes.size());
  }
  eachWrite(changes, [&](const Change&, const Write& write) { handle(write.field, writer); });
  eachWrite(changes, [&](const Change& change, const Write& write) {
    context(write.seen, change.dot, writer);
  });
  byField(changes, [&](const Write& write) { writer.string(write.value); });
}

std::string BatchDecoder::handle(ByteReader& reader) {
  const std::uint64_t index = reader.varint();
  if (index > names_.size()) malformed("a name is used before it is given");
  if (index == names_.size()) names_.emplace_back(reader.string());
  return names_[static_cast<std::size_t>(index)];
}

ReplicaId BatchDecoder::replica(ByteReader& reader) {
  const std::uint64_t index = reader.varint();
  if (index > replicas_.size()) malformed("a replica is used before it is given");
  if (index == replicas_.size()) replicas_.push_back(reader.fixed64());
  return replicas_[static_cast<std::size_t>(index)];
}

Context BatchDecoder::context(const Dot& dot, ByteReader& reader) {
  Context context;
  const std::size_t count = reader.count();
  for (std::size_t i = 0; i < count; ++i) {
    Context::Entry entry;
    entry.replica = replica(reader);
    entry.upTo = dot.counter - static_cast<std::uint64_t>(reader.zigzag());
    if (entry.upTo == 0) malformed("a context covers nothing of a replica it names");
    entry.decodeExceptions(reader);
    context.add(std::move(entry));
  }
  return context;
}

std::vector<Change> BatchDecoder::decode(ByteReader& reader) {
  std::vector<Change> changes(reader.count(kLeastChangeBytes));
  std::uint64_t previous = 0;
  for (Change& change : changes) {
    change.dot.replica = replica(reader);
    change.dot.counter = previous = advance(previous + 1, reader.zigzag());
  }
  previous = 0;
  for (Change& change : changes) change.time = previous = advance(previous, reader.zigzag());
  for (Change& change : changes) change.author = handle(reader);
  Allowance edits(reader, kLeastEditBytes);
  for (Change& change : changes) change.edits.resize(edits.take(reader));
  previous = 0;
  for (Change& change : changes) {
    for (Edit& edit : change.edits) {
      edit.record.replica = replica(reader);
      edit.record.number = previous = advance(previous, reader.zigzag());
    }
  }
  Allowance writes(reader, kLeastWriteBytes);
  for (Change& change : changes) {
    for (Edit& edit : change.edits) edit.writes.resize(writes.take(reader));
  }
  eachWrite(changes, [&](Change&, Write& write) { write.field = handle(reader); });
  eachWrite(changes,
            [&](Change& change, Write& write) { write.seen = context(change.dot, reader); });
  byField(changes, [&](Write& write) { write.value = reader.string(); });
  // One rule for what a change may be, wherever it comes from: the canonical decoder's.
  for (const Change& change : changes) decodeChange(encodeChange(change));
  return changes;
}

}  // namespace waystation::sync

// The encodings of a record at rest and of its tag.
//
// State, version 1:
//   varint(#writes) per write, ascending by dot:
//       replica(8) varint(counter) varint(time) string(author)
//   varint(#contexts) per context, in order of first use: context
//   varint(#fields) per field, ascending: string(name) varint(#siblings)
//       per sibling: varint(write) varint(context) string(value)
// Tag: varint(#groups) per group: context varint(#fields) string(name)... ; base64url.

#include <map>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "sync/record.h"

namespace waystation::sync {
namespace {

struct WriteFacts {
  Dot dot;
  HybridTime time = 0;
  std::string author;
};

// Contexts by their canonical bytes, numbered in order of first use.
class ContextTable {
 public:
  std::size_t indexOf(const Context& context) {
    ByteWriter writer;
    context.encode(writer);
    const auto [at, isNew] = index_.try_emplace(writer.bytes(), encoded_.size());
    if (isNew) encoded_.push_back(writer.take());
    return at->second;
  }
  const std::vector<std::string>& encoded() const { return encoded_; }

 private:
  std::map<std::string, std::size_t> index_;
  std::vector<std::string> encoded_;
};

void encodeFields(const Record& record, const std::map<Dot, std::size_t>& writeIndex,
                  ContextTable& contexts, ByteWriter& writer) {
  writer.varint(record.fields.size());
  for (const auto& [name, field] : record.fields) {
    writer.string(name);
    writer.varint(field.size());
    for (const Sibling& sibling : field) {
      writer.varint(writeIndex.at(sibling.dot));
      writer.varint(contexts.indexOf(sibling.seen));
      writer.string(sibling.value);
    }
  }
}

template <typename T>
const T& entryAt(const std::vector<T>& table, std::uint64_t index) {
  if (index >= table.size()) {
    throw Failure("store.damaged-record",
                  "A stored record can't be read. Run `waystation check`; the copy at headquarters "
                  "mends it.");
  }
  return table[static_cast<std::size_t>(index)];
}

}  // namespace

std::string encodeState(const Record& record) {
  std::map<Dot, const Sibling*> writes;
  for (const auto& [name, field] : record.fields) {
    for (const Sibling& sibling : field) writes.emplace(sibling.dot, &sibling);
  }
  ByteWriter head;
  std::map<Dot, std::size_t> writeIndex;
  head.varint(writes.size());
  for (const auto& [dot, sibling] : writes) {
    writeIndex.emplace(dot, writeIndex.size());
    head.fixed64(dot.replica);
    head.varint(dot.counter);
    head.varint(sibling->time);
    head.string(sibling->author);
  }
  ContextTable contexts;
  ByteWriter fields;
  encodeFields(record, writeIndex, contexts, fields);
  head.varint(contexts.encoded().size());
  for (const std::string& context : contexts.encoded()) head.raw(context);
  head.raw(fields.bytes());
  return head.take();
}

Record decodeState(const RecordId& id, std::string_view state) {
  ByteReader reader(state);
  std::vector<WriteFacts> writes(reader.count(11));
  for (WriteFacts& write : writes) {
    write.dot.replica = reader.fixed64();
    write.dot.counter = reader.varint();
    write.time = reader.varint();
    write.author = reader.string();
  }
  std::vector<Context> contexts(reader.count());
  for (Context& context : contexts) context = Context::decode(reader);
  Record record;
  record.id = id;
  const std::size_t fieldCount = reader.count();
  for (std::size_t i = 0; i < fieldCount; ++i) {
    Field& field = record.fields[std::string(reader.string())];
    const std::size_t siblings = reader.count();
    for (std::size_t j = 0; j < siblings; ++j) {
      const WriteFacts& write = entryAt(writes, reader.varint());
      const Context& context = entryAt(contexts, reader.varint());
      field.push_back({write.dot, context, std::string(reader.string()), write.time, write.author});
    }
  }
  reader.expectEnd();
  return record;
}

ReadContexts contextsOf(const Record& record) {
  ReadContexts read;
  for (const auto& [name, field] : record.fields) read.emplace(name, contextOf(field));
  return read;
}

std::string encodeTag(const Record& record) {
  return encodeContexts(contextsOf(record));
}

std::string encodeContexts(const ReadContexts& read) {
  std::map<std::string, std::vector<std::string_view>> groups;
  for (const auto& [name, held] : read) {
    ByteWriter context;
    held.encode(context);
    groups[context.take()].push_back(name);
  }
  ByteWriter writer;
  writer.varint(groups.size());
  for (const auto& [context, names] : groups) {
    writer.raw(context);
    writer.varint(names.size());
    for (const std::string_view name : names) writer.string(name);
  }
  return crypto::toBase64Url(writer.bytes());
}

ReadContexts decodeTag(std::string_view tag) {
  try {
    const std::string bytes = crypto::fromBase64Url(tag);
    ByteReader reader(bytes);
    ReadContexts contexts;
    const std::size_t groups = reader.count();
    for (std::size_t i = 0; i < groups; ++i) {
      const Context context = Context::decode(reader);
      const std::size_t names = reader.count();
      for (std::size_t j = 0; j < names; ++j) contexts[std::string(reader.string())] = context;
    }
    reader.expectEnd();
    return contexts;
  } catch (const Failure&) {
    throw Failure("case.tag-malformed",
                  "The tag sent with this save is not one that this server gave out. Nothing was "
                  "saved; open the record again and repeat the edit.");
  }
}

}  // namespace waystation::sync

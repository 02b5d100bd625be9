#include "sync/change.h"

#include <algorithm>

#include "crypto/failure.h"

// Canonical body of a change, version 1:
//   replica(8) varint(counter) varint(time) string(author) varint(#edits)
//   per edit, ascending:  record replica(8) varint(number) varint(#writes)
//   per write, ascending: string(field) context string(value)

namespace waystation::sync {
namespace {

[[noreturn]] void malformed(const char* what) {
  throw Failure("sync.malformed",
                std::string("A change can't be read: ") + what + ". It was not applied.");
}

Write decodeWrite(ByteReader& reader) {
  Write write;
  write.field = reader.string();
  write.seen = Context::decode(reader);
  write.value = reader.string();
  if (write.field.empty()) malformed("a field has no name");
  return write;
}

Edit decodeEdit(ByteReader& reader) {
  Edit edit;
  edit.record.replica = reader.fixed64();
  edit.record.number = reader.varint();
  const std::size_t count = reader.count();
  if (count == 0) malformed("an edit writes nothing");
  for (std::size_t i = 0; i < count; ++i) {
    Write write = decodeWrite(reader);
    if (!edit.writes.empty() && edit.writes.back().field >= write.field) {
      malformed("its fields are out of order");
    }
    edit.writes.push_back(std::move(write));
  }
  return edit;
}

}  // namespace

std::string encodeChange(const Change& change) {
  ByteWriter writer;
  writer.fixed64(change.dot.replica);
  writer.varint(change.dot.counter);
  writer.varint(change.time);
  writer.string(change.author);
  writer.varint(change.edits.size());
  for (const Edit& edit : change.edits) {
    writer.fixed64(edit.record.replica);
    writer.varint(edit.record.number);
    writer.varint(edit.writes.size());
    for (const Write& write : edit.writes) {
      writer.string(write.field);
      write.seen.encode(writer);
      writer.string(write.value);
    }
  }
  return writer.take();
}

Change decodeChange(std::string_view body) {
  if (body.size() > kMaxChangeBytes) malformed("it is larger than 256 KiB");
  ByteReader reader(body);
  Change change;
  change.dot.replica = reader.fixed64();
  change.dot.counter = reader.varint();
  if (change.dot.counter == 0) malformed("counters start at one");
  change.time = reader.varint();
  change.author = reader.string();
  const std::size_t count = reader.count();
  if (count == 0) malformed("it edits nothing");
  for (std::size_t i = 0; i < count; ++i) {
    Edit edit = decodeEdit(reader);
    if (!change.edits.empty() && change.edits.back().record >= edit.record) {
      malformed("its records are out of order");
    }
    change.edits.push_back(std::move(edit));
  }
  reader.expectEnd();
  return change;
}

void sortEdits(Change& change) {
  std::sort(change.edits.begin(), change.edits.end(),
            [](const Edit& a, const Edit& b) { return a.record < b.record; });
  for (Edit& edit : change.edits) {
    std::sort(edit.writes.begin(), edit.writes.end(),
              [](const Write& a, const Write& b) { return a.field < b.field; });
  }
}

bool isBirth(const Edit& edit) {
  return std::any_of(edit.writes.begin(), edit.writes.end(),
                     [](const Write& write) { return write.field == kKindField; });
}

std::string_view officeOf(std::string_view author) {
  const std::size_t at = author.rfind('@');
  return at == std::string_view::npos ? std::string_view{} : author.substr(at + 1);
}

std::string jsonString(std::string_view text) {
  return "\"" + std::string(text) + "\"";
}

std::string_view plainText(std::string_view value) {
  if (value.size() < 2 || value.front() != '"' || value.back() != '"') return {};
  value = value.substr(1, value.size() - 2);
  return value.find_first_of("\"\\") == std::string_view::npos ? value : std::string_view{};
}

}  // namespace waystation::sync

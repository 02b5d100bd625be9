// Layout of the values of a batch:
//   forms:    a byte per column
//   contents: per column, but for those in words
//   if any column is in words:
//     varint(#new words) per word: its bytes, 0A
//     string: the rare words, each followed by 0A
//     per column in words, per value: varint codes, 0 at its end
//
// Forms: 0 each a string · 1 each followed by 0A · 2 the same, of JSON strings without their
// quotes · 3 references: replica-handle zigzag(number - previous number) · 4 JSON strings in words.
// Codes: 0 the value ends · 1 the next rare word · n the word n - 2 of the table.

#include "sync/value_columns.h"

#include <algorithm>
#include <unordered_map>

#include "crypto/failure.h"

namespace waystation::sync {
namespace {

enum Form : std::uint8_t { kSized, kLines, kQuotedLines, kReferences, kWords };
constexpr std::uint64_t kEndCode = 0;
constexpr std::uint64_t kRareCode = 1;
constexpr std::uint64_t kFirstWordCode = 2;

// Columns that have fewer bytes or shorter values gain nothing by words.
constexpr std::size_t kLeastColumnBytes = 400;
constexpr std::size_t kLeastTextBytes = 40;
// A word that comes only once costs more in the table than by itself.
constexpr std::size_t kTimesToLearn = 2;

[[noreturn]] void malformed(const char* what) {
  throw Failure("sync.malformed", std::string("A sync message can't be read: ") + what +
                                      ". Nothing of this part was applied.");
}

bool isQuoted(std::string_view value) {
  return value.size() >= 2 && value.front() == '"' && value.back() == '"';
}

std::string_view unquoted(std::string_view value) {
  return value.substr(1, value.size() - 2);
}

bool isLetter(char byte) {
  const auto code = static_cast<unsigned char>(byte);
  return code >= 0x80 || (code >= 'A' && code <= 'Z') || (code >= 'a' && code <= 'z');
}

// Runs of letters and runs of anything else, in turn; a single space between two words is left out.
template <typename Visit>
void eachToken(std::string_view text, const Visit& visit) {
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at + 1;
    while (end < text.size() && isLetter(text[end]) == isLetter(text[at])) ++end;
    const bool isImplied = at > 0 && end < text.size() && end == at + 1 && text[at] == ' ';
    if (!isImplied) visit(text.substr(at, end - at));
    at = end;
  }
}

Form formOf(const std::vector<const std::string*>& column) {
  bool lines = true;
  bool quoted = true;
  bool references = true;
  std::size_t bytes = 0;
  for (const std::string* value : column) {
    bytes += value->size();
    lines = lines && value->find('\n') == std::string::npos;
    quoted = quoted && isQuoted(*value);
    references = references && referencedRecord(*value).has_value();
  }
  if (references) return kReferences;
  if (!lines) return kSized;
  if (!quoted) return kLines;
  const bool isText = bytes >= kLeastColumnBytes && bytes / column.size() >= kLeastTextBytes;
  return isText ? kWords : kQuotedLines;
}

void writeReplica(Handles<ReplicaId>& replicas, ReplicaId id, ByteWriter& writer) {
  const auto [handle, isNew] = replicas.of(id);
  writer.varint(handle);
  if (isNew) writer.fixed64(id);
}

ReplicaId readReplica(Handles<ReplicaId>& replicas, ByteReader& reader) {
  const std::uint64_t handle = reader.varint();
  if (handle > replicas.size()) malformed("a replica is used before it is given");
  if (handle == replicas.size()) replicas.add(reader.fixed64());
  return replicas[static_cast<std::size_t>(handle)];
}

void encodeReferences(const std::vector<const std::string*>& column, Handles<ReplicaId>& replicas,
                      ByteWriter& writer) {
  std::uint64_t previous = 0;
  for (const std::string* value : column) {
    const RecordId record = referencedRecord(*value).value_or(RecordId{});
    writeReplica(replicas, record.replica, writer);
    writer.zigzag(difference(record.number, previous));
    previous = record.number;
  }
}

// A line without its end.
std::string_view line(ByteReader& reader) {
  const std::size_t end = reader.rest().find('\n');
  if (end == std::string_view::npos) malformed("a line does not end");
  const std::string_view bytes = reader.raw(end);
  reader.byte();
  return bytes;
}

}  // namespace

// Words are numbered by how often they come, so that the most frequent have the shortest codes.
void ValueEncoder::encodeWords(const std::vector<const Column*>& columns, ByteWriter& writer) {
  std::unordered_map<std::string_view, std::size_t> times;
  std::vector<std::string_view> fresh;  // in order of first use
  for (const Column* column : columns) {
    for (const std::string* value : *column) {
      eachToken(unquoted(*value), [&](std::string_view token) {
        if (token.size() > kMaxWordBytes || words_.contains(token)) return;
        if (++times[token] == 1) fresh.push_back(token);
      });
    }
  }
  std::erase_if(fresh, [&](std::string_view word) { return times[word] < kTimesToLearn; });
  std::stable_sort(fresh.begin(), fresh.end(),
                   [&](std::string_view a, std::string_view b) { return times[a] > times[b]; });
  if (fresh.size() > kMaxWords - words_.size()) fresh.resize(kMaxWords - words_.size());
  writer.varint(fresh.size());
  for (const std::string_view word : fresh) {
    words_.emplace(word, kFirstWordCode + words_.size());
    writer.raw(word);
    writer.byte('\n');
  }
  ByteWriter rare;
  ByteWriter codes;
  for (const Column* column : columns) {
    for (const std::string* value : *column) {
      eachToken(unquoted(*value), [&](std::string_view token) {
        const auto known = words_.find(token);
        codes.varint(known == words_.end() ? kRareCode : known->second);
        if (known != words_.end()) return;
        rare.raw(token);
        rare.byte('\n');
      });
      codes.varint(kEndCode);
    }
  }
  writer.string(rare.bytes());
  writer.raw(codes.bytes());
}

void ValueEncoder::encode(const std::vector<Column>& columns, Handles<ReplicaId>& replicas,
                          ByteWriter& writer) {
  std::vector<Form> forms;
  for (const Column& column : columns) {
    forms.push_back(formOf(column));
    writer.byte(forms.back());
  }
  std::vector<const Column*> inWords;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (forms[i] == kWords) inWords.push_back(&columns[i]);
    if (forms[i] == kReferences) encodeReferences(columns[i], replicas, writer);
    if (forms[i] > kQuotedLines) continue;
    for (const std::string* value : columns[i]) {
      if (forms[i] == kSized) {
        writer.string(*value);
      } else {
        writer.raw(forms[i] == kLines ? std::string_view(*value) : unquoted(*value));
        writer.byte('\n');
      }
    }
  }
  if (!inWords.empty()) encodeWords(inWords, writer);
}

void ValueDecoder::learnWords(ByteReader& reader) {
  const std::size_t count = reader.count(2);
  if (count > kMaxWords - words_.size()) malformed("it has more words than a table holds");
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view word = line(reader);
    if (word.empty() || word.size() > kMaxWordBytes) malformed("a word is empty or too long");
    words_.emplace_back(word);
  }
}

// Between two words is a space, unless something else is.
std::string ValueDecoder::text(ByteReader& reader, ByteReader& rare, std::size_t& allowance) const {
  std::string value = "\"";
  bool afterWord = false;
  while (const std::uint64_t code = reader.varint()) {
    if (code - kFirstWordCode >= words_.size() && code != kRareCode) malformed("a word is unknown");
    const std::string_view token =
        code == kRareCode
            ? line(rare)
            : std::string_view(words_[static_cast<std::size_t>(code - kFirstWordCode)]);
    if (token.empty() || token.size() >= allowance) malformed("it grows too large");
    const bool isWord = isLetter(token.front());
    if (isWord && afterWord) value.push_back(' ');
    allowance -= token.size() + (isWord && afterWord ? 1 : 0);
    value.append(token);
    afterWord = isWord;
  }
  value.push_back('"');
  return value;
}

void ValueDecoder::decode(const std::vector<Column>& columns, Handles<ReplicaId>& replicas,
                          ByteReader& reader) {
  std::vector<Form> forms;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    forms.push_back(static_cast<Form>(reader.byte()));
    if (forms.back() > kWords) malformed("values are written in an unknown form");
  }
  bool anyInWords = false;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    std::uint64_t previous = 0;
    anyInWords = anyInWords || forms[i] == kWords;
    if (forms[i] == kWords) continue;
    for (std::string* value : columns[i]) {
      if (forms[i] == kSized) {
        *value = reader.string();
      } else if (forms[i] == kReferences) {
        const ReplicaId replica = readReplica(replicas, reader);
        previous = advance(previous, reader.zigzag());
        *value = referenceValue({replica, previous});
      } else {
        const std::string_view bytes = line(reader);
        *value = forms[i] == kLines ? std::string(bytes) : "\"" + std::string(bytes) + "\"";
      }
    }
  }
  if (!anyInWords) return;
  learnWords(reader);
  ByteReader rare(reader.string());
  std::size_t allowance = kMaxBatchValueBytes;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (forms[i] != kWords) continue;
    for (std::string* value : columns[i]) *value = text(reader, rare, allowance);
  }
  rare.expectEnd();
}

}  // namespace waystation::sync

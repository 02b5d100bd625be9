#include "sync/renaming.h"

#include <algorithm>

#include "sync/binding.h"
#include "sync/deletion.h"

namespace waystation::sync {
namespace {

constexpr std::string_view kReferenceBegin = "urn:uuid:";
constexpr std::size_t kUuidSize = 36;

bool isBindingOf(std::string_view field) {
  return isPart(field) && field.ends_with(std::string("/") + std::string(kBoundPart));
}

// What a write says of its own replica: the earlier ones that it had not read.
const std::vector<std::uint64_t>& unreadOwn(const Context& seen, ReplicaId replica) {
  static const std::vector<std::uint64_t> none;
  for (const Context::Entry& entry : seen.entries()) {
    if (entry.replica == replica) return entry.except;
  }
  return none;
}

bool holds(const std::vector<std::uint64_t>& counters, std::uint64_t counter) {
  return std::binary_search(counters.begin(), counters.end(), counter);
}

}  // namespace

void Renaming::add(const Change& change) {
  from_.try_emplace(change.dot.replica, change.dot.counter);
  counters_[change.dot] = ++lastCounter_;
  for (const Edit& edit : change.edits) {
    if (isBirth(edit) && edit.record.replica == change.dot.replica) {
      records_[edit.record] = {to_, ++lastRecord_};
      births_[edit.record] = change.dot;
    }
    for (const Write& write : edit.writes) {
      writes_[{edit.record, write.field}].push_back(change.dot);
    }
  }
}

RecordId Renaming::renamed(const RecordId& id) const {
  const auto at = records_.find(id);
  return at == records_.end() ? id : at->second;
}

Change Renaming::renamed(const Change& change) const {
  Change renamedOne = change;
  renamedOne.dot = {to_, counters_.at(change.dot)};
  for (Edit& edit : renamedOne.edits) {
    const bool isBorn = isBirth(edit);
    for (Write& write : edit.writes) {
      rename({edit.record, write.field}, change.dot, isBorn, write.seen, write.value);
    }
    edit.record = renamed(edit.record);
  }
  sortEdits(renamedOne);
  return renamedOne;
}

std::optional<Record> Renaming::renamed(const Record& record) const {
  Record renamedOne = record;
  renamedOne.id = renamed(record.id);
  bool isOther = renamedOne.id != record.id;
  const auto birth = births_.find(record.id);
  for (auto& [name, field] : renamedOne.fields) {
    for (Sibling& sibling : field) {
      const auto counter = counters_.find(sibling.dot);
      if (counter == counters_.end()) continue;
      const bool isBorn = birth != births_.end() && birth->second == sibling.dot;
      rename({record.id, name}, sibling.dot, isBorn, sibling.seen, sibling.value);
      sibling.dot = {to_, counter->second};
      isOther = true;
    }
    std::sort(field.begin(), field.end(),
              [](const Sibling& a, const Sibling& b) { return a.dot < b.dot; });
  }
  if (!isOther) return std::nullopt;
  return renamedOne;
}

void Renaming::rename(const FieldName& field, const Dot& dot, bool isBirth, Context& seen,
                      std::string& value) const {
  seen = seenBy(field, dot, isBirth, seen);
  value = valueOf(field, value);
}

// What an entry names of changes that keep their dots.
void Renaming::addOlder(const Context::Entry& entry, Context& context) const {
  Context::Entry older = entry;
  if (const auto from = from_.find(entry.replica); from != from_.end()) {
    older.upTo = std::min(older.upTo, from->second - 1);
    std::erase_if(older.except, [&](std::uint64_t counter) { return counter > older.upTo; });
  }
  if (older.upTo > 0) context.add(std::move(older));
}

// A write has seen all earlier ones of its own replica but those that it lists. Of those that keep
// their dots it has to say so now; of those that do not, what it had not read.
Context Renaming::seenBy(const FieldName& field, const Dot& dot, bool isBirth,
                         const Context& seen) const {
  Context renamedOne;
  for (const Context::Entry& entry : seen.entries()) {
    if (entry.replica != dot.replica) addOlder(entry, renamedOne);
  }
  const std::vector<std::uint64_t>& unread = unreadOwn(seen, dot.replica);
  if (!isBirth) addOlder({dot.replica, dot.counter - 1, unread}, renamedOne);
  Context::Entry own{to_, 0, {}};
  for (const Dot& other : writes_.at(field)) {
    if (other == dot) break;
    const bool isRead =
        other.replica == dot.replica ? !holds(unread, other.counter) : seen.covers(other);
    if (!isRead) own.except.push_back(counters_.at(other));
  }
  if (!own.except.empty()) {
    own.upTo = own.except.back();
    renamedOne.add(std::move(own));
  }
  return renamedOne;
}

// Of a whole context: here a replica's own writes are named like all others.
Context Renaming::readOf(const FieldName& field, const Context& read) const {
  Context renamedOne;
  for (const Context::Entry& entry : read.entries()) addOlder(entry, renamedOne);
  const auto writes = writes_.find(field);
  if (writes == writes_.end()) return renamedOne;
  Context::Entry own{to_, 0, {}};
  std::vector<std::uint64_t> unread;
  for (const Dot& dot : writes->second) {
    if (read.covers(dot)) {
      own.upTo = counters_.at(dot);
      own.except = unread;
    } else {
      unread.push_back(counters_.at(dot));
    }
  }
  if (own.upTo > 0) renamedOne.add(std::move(own));
  return renamedOne;
}

ReadContexts Renaming::readOf(const RecordId& record, const ReadContexts& read) const {
  ReadContexts renamedOnes;
  for (const auto& [name, context] : read) renamedOnes[name] = readOf({record, name}, context);
  return renamedOnes;
}

std::string Renaming::valueOf(const FieldName& field, const std::string& value) const {
  if (field.second == kDeletedField) {
    const std::optional<ReadContexts> read = deletionOf(value);
    return read ? deletionValue(readOf(field.first, *read)) : value;
  }
  if (isBindingOf(field.second)) {
    const std::optional<ReadContexts> read = deletionOf(value);  // likewise a tag
    return read ? jsonString(encodeContexts(readOf(field.first, *read))) : value;
  }
  std::string renamedOne = value;
  for (std::size_t at = renamedOne.find(kReferenceBegin); at != std::string::npos;
       at = renamedOne.find(kReferenceBegin, at + 1)) {
    const std::size_t begin = at + kReferenceBegin.size();
    const auto id = RecordId::fromUuid(std::string_view(renamedOne).substr(begin, kUuidSize));
    if (id) renamedOne.replace(begin, kUuidSize, renamed(*id).uuid());
  }
  return renamedOne;
}

}  // namespace waystation::sync

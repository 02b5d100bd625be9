#include "sync/record.h"

#include <algorithm>
#include <optional>
#include <set>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "sync/binding.h"
#include "sync/deletion.h"

namespace waystation::sync {
namespace {

constexpr char kPartMark = '/';

}  // namespace

bool Sibling::replaces(const Dot& other) const {
  if (other.replica != dot.replica) return seen.covers(other);
  if (other.counter >= dot.counter) return false;
  for (const Context::Entry& entry : seen.entries()) {
    if (entry.replica != dot.replica) continue;
    return !std::binary_search(entry.except.begin(), entry.except.end(), other.counter);
  }
  return true;
}

Context contextOf(const Field& field) {
  Context all;
  for (const Sibling& sibling : field) {
    Context::Entry own{sibling.dot.replica, sibling.dot.counter, {}};
    for (const Context::Entry& entry : sibling.seen.entries()) {
      if (entry.replica == own.replica) {
        own.except = entry.except;
      } else {
        all.add(entry);
      }
    }
    all.add(std::move(own));
  }
  return all;
}

bool joinSibling(Field& field, Sibling sibling) {
  for (const Sibling& present : field) {
    if (present.dot == sibling.dot || present.replaces(sibling.dot)) return false;
  }
  std::erase_if(field, [&](const Sibling& present) { return sibling.replaces(present.dot); });
  const auto at =
      std::lower_bound(field.begin(), field.end(), sibling.dot,
                       [](const Sibling& present, const Dot& dot) { return present.dot < dot; });
  field.insert(at, std::move(sibling));
  return true;
}

bool inConflict(const Field& field) {
  return std::any_of(field.begin(), field.end(),
                     [&](const Sibling& sibling) { return sibling.value != field.front().value; });
}

const Sibling& latest(const Field& field) {
  return *std::max_element(field.begin(), field.end(), [](const Sibling& a, const Sibling& b) {
    return std::tie(a.time, a.dot) < std::tie(b.time, b.dot);
  });
}

std::string partName(std::string_view field, std::string_view part) {
  return std::string(field) + kPartMark + std::string(part);
}

bool isPart(std::string_view name) {
  return name.find(kPartMark) != std::string_view::npos;
}

std::string fieldOfPart(std::string_view name) {
  return std::string(name.substr(0, name.find(kPartMark)));
}

std::string Record::kind() const {
  return std::string(plainText(value(kKindField)));
}

RecordId Record::root() const {
  return referencedRecord(value(kRootField)).value_or(id);
}

const Field* Record::field(std::string_view name) const {
  const auto at = fields.find(name);
  return at == fields.end() || at->second.empty() ? nullptr : &at->second;
}

std::string_view Record::value(std::string_view name) const {
  const Field* found = field(name);
  return found == nullptr ? std::string_view{} : std::string_view(latest(*found).value);
}

int Record::conflicts() const {
  const auto apart = std::count_if(fields.begin(), fields.end(), [this](const auto& entry) {
    if (entry.first.starts_with('_') || isPart(entry.first)) return false;
    return inConflict(entry.second) || !movedSince(*this, entry.first).empty();
  });
  return static_cast<int>(apart) + (isDeletionOpen(*this) ? 1 : 0);
}

bool joinEdit(Record& record, const Change& change, const Edit& edit) {
  bool changed = false;
  for (const Write& write : edit.writes) {
    changed |= joinSibling(record.fields[write.field],
                           {change.dot, write.seen, write.value, change.time, change.author});
  }
  return changed;
}

std::vector<Change> prunedChanges(const Record& record) {
  std::map<Dot, Change> byDot;
  for (const auto& [name, field] : record.fields) {
    for (const Sibling& sibling : field) {
      Change& change = byDot[sibling.dot];
      if (change.edits.empty()) {
        change = {sibling.dot, sibling.time, sibling.author, {Edit{record.id, {}}}};
      }
      change.edits.front().writes.push_back({name, sibling.seen, sibling.value});
    }
  }
  std::vector<Change> changes;
  for (auto& [dot, change] : byDot) changes.push_back(std::move(change));
  // Nothing can be joined into a record before it is born.
  std::stable_partition(changes.begin(), changes.end(),
                        [](const Change& change) { return isBirth(change.edits.front()); });
  return changes;
}

StateSum stateHash(const Record& record, std::string_view encodedState) {
  crypto::Sha256 hash;
  const crypto::Sha256Digest digest = hash.update(record.id.bytes()).update(encodedState).finish();
  return sumFromBytes(crypto::view(digest).substr(0, 16));
}

void addTo(StateSum& sum, const StateSum& term) {
  sum[0] += term[0];
  sum[1] += term[1] + (sum[0] < term[0] ? 1 : 0);
}

void subtractFrom(StateSum& sum, const StateSum& term) {
  const std::uint64_t borrow = sum[0] < term[0] ? 1 : 0;
  sum[0] -= term[0];
  sum[1] -= term[1] + borrow;
}

std::string sumBytes(const StateSum& sum) {
  std::string bytes;
  for (const std::uint64_t half : sum) {
    for (int shift = 0; shift < 64; shift += 8) bytes.push_back(static_cast<char>(half >> shift));
  }
  return bytes;
}

StateSum sumFromBytes(std::string_view bytes) {
  if (bytes.size() != 16) throw Failure("sync.malformed", "A digest is 16 bytes; this one is not.");
  StateSum sum{};
  for (std::size_t i = 0; i < 16; ++i) {
    sum[i / 8] |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (i % 8 * 8);
  }
  return sum;
}

}  // namespace waystation::sync

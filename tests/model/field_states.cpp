#include "tests/model/field_states.h"

#include <algorithm>
#include <stdexcept>

namespace waystation::model {
namespace {

constexpr sync::RecordId kRecord{99, 1};
constexpr const char* kField = "need";
constexpr int kPerReplica = 3;

std::uint64_t pairOf(std::uint32_t a, std::uint32_t b) {
  return std::uint64_t{a} << 32U | b;
}

sync::Record recordWith(const sync::Field& field) {
  sync::Record record;
  record.id = kRecord;
  if (!field.empty()) record.fields[kField] = field;
  return record;
}

}  // namespace

std::size_t NumberMap::placeOf(std::uint64_t key) const {
  std::uint64_t mixed = key * 0x9E3779B97F4A7C15ULL;
  mixed ^= mixed >> 32U;
  std::size_t place = mixed & (slots_.size() - 1);
  while (slots_[place].used && slots_[place].key != key) place = (place + 1) & (slots_.size() - 1);
  return place;
}

void NumberMap::grow() {
  std::vector<Slot> before(slots_.size() * 2);
  before.swap(slots_);
  for (const Slot& slot : before) {
    if (slot.used) slots_[placeOf(slot.key)] = slot;
  }
}

std::uint32_t& NumberMap::operator[](std::uint64_t key) {
  std::size_t place = placeOf(key);
  if (!slots_[place].used) {
    if (++size_ * 2 > slots_.size()) {
      grow();
      place = placeOf(key);
    }
    slots_[place] = {key, kNone, true};
  }
  return slots_[place].number;
}

FieldStates::FieldStates(Join join) : join_(std::move(join)) {
  stateOf({});
}

sync::Dot FieldStates::dotOf(int number) {
  return {static_cast<sync::ReplicaId>(number / kPerReplica + 1),
          static_cast<std::uint64_t>(number % kPerReplica + 1)};
}

FieldStates::Id FieldStates::write(int number, const sync::Context& seen) {
  sync::ByteWriter bytes;
  seen.encode(bytes);
  const auto [at, isNew] = writeIds_.try_emplace({number, bytes.take()}, Id(writes_.size()));
  if (isNew) {
    if (writes_.size() > UINT16_MAX) throw std::length_error("too many writes");
    const std::string value = "\"" + std::to_string(number) + "\"";
    writes_.push_back(
        {dotOf(number), std::uint64_t(number + 1), "x@HQ", {{kRecord, {{kField, seen, value}}}}});
  }
  return at->second;
}

sync::Field FieldStates::field(Id state) const {
  sync::Field field;
  for (int i = 0; i < states_[state].count; ++i) {
    const sync::Change& change = writes_[states_[state].writes[std::size_t(i)]];
    const sync::Write& write = change.edits.front().writes.front();
    field.push_back({change.dot, write.seen, write.value, change.time, change.author});
  }
  return field;
}

// A pruned record says exactly the writes that are left of it.
bool FieldStates::isPruned(const sync::Field& field, const State& state) const {
  const std::vector<sync::Change> pruned = sync::prunedChanges(recordWith(field));
  if (pruned.size() != state.count) return false;
  for (std::size_t i = 0; i < pruned.size(); ++i) {
    if (!(pruned[i] == writes_[state.writes[i]])) return false;
  }
  return true;
}

FieldStates::Id FieldStates::stateOf(const sync::Field& field) {
  State state{};
  std::vector<std::uint16_t> key;
  for (const sync::Sibling& sibling : field) {
    const int number =
        static_cast<int>((sibling.dot.replica - 1) * kPerReplica + sibling.dot.counter - 1);
    key.push_back(static_cast<std::uint16_t>(write(number, sibling.seen)));
    state.writes[state.count++] = key.back();
    state.shown = static_cast<std::uint16_t>(state.shown | 1U << unsigned(number));
  }
  const auto [at, isNew] = stateIds_.try_emplace(key, Id(states_.size()));
  if (!isNew) return at->second;
  const sync::Context context = sync::contextOf(field);
  for (int number = 0; number < kWrites; ++number) {
    if (!context.covers(dotOf(number))) continue;
    state.covered = static_cast<std::uint16_t>(state.covered | 1U << unsigned(number));
  }
  states_.push_back(state);
  return isPruned(field, state) ? at->second : kBroken;
}

FieldStates::Id FieldStates::joined(Id state, Id write) {
  std::uint32_t& known = joins_[pairOf(state, write)];
  if (known != NumberMap::kNone) return known;
  sync::Record record = recordWith(field(state));
  const sync::Change change = writes_[write];
  join_(record, change, change.edits.front());
  const sync::Field* field = record.field(kField);
  known = stateOf(field == nullptr ? sync::Field{} : *field);
  return known;
}

FieldStates::Id FieldStates::merged(Id state, Id from) {
  const std::uint64_t key = pairOf(state, from);
  if (const Id known = merges_[key]; known != NumberMap::kNone) return known;
  const State& source = states_[from];
  const std::array<std::uint16_t, kWrites> writes = source.writes;
  const int count = source.count;
  Id forwards = state;
  Id backwards = state;
  for (int i = 0; i < count && forwards != kBroken; ++i) {
    forwards = joined(forwards, writes[std::size_t(i)]);
  }
  for (int i = count - 1; i >= 0 && backwards != kBroken; --i) {
    backwards = joined(backwards, writes[std::size_t(i)]);
  }
  Id result = forwards == backwards ? forwards : kBroken;
  for (int i = 0; i < count && result != kBroken; ++i) {
    if (joined(result, writes[std::size_t(i)]) != result) result = kBroken;
  }
  merges_[key] = result;
  return result;
}

}  // namespace waystation::model

#include "tests/model/model.h"

#include <algorithm>
#include <optional>

#include "crypto/hash.h"
#include "sync/deletion.h"
#include "sync/erasure.h"
#include "tests/model/histories.h"
#include "tests/support/sync_nodes.h"

namespace waystation::model {
namespace {

using sync::Change;
using sync::Record;

constexpr int kReplicas = 3;
constexpr int kMostPerReplica = 3;
constexpr int kWrites = kReplicas * kMostPerReplica;
constexpr sync::RecordId kRecord{99, 1};
constexpr const char* kPlain = "need";
constexpr const char* kCustody = "_custody";

using Set = std::uint16_t;  // of writes: bit 3 * replica + how many it had made before

constexpr std::array<const char*, kOperations.size()> kNames = {
    "writes unread", "edits",   "saves an older page",
    "hands over",    "deletes", "deletes what an older page shows",
    "restores",      "erases"};

enum class Target : std::uint8_t { kNone, kPlainField, kCustodyField, kDeletedField };

// What is known of a write without looking at any context.
struct Wrote {
  Target target = Target::kNone;
  Set read = 0;    // writes of the same field that its writer had read, with all that those had
  Set causes = 0;  // all writes that its replica had then
  bool deletes = false;
  Set covers = 0;  // of a deletion: writes of the plain field that the deleter had read

  bool sameField(const Wrote& other) const { return target == other.target; }
};

struct Replica {
  int made = 0;
  Set shown = 0;
  Set shownBefore = 0;  // on the older page
  Set known = 0;
  bool erased = false;
  std::shared_ptr<const Record> record;
  std::shared_ptr<const Record> before;
};

struct State {
  std::array<Replica, kReplicas> replicas;
  std::array<Wrote, kWrites> wrote;
  int spent = 0;  // operations, beyond those that the replicas have made
};

int idOf(int replica, int number) {
  return replica * kMostPerReplica + number;
}

Set bit(int id) {
  return static_cast<Set>(1U << static_cast<unsigned>(id));
}

template <typename Visit>
void each(Set set, Visit visit) {
  for (int id = 0; id < kWrites; ++id) {
    if ((set & bit(id)) != 0) visit(id);
  }
}

sync::Dot dotOf(int id) {
  return {static_cast<sync::ReplicaId>(id / kMostPerReplica + 1),
          static_cast<std::uint64_t>(id % kMostPerReplica + 1)};
}

int idOf(const sync::Dot& dot) {
  return idOf(static_cast<int>(dot.replica) - 1, static_cast<int>(dot.counter) - 1);
}

std::string_view fieldOf(Target target) {
  if (target == Target::kDeletedField) return sync::kDeletedField;
  return target == Target::kPlainField ? kPlain : kCustody;
}

// The real door of a node that holds a certificate of erasure for the record.
class ErasedDoor {
 public:
  ErasedDoor() : writer_(node_.connections().writer()), work_(node_.replica(), *writer_) {
    sync::eraseForGood(work_, node_.key(), "somebody", {kRecord});
  }
  bool letsIn(const Change& change) { return !sync::withoutErased(work_, change).edits.empty(); }

 private:
  testing::TestNode node_{"HQ", false, 1};
  storage::Connections::Lease writer_;
  sync::Work work_;
};

class Explorer {
 public:
  explicit Explorer(const Settings& settings) : settings_(settings) {
    Record born;
    born.id = kRecord;
    born.fields["_kind"] = {{{99, 1}, {}, "\"person\"", 1, "x@HQ"}};
    born_ = std::make_shared<const Record>(born);
    for (const Operation kind : settings.kinds) {
      hasHeadquarters_ =
          hasHeadquarters_ || kind == Operation::kHandOver || kind == Operation::kErase;
    }
  }

  Result run() {
    State first;
    for (Replica& replica : first.replicas) replica.record = replica.before = born_;
    visit(first, false);
    return result_;
  }

 private:
  // Everything that can happen next.
  void visit(const State& state, bool afterOperation) {
    if (result_.problems.size() >= settings_.problemsKept) return;
    if (!seen_.insert(canonical(state)).second) return;
    ++result_.states;
    int made = state.spent;
    for (const Replica& replica : state.replicas) made += replica.made;
    if (afterOperation && made == settings_.operations) joinInEveryOrder(state);
    for (int at = 0; at < kReplicas; ++at) {
      const Replica& replica = state.replicas[std::size_t(at)];
      if (made < settings_.operations && replica.made < settings_.perReplica) {
        for (const Operation operation : settings_.kinds) operate(state, at, operation);
      }
      for (int to = 0; to < kReplicas; ++to) {
        if (to != at) deliver(state, at, to);
      }
    }
  }

  void operate(const State& state, int at, Operation operation);
  void erase(const State& state, int at);
  void becomeErased(Replica& replica);
  void deliverToErased(const State& state, int from, int to);
  void checkDoor(const Change& change);
  void deliver(const State& state, int from, int to);
  void joinInEveryOrder(const State& state);
  void deliverLate(const State& state);
  void check(const State& state, int at);
  void checkDeletion(const State& state, int id, const sync::Sibling& sibling, Set live);
  void step(const State& state, int changed, const std::string& what, bool isOperation);
  std::string canonical(const State& state) const;
  std::string keyOf(const State& state, const std::array<int, kReplicas>& as) const;
  void problem(const std::string& what);
  Change made(const State& state, int at, Operation operation, const Wrote& wrote);
  bool join(Record& record, const Change& change) {
    return settings_.join(record, change, change.edits.front());
  }

  const Settings& settings_;
  std::shared_ptr<const Record> born_;
  bool hasHeadquarters_ = false;
  ErasedDoor door_;
  Set askedAtDoor_ = 0;
  Result result_;
  std::unordered_set<std::string> seen_;
  std::vector<std::string> path_;
  std::vector<Change> log_;
};

void Explorer::problem(const std::string& what) {
  std::string text = what + " after:";
  for (const std::string& step : path_) text += "\n    " + step;
  if (result_.problems.size() < settings_.problemsKept) result_.problems.push_back(text);
}

// All that a reader of these writes has read of their field.
Set readWith(const State& state, Set shown, Target field) {
  Set all = 0;
  each(shown, [&](int id) {
    const Wrote& wrote = state.wrote[std::size_t(id)];
    if (wrote.target == field) all = static_cast<Set>(all | bit(id) | wrote.read);
  });
  return all;
}

// What the sets say of a record that shows these writes: every deletion stands unrestored, and one
// of them has read all that is shown.
bool isHiddenIn(const State& state, Set shown) {
  Set plain = 0;
  bool hides = false;
  bool isRestored = false;
  each(shown, [&](int id) {
    const Wrote& wrote = state.wrote[std::size_t(id)];
    if (wrote.target == Target::kPlainField) plain = static_cast<Set>(plain | bit(id));
    if (wrote.target == Target::kDeletedField) isRestored = isRestored || !wrote.deletes;
  });
  each(shown, [&](int id) {
    const Wrote& wrote = state.wrote[std::size_t(id)];
    hides = hides || (wrote.deletes && (plain & ~wrote.covers) == 0);
  });
  return hides && !isRestored;
}

// Of the record nothing is left, and nobody at this replica can write to it again.
void Explorer::becomeErased(Replica& replica) {
  replica.erased = true;
  replica.shown = replica.shownBefore = replica.known = 0;
  replica.made = settings_.perReplica;
  replica.record = replica.before = born_;
}

void Explorer::erase(const State& state, int at) {
  if (at != 0) return;
  State next = state;
  becomeErased(next.replicas[0]);
  next.spent = state.spent + 1 + state.replicas[0].made - settings_.perReplica;
  for (const Change& change : log_) checkDoor(change);
  step(next, at, "replica 0 erases", true);
}

// The door judges by the record alone: each change is asked once.
void Explorer::checkDoor(const Change& change) {
  const Set asked = bit(idOf(change.dot));
  if ((askedAtDoor_ & asked) != 0) return;
  askedAtDoor_ = static_cast<Set>(askedAtDoor_ | asked);
  if (door_.letsIn(change)) problem("a change of an erased record is let in");
}

// A certificate travels with whatever else a node has to say, and wins over all of it.
void Explorer::deliverToErased(const State& state, int from, int to) {
  if (state.replicas[std::size_t(to)].erased) {
    for (const Change& change : sync::prunedChanges(*state.replicas[std::size_t(from)].record)) {
      if (change.dot.replica != kRecord.replica) checkDoor(change);
    }
    return;
  }
  State next = state;
  const int made = state.replicas[std::size_t(to)].made;
  becomeErased(next.replicas[std::size_t(to)]);
  next.spent = state.spent + made - settings_.perReplica;
  step(next, to, "replica " + std::to_string(to) + " hears of the erasure", false);
}

void Explorer::operate(const State& state, int at, Operation operation) {
  if (operation == Operation::kErase) return erase(state, at);
  const Replica& now = state.replicas[std::size_t(at)];
  Wrote wrote;
  switch (operation) {
    case Operation::kWrite:
      wrote.target = Target::kPlainField;
      break;
    case Operation::kEdit:
      wrote = {Target::kPlainField, readWith(state, now.shown, Target::kPlainField)};
      if (wrote.read == 0) return;  // the same as a write unread
      break;
    case Operation::kStale:
      if (now.shownBefore == now.shown) return;
      wrote = {Target::kPlainField, readWith(state, now.shownBefore, Target::kPlainField)};
      if (wrote.read == 0) return;
      break;
    case Operation::kHandOver:
      if (at != 0) return;
      wrote = {Target::kCustodyField, readWith(state, now.shown, Target::kCustodyField)};
      break;
    case Operation::kDeleteStale:
      if (now.shownBefore == now.shown) return;
      [[fallthrough]];
    case Operation::kDelete: {
      if (isHiddenIn(state, now.shown)) return;
      const Set page = operation == Operation::kDelete ? now.shown : now.shownBefore;
      wrote = {Target::kDeletedField, readWith(state, page, Target::kDeletedField)};
      wrote.deletes = true;
      wrote.covers = readWith(state, page, Target::kPlainField);
      break;
    }
    case Operation::kErase:
      return;
    case Operation::kRestore: {
      Set deletions = 0;
      each(now.shown, [&](int id) {
        if (state.wrote[std::size_t(id)].deletes) deletions = static_cast<Set>(deletions | bit(id));
      });
      if (deletions == 0) return;
      wrote = {Target::kDeletedField, readWith(state, now.shown, Target::kDeletedField)};
      break;
    }
  }
  const int id = idOf(at, now.made);
  // A save covers those writes of its own replica, too, that had been replaced there before.
  for (int number = 0; number < now.made; ++number) {
    const int own = idOf(at, number);
    const bool isGone =
        state.wrote[std::size_t(own)].sameField(wrote) && (now.shown & bit(own)) == 0;
    if (isGone) wrote.read = static_cast<Set>(wrote.read | bit(own));
  }
  wrote.causes = now.known;
  State next = state;
  Replica& replica = next.replicas[std::size_t(at)];
  next.wrote[std::size_t(id)] = wrote;
  const Change change = made(state, at, operation, wrote);
  Record record = *now.record;
  join(record, change);
  replica.before = now.record;
  replica.shownBefore = now.shown;
  replica.record = std::make_shared<const Record>(std::move(record));
  replica.shown = static_cast<Set>((now.shown & ~wrote.read) | bit(id));
  replica.known = static_cast<Set>(now.known | bit(id));
  ++replica.made;
  log_.push_back(change);
  step(next, at, "replica " + std::to_string(at) + " " + kNames.at(std::size_t(operation)), true);
  log_.pop_back();
}

// The change that the engine makes of it.
Change Explorer::made(const State& state, int at, Operation operation, const Wrote& wrote) {
  const Replica& now = state.replicas[std::size_t(at)];
  const int id = idOf(at, now.made);
  const std::string field(fieldOf(wrote.target));
  const bool isOlderPage = operation == Operation::kStale || operation == Operation::kDeleteStale;
  const Record& page = isOlderPage ? *now.before : *now.record;
  const sync::Field* read = operation == Operation::kWrite ? nullptr : page.field(field);
  std::string value = "\"" + std::to_string(id) + "\"";
  if (wrote.target == Target::kDeletedField) {
    value = wrote.deletes ? sync::deletionValue(sync::contextsOf(page)) : sync::kNotDeleted;
  }
  sync::Context seen = seenOf(read == nullptr ? sync::Context{} : sync::contextOf(*read),
                              now.record->field(field), dotOf(id).replica);
  if (settings_.plainVectors) {
    sync::Context plain;
    for (const sync::Context::Entry& entry : seen.entries()) {
      plain.add({entry.replica, entry.upTo, {}});
    }
    seen = plain;
  }
  return {dotOf(id), std::uint64_t(id + 1), "x@HQ", {{kRecord, {{field, seen, value}}}}};
}

void Explorer::deliver(const State& state, int from, int to) {
  const Replica& source = state.replicas[std::size_t(from)];
  const Replica& target = state.replicas[std::size_t(to)];
  if (source.erased || target.erased) return deliverToErased(state, from, to);
  if (source.shown == target.shown) return;
  Set there = 0;
  each(target.shown,
       [&](int id) { there = static_cast<Set>(there | state.wrote[std::size_t(id)].read); });
  Set here = 0;
  each(source.shown,
       [&](int id) { here = static_cast<Set>(here | state.wrote[std::size_t(id)].read); });
  const Set shown = static_cast<Set>((source.shown & ~there) | (target.shown & ~here));
  const std::vector<Change> changes = sync::prunedChanges(*source.record);
  Record forwards = *target.record;
  Record backwards = *target.record;
  for (const Change& change : changes) join(forwards, change);
  for (auto change = changes.rbegin(); change != changes.rend(); ++change) join(backwards, *change);
  const std::string bytes = sync::encodeState(forwards);
  if (bytes != sync::encodeState(backwards)) problem("the order of pruned changes matters");
  for (const Change& change : changes) {
    if (join(forwards, change)) problem("a pruned change that came twice changes the record");
  }
  State next = state;
  Replica& replica = next.replicas[std::size_t(to)];
  if (shown != target.shown) {
    replica.before = target.record;
    replica.shownBefore = target.shown;
  }
  replica.shown = shown;
  replica.known = static_cast<Set>(source.known | target.known);
  replica.record = std::make_shared<const Record>(std::move(forwards));
  step(next, to, "replica " + std::to_string(to) + " takes over from " + std::to_string(from),
       false);
}

void Explorer::step(const State& state, int changed, const std::string& what, bool isOperation) {
  ++result_.steps;
  path_.push_back(what);
  check(state, changed);
  deliverLate(state);
  visit(state, isOperation);
  path_.pop_back();
}

// The record shows the writes that the sets say, each covering what its writer had read and nothing
// else that is still shown anywhere.
void Explorer::check(const State& state, int at) {
  const Replica& replica = state.replicas[std::size_t(at)];
  Set live = 0;
  for (const Replica& one : state.replicas)
    live = static_cast<Set>(live | one.shown | one.shownBefore);
  Set shown = 0;
  for (const auto& [name, field] : replica.record->fields) {
    if (name == "_kind") continue;
    for (const sync::Sibling& sibling : field) {
      const int id = idOf(sibling.dot);
      shown = static_cast<Set>(shown | bit(id));
      const Wrote& wrote = state.wrote[std::size_t(id)];
      each(live, [&](int other) {
        if (other == id || !wrote.sameField(state.wrote[std::size_t(other)])) return;
        if (sibling.replaces(dotOf(other)) != ((wrote.read & bit(other)) != 0)) {
          problem("a context covers what was not read, or does not cover what was");
        }
      });
      if (wrote.deletes) checkDeletion(state, id, sibling, live);
    }
  }
  if ((replica.shown & ~shown) != 0) problem("a sibling is lost");
  if ((shown & ~replica.shown) != 0) problem("a sibling is resurrected");
  if (settings_.isHidden(*replica.record) != isHiddenIn(state, replica.shown)) {
    problem("a record is hidden that should be seen, or seen though it was deleted");
  }
}

// A deletion names what its writer had read and nothing else that is still shown anywhere.
void Explorer::checkDeletion(const State& state, int id, const sync::Sibling& sibling, Set live) {
  const std::optional<sync::ReadContexts> told = sync::deletionOf(sibling.value);
  if (!told) {
    problem("a deletion is none");
    return;
  }
  const auto context = told->find(kPlain);
  const Set covers = state.wrote[std::size_t(id)].covers;
  each(live, [&](int other) {
    if (state.wrote[std::size_t(other)].target != Target::kPlainField) return;
    const bool isTold = context != told->end() && context->second.covers(dotOf(other));
    if (isTold != ((covers & bit(other)) != 0)) {
      problem("a deletion covers what was not read, or does not cover what was");
    }
  });
}

// Each change ever made comes once more to each replica, where that has it, has it not yet, or had
// it once.
void Explorer::deliverLate(const State& state) {
  for (const Replica& replica : state.replicas) {
    for (const Change& change : log_) {
      if (replica.erased) {
        checkDoor(change);
        continue;
      }
      const int id = idOf(change.dot);
      const Wrote& wrote = state.wrote[std::size_t(id)];
      Set read = 0;
      each(replica.shown, [&](int other) {
        read = static_cast<Set>(read | state.wrote[std::size_t(other)].read);
      });
      Set expected = replica.shown;
      if ((read & bit(id)) == 0) expected = static_cast<Set>((expected & ~wrote.read) | bit(id));
      Record record = *replica.record;
      join(record, change);
      Set shown = 0;
      for (const auto& [name, field] : record.fields) {
        if (name == "_kind") continue;
        for (const sync::Sibling& sibling : field)
          shown = static_cast<Set>(shown | bit(idOf(sibling.dot)));
      }
      if (shown != expected) problem("a change that comes late does what it should not");
      ++result_.lateChanges;
    }
  }
}

// Joins the changes of the story in every order: of each subset there is one state, whichever of
// its changes came last.
void Explorer::joinInEveryOrder(const State& state) {
  const std::size_t count = log_.size();
  std::vector<std::optional<Record>> bySubset(std::size_t{1} << count);
  bySubset[0] = *born_;
  std::vector<std::uint64_t> orders(bySubset.size());  // that lead to it
  orders[0] = 1;
  for (std::size_t subset = 1; subset < bySubset.size(); ++subset) {
    Set has = 0;
    Set wants = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if ((subset >> i & 1) == 0) continue;
      const int id = idOf(log_[i].dot);
      has = static_cast<Set>(has | bit(id));
      wants = static_cast<Set>(wants | state.wrote[std::size_t(id)].causes);
    }
    if ((wants & ~has) != 0) continue;  // a change never comes before its causes for good
    std::string bytes;
    for (std::size_t last = 0; last < count; ++last) {
      if ((subset >> last & 1) == 0) continue;
      const std::optional<Record>& without = bySubset[subset & ~(std::size_t{1} << last)];
      if (!without) continue;
      orders[subset] += orders[subset & ~(std::size_t{1} << last)];
      Record record = *without;
      join(record, log_[last]);
      const std::string now = sync::encodeState(record);
      if (!bytes.empty() && now != bytes) problem("the order of changes matters");
      bytes = now;
      bySubset[subset] = std::move(record);
    }
  }
  result_.orders += orders.back();
}

std::string Explorer::keyOf(const State& state, const std::array<int, kReplicas>& as) const {
  Set live = 0;
  for (const Replica& one : state.replicas)
    live = static_cast<Set>(live | one.shown | one.shownBefore);
  const auto renamed = [&](Set set) {
    unsigned all = 0;
    each(static_cast<Set>(set & live), [&](int id) {
      all |= bit(idOf(as[std::size_t(id / kMostPerReplica)], id % kMostPerReplica));
    });
    return all;
  };
  std::string key(std::size_t(kReplicas * 5 + kWrites * 5 + 1), '\0');
  key.back() = static_cast<char>(state.spent);
  const auto put = [&](std::size_t place, unsigned set) {
    key[place] = static_cast<char>(set & 0xff);
    key[place + 1] = static_cast<char>(set >> 8U);
  };
  for (int r = 0; r < kReplicas; ++r) {
    const Replica& replica = state.replicas[std::size_t(r)];
    const auto place = static_cast<std::size_t>(as[std::size_t(r)]) * 5;
    key[place] = static_cast<char>(replica.made + (replica.erased ? 16 : 0));
    put(place + 1, renamed(replica.shown));
    put(place + 3, renamed(replica.shownBefore));
  }
  each(live, [&](int id) {
    const Wrote& wrote = state.wrote[std::size_t(id)];
    const auto named =
        std::size_t(idOf(as[std::size_t(id / kMostPerReplica)], id % kMostPerReplica));
    const std::size_t place = kReplicas * 5 + named * 5;
    key[place] = static_cast<char>(2 * static_cast<int>(wrote.target) + (wrote.deletes ? 1 : 0));
    put(place + 1, renamed(wrote.read));
    put(place + 3, renamed(wrote.covers));
  });
  return key;
}

// Replica 0 is headquarters; the others may change names, and all where it is like them.
std::string Explorer::canonical(const State& state) const {
  std::string key = std::min(keyOf(state, {0, 1, 2}), keyOf(state, {0, 2, 1}));
  if (!hasHeadquarters_) {
    for (const std::array<int, kReplicas>& as :
         {std::array{1, 0, 2}, std::array{1, 2, 0}, std::array{2, 0, 1}, std::array{2, 1, 0}}) {
      key = std::min(key, keyOf(state, as));
    }
  }
  return std::string(crypto::view(crypto::sha256(key)).substr(0, 16));
}

}  // namespace

sync::Context seenOf(const sync::Context& read, const sync::Field* field, sync::ReplicaId replica) {
  sync::Context seen;
  std::vector<std::uint64_t> unread;
  for (const sync::Context::Entry& entry : read.entries()) {
    if (entry.replica != replica) seen.add(entry);
    if (entry.replica == replica) unread = entry.except;
  }
  if (field != nullptr) {
    for (const sync::Sibling& sibling : *field) {
      const bool isUnread = sibling.dot.replica == replica && !read.covers(sibling.dot);
      if (isUnread) unread.push_back(sibling.dot.counter);
    }
  }
  std::sort(unread.begin(), unread.end());
  unread.erase(std::unique(unread.begin(), unread.end()), unread.end());
  if (!unread.empty()) seen.add({replica, unread.back(), unread});
  return seen;
}

Result explored(const Settings& settings) {
  return Explorer(settings).run();
}

}  // namespace waystation::model

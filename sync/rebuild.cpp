// A record as the journal says it is: what mends a state that was altered behind the store's back.

#include <algorithm>
#include <map>
#include <utility>

#include "crypto/failure.h"
#include "sync/deletion.h"
#include "sync/healing.h"
#include "sync/replica.h"
#include "sync/scopes.h"

namespace waystation::sync {
namespace {

constexpr int kAllEntries = 1'000'000;
constexpr int kAllRecords = 1'000'000;

// One write to a field, named.
using WriteName = std::pair<Dot, std::string>;

struct Witness {
  Sibling sibling;
  std::int64_t seq = 0;
};
using Witnesses = std::map<WriteName, Witness>;

std::optional<Record> readState(const RecordId& id, std::string_view state) {
  try {
    return decodeState(id, state);
  } catch (const Failure&) {
    return std::nullopt;
  }
}

bool equal(const Sibling& a, const Sibling& b) {
  return a.dot == b.dot && a.seen == b.seen && a.value == b.value && a.time == b.time &&
         a.author == b.author;
}

// Whether an entry is what this node chained when it made or received it.
bool isIntact(storage::Store& store, const storage::JournalRow& entry) {
  const std::optional<storage::UpwardRow> link = store.upwardOfSeq(entry.seq);
  return !link || link->salt.empty() || linkDigest(link->salt, entry.body) == link->digest;
}

void addWitnesses(const Change& change, const RecordId& id, std::int64_t seq,
                  Witnesses& witnesses) {
  for (const Edit& edit : change.edits) {
    if (edit.record != id) continue;
    for (const Write& write : edit.writes) {
      const Sibling sibling{change.dot, write.seen, write.value, change.time, change.author};
      witnesses.try_emplace({change.dot, write.field}, Witness{sibling, seq});
    }
  }
}

Witnesses readJournal(storage::Store& store, const storage::RecordRow& row, const RecordId& id) {
  Witnesses witnesses;
  for (const storage::JournalRow& entry : store.journalOfRecord(row.row, INT64_MAX, kAllEntries)) {
    if (!isIntact(store, entry)) continue;
    try {
      addWitnesses(decodeChange(entry.body), id, entry.seq, witnesses);
    } catch (const Failure&) {
      // A damaged body witnesses nothing.
    }
  }
  return witnesses;
}

Record joined(const RecordId& id, const Witnesses& witnesses) {
  Record record;
  record.id = id;
  for (const auto& [name, witness] : witnesses) {
    joinSibling(record.fields[name.second], witness.sibling);
  }
  return record;
}

// What the state holds and no entry speaks of stays: a lost entry must not take it along.
void keepUnwitnessed(const std::optional<Record>& stored, const Witnesses& witnesses,
                     Record& record) {
  if (!stored) return;
  for (const auto& [name, field] : stored->fields) {
    for (const Sibling& sibling : field) {
      if (!witnesses.contains({sibling.dot, name})) joinSibling(record.fields[name], sibling);
    }
  }
}

// What the hub holds takes the place of what is here under the same name, but for this node's own
// writes, which its chain proves.
void trust(storage::Store& store, const std::vector<Change>& trusted, const storage::RecordRow& row,
           const RecordId& id, const std::optional<Record>& stored, Witnesses& witnesses) {
  Witnesses theirs;
  for (const Change& change : trusted) addWitnesses(change, id, 0, theirs);
  for (auto& [name, witness] : theirs) {
    const auto mine = witnesses.find(name);
    if (mine == witnesses.end()) {
      if (!stored) witnesses.emplace(name, std::move(witness));
      continue;
    }
    if (equal(mine->second.sibling, witness.sibling) || store.incarnation(name.first.replica)) {
      continue;
    }
    store.unlinkRecord(row.row, mine->second.seq);
    mine->second = std::move(witness);
  }
}

}  // namespace

bool Work::putRebuilt(storage::RecordRow row, const Record& record) {
  const std::string state = encodeState(record);
  const bool isSame = state == row.state && record.kind() == row.kind &&
                      record.root().bytes() == row.root && record.conflicts() == row.conflicts &&
                      isHidden(record) == row.hidden;
  if (isSame) return false;
  row.state = state;
  row.kind = record.kind();
  row.root = record.root().bytes();
  row.conflicts = record.conflicts();
  row.hidden = isHidden(record);
  store_.putRecord(row);
  if (replica_.settings_.projection) replica_.settings_.projection(store_, row.row, &record);
  return true;
}

bool Work::rebuild(const RecordId& id, const std::vector<Change>& trusted) {
  const std::optional<storage::RecordRow> row = store_.record(id.bytes());
  if (!row) return false;
  const std::optional<Record> stored = readState(id, row->state);
  Witnesses witnesses = readJournal(store_, *row, id);
  trust(store_, trusted, *row, id, stored, witnesses);
  Record record = joined(id, witnesses);
  keepUnwitnessed(stored, witnesses, record);
  if (!record.isBorn() || !putRebuilt(*row, record)) return false;
  resum(row->root);
  if (record.root().bytes() != row->root) resum(record.root().bytes());
  return true;
}

void Work::resum(std::string_view root) {
  scopesMoved_ = true;
  StateSum sum{};
  std::int64_t count = 0;
  for (const storage::RecordRow& row : store_.recordsOfRoot(root, "", kAllRecords)) {
    Record record;
    record.id = RecordId::fromBytes(row.id);
    addTo(sum, stateHash(record, row.state));
    ++count;
  }
  if (count == 0) {
    store_.removeRoot(root);
    return;
  }
  storage::RootRow row = store_.root(root).value_or(storage::RootRow{"", "", "", 0});
  row.digest = sumBytes(sum);
  row.records = count;
  const RecordId id = RecordId::fromBytes(root);
  const std::optional<storage::RecordRow> head = store_.record(root);
  if (head) {
    if (const std::optional<Record> record = readState(id, head->state)) describeRoot(*record, row);
  }
  store_.putRoot(root, row);
}

std::size_t Work::mendRoot(std::string_view root) {
  const std::optional<storage::RootRow> noted = store_.root(root);
  std::vector<std::pair<storage::RecordRow, Record>> strict;
  std::vector<std::pair<storage::RecordRow, Record>> careful;
  StateSum strictSum{};
  for (storage::RecordRow& row : store_.recordsOfRoot(root, "", kAllRecords)) {
    const RecordId id = RecordId::fromBytes(row.id);
    const Witnesses witnesses = readJournal(store_, row, id);
    Record record = joined(id, witnesses);
    addTo(strictSum, stateHash(record, encodeState(record)));
    strict.emplace_back(row, record);
    keepUnwitnessed(readState(id, row.state), witnesses, record);
    careful.emplace_back(std::move(row), std::move(record));
  }
  // Where the journal alone gives the sum that was noted, it is the whole truth.
  const bool journalIsAll = noted && noted->digest == sumBytes(strictSum);
  std::size_t mended = 0;
  for (const auto& [row, record] : journalIsAll ? strict : careful) {
    if (record.isBorn() && putRebuilt(row, record)) ++mended;
  }
  resum(root);
  return mended;
}

std::size_t checkSomeRoots(Work& work, std::size_t records) {
  std::string& cursor = work.replica().checkedUpTo();
  const std::string from = cursor;
  std::map<std::string, std::pair<StateSum, std::int64_t>> sums;
  std::size_t count = 0;
  bool toTheEnd = true;
  work.store().eachStateByRoot(
      from, [&](std::string_view root, std::string_view id, std::string_view state) {
        if (count >= records && root != cursor) {
          toTheEnd = false;
          return false;
        }
        cursor = root;
        auto& [sum, number] = sums[cursor];
        addTo(sum, stateHash({RecordId::fromBytes(id), {}}, state));
        ++number;
        ++count;
        return true;
      });
  if (toTheEnd) {
    cursor.clear();
    work.forgetScopeSums();  // the digests are read anew as well
  }
  std::vector<std::string> damaged;
  for (const auto& [id, row] : work.store().rootsBetween(from, cursor)) {
    const auto found = sums.find(id);
    const bool fits = found != sums.end() && sumBytes(found->second.first) == row.digest &&
                      found->second.second == row.records;
    if (!fits) damaged.push_back(id);
    if (found != sums.end()) sums.erase(found);
  }
  for (const auto& [id, sum] : sums) damaged.push_back(id);
  storage::HealingRow healing;
  healing.peer = kStorePeer;
  healing.foundMs = work.replica().clock().nowMs();
  for (const std::string& root : damaged) {
    healing.damaged += static_cast<std::int64_t>(std::max<std::size_t>(work.mendRoot(root), 1));
  }
  healing.agreedMs = healing.foundMs;  // with itself; whether with others, the next exchange says
  if (!damaged.empty()) work.store().putHealing(healing);
  return damaged.size();
}

}  // namespace waystation::sync

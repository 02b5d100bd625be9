#include "sync/healing.h"

#include <algorithm>
#include <map>

#include "crypto/failure.h"
#include "sync/admission.h"
#include "sync/byte_stream.h"
#include "sync/erasure.h"
#include "sync/quarantine.h"
#include "sync/returned.h"
#include "sync/scopes.h"

namespace waystation::sync {
namespace {

// In `meta`, at a leaf: string(comparison, or empty) string(wanted ids) string(ids to send).
constexpr std::string_view kNextKey = "healing.next";
// In `meta`, at a hub, per leaf: varint(beginning of the hour) varint(steps in it). A leaf that
// never agrees, or does not want to, costs no more than these.
constexpr std::string_view kStepsKey = "healing.steps.";
constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::uint64_t kMostStepsAnHour = 64;
constexpr std::uint64_t kStepsOfBeginning = 12;  // so that what can't be mended is tried rarely

constexpr std::size_t kMostBytes = 512 * 1024;
constexpr std::size_t kFrameBytes = 256 * 1024;
constexpr int kMostQuarantined = 500;

storage::HealingRow newHealing(Work& work, std::string_view peer) {
  storage::HealingRow row;
  row.peer = peer;
  row.foundMs = work.replica().clock().nowMs();
  return row;
}

// Adds to the healing that was begun last: its last word may come after both have agreed.
void note(Work& work, std::string_view peer, const HealingCounts& counts) {
  std::optional<storage::HealingRow> row = work.store().lastHealing(peer);
  if (!row) row = newHealing(work, peer);
  row->damaged += static_cast<std::int64_t>(counts.damaged);
  row->received += static_cast<std::int64_t>(counts.received);
  row->sent += static_cast<std::int64_t>(counts.sent);
  row->refused += static_cast<std::int64_t>(counts.refused);
  work.store().putHealing(*row);
}

StateSum hashOf(const RecordId& id, std::string_view state) {
  Record record;
  record.id = id;
  return stateHash(record, state);
}

std::optional<Record> readable(Work& work, const RecordId& id) {
  try {
    return work.record(id);
  } catch (const Failure&) {
    return std::nullopt;
  }
}

std::optional<Change> readableChange(std::string_view body) {
  try {
    return decodeChange(body);
  } catch (const Failure&) {
    return std::nullopt;
  }
}

using Records = std::map<RecordId, Record>;

// Whether the leaf only carried the change, for a guest of its own, and has joined nothing of it.
bool isPassenger(const storage::LeafRow& leaf, const storage::QuarantineRow& row,
                 const Change& change) {
  return row.proof.seal != 0 && !standsFor(leaf, officeOf(change.author));
}

// Records as the leaf holds them, with its changes that were not let in here.
std::optional<Records> quarantinedRecords(Work& work, const storage::LeafRow& leaf) {
  Records records;
  storage::Store& store = work.store();
  if (!store.hasQuarantine(leaf.name)) return records;
  const std::vector<storage::QuarantineRow> rows = store.quarantine(kMostQuarantined + 1);
  if (rows.size() > kMostQuarantined) return std::nullopt;
  // What this node has let go of itself it can only tell by what it told the leaf of it.
  const std::vector<std::string> left = store.releasingOrReleased(leaf.leaf);
  const auto isAtLeaf = [&](const std::string& root) {
    if (store.root(root)) return store.inScope(leaf.leaf, root);
    return std::find(left.begin(), left.end(), root) == left.end();
  };
  for (auto row = rows.rbegin(); row != rows.rend(); ++row) {
    if (row->leaf != leaf.name || !row->isOpen()) continue;
    const std::optional<Change> read = readableChange(row->body);
    if (!read) return std::nullopt;
    const Change& change = *read;
    if (isPassenger(leaf, *row, change)) continue;
    for (const Edit& edit : change.edits) {
      Record record = records.contains(edit.record)
                          ? records[edit.record]
                          : readable(work, edit.record).value_or(Record{edit.record, {}});
      joinEdit(record, change, edit);
      if (!record.isBorn()) continue;
      if (isAtLeaf(record.root().bytes())) records[edit.record] = std::move(record);
    }
  }
  return records;
}

ItemSet itemsOfScope(Work& work, const storage::LeafRow& leaf) {
  const Records aside = quarantinedRecords(work, leaf).value_or(Records{});
  std::vector<Item> items;
  for (const auto& [id, record] : aside) items.push_back({id, hashOf(id, encodeState(record))});
  work.store().eachStateInScope(leaf.leaf, [&](std::string_view bytes, std::string_view state) {
    const RecordId id = RecordId::fromBytes(bytes);
    if (!aside.contains(id)) items.push_back({id, hashOf(id, state)});
  });
  return ItemSet(std::move(items));
}

ItemSet itemsHeld(Work& work) {
  std::vector<Item> items;
  work.store().eachStateHeld([&](std::string_view bytes, std::string_view state) {
    const RecordId id = RecordId::fromBytes(bytes);
    items.push_back({id, hashOf(id, state)});
  });
  return ItemSet(std::move(items));
}

// The reply to a comparison, once the records that differ are what the journal says here: most
// often that alone makes them equal again.
template <typename MakeItems>
ItemSet::Reply replyTo(Work& work, const Comparison& theirs, const MakeItems& items,
                       HealingCounts& counts) {
  ItemSet::Reply reply = items().reply(theirs);
  std::size_t rebuilt = 0;
  for (const std::vector<RecordId>* ids : {&reply.send, &reply.want}) {
    for (const RecordId& id : *ids) rebuilt += work.rebuild(id) ? 1 : 0;
  }
  counts.damaged += rebuilt;
  return rebuilt == 0 ? reply : items().reply(theirs);
}

// The records' pruned changes, in frames; of one that is not here or may not be sent, nothing.
template <typename MaySend>
std::string stateFrames(Work& work, std::vector<RecordId> ids, const MaySend& maySend,
                        HealingCounts& counts) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  std::string frames;
  std::vector<Change> changes;
  std::size_t total = 0;
  std::size_t bytes = 0;
  const auto flush = [&] {
    if (!changes.empty()) frames += encodeFrame(FrameType::kHealing, encodeHealing(changes));
    changes.clear();
    bytes = 0;
  };
  for (const RecordId& id : ids) {
    const std::optional<Record> record = readable(work, id);
    if (!record || total > kMostBytes || !maySend(*record)) continue;
    for (Change& change : prunedChanges(*record)) {
      const std::size_t size = encodeChange(change).size();
      if (bytes + size > kFrameBytes) flush();
      bytes += size;
      total += size;
      changes.push_back(std::move(change));
    }
    ++counts.sent;
  }
  flush();
  return frames;
}

std::string talkFrames(const Comparison& comparison, const std::vector<RecordId>& want) {
  std::string frames;
  if (!comparison.empty()) {
    frames += encodeFrame(FrameType::kCompare, encodeComparison(comparison));
  }
  if (!want.empty()) frames += encodeFrame(FrameType::kWanted, encodeIds(want));
  return frames;
}

// Whether an entry of the journal holds the edit, or all of its writes that have survived.
bool isWitnessed(storage::Store& store, const Change& change, const Edit& edit) {
  for (const storage::JournalRow& row :
       store.journalOfDot(change.dot.replica, change.dot.counter)) {
    const Change known = decodeChange(row.body);
    for (const Edit& other : known.edits) {
      if (other.record != edit.record || known.author != change.author) continue;
      const bool all = std::all_of(edit.writes.begin(), edit.writes.end(), [&](const Write& write) {
        return std::find(other.writes.begin(), other.writes.end(), write) != other.writes.end();
      });
      if (all && known.time == change.time) return true;
    }
  }
  return false;
}

// The same door as for changes of the chain; what the journal holds already was let in before.
void letIn(Work& work, const storage::LeafRow& leaf, const Change& change, HealingCounts& counts) {
  storage::Store& store = work.store();
  if (withoutErased(work, change).edits.empty()) return;
  const std::optional<storage::RecordRow> row = store.record(change.edits.front().record.bytes());
  if (row && !store.inScope(leaf.leaf, row->root)) {
    tellToLeave(work, leaf.leaf, row->root);
    return;
  }
  const auto chain = store.chain(leaf.leaf, change.dot.replica);
  const Dot link{change.dot.replica, chain ? chain->number : 0};
  Judgement judgement;
  if (!isWitnessed(store, change, change.edits.front())) {
    judgement =
        chain ? judge(work, leaf, link, change) : Judgement{"replica-is-foreign", std::nullopt};
  }
  if (judgement.letsIn()) {
    work.apply(change, leaf.leaf);
    ++counts.received;
    return;
  }
  ++counts.refused;
  if (store.isQuarantined(encodeChange(change))) return;
  keepAside(work, leaf, link, change, judgement);
}

bool takeSteps(Work& work, const storage::LeafRow& leaf, std::uint64_t wanted) {
  const std::string key = std::string(kStepsKey) + std::to_string(leaf.leaf);
  const auto now = static_cast<std::uint64_t>(work.replica().clock().nowMs());
  std::uint64_t begun = now;
  std::uint64_t steps = 0;
  if (const std::optional<std::string> kept = work.store().meta(key)) {
    ByteReader reader(*kept);
    begun = reader.varint();
    steps = reader.varint();
  }
  if (now < begun || now - begun > kHourMs) {
    begun = now;
    steps = 0;
  }
  if (steps + wanted > kMostStepsAnHour) return false;
  ByteWriter writer;
  writer.varint(begun);
  writer.varint(steps + wanted);
  work.store().setMeta(key, writer.bytes());
  return true;
}

// What the hub says of a record stands against what is here, but for this node's own writes.
void takeOver(Work& work, const std::vector<Change>& changes, HealingCounts& counts) {
  std::map<RecordId, std::vector<Change>> byRecord;
  for (const Change& change : changes) {
    byRecord[change.edits.front().record].push_back(change);
  }
  for (const auto& [id, words] : byRecord) {
    if (work.rebuild(id, words)) ++counts.damaged;
    for (const Change& change : words) {
      work.apply(change, 0);
      ++counts.received;
    }
  }
}

}  // namespace

bool HealingWords::take(const Frame& frame) {
  switch (frame.type) {
    case FrameType::kCompare:
      comparison = decodeComparison(frame.payload);
      return true;
    case FrameType::kWanted:
      wanted = decodeIds(frame.payload);
      return true;
    case FrameType::kHealing:
      for (Change& change : decodeHealing(frame.payload)) {
        if (change.edits.size() != 1) {
          throw Failure("sync.malformed", "A sync message can't be read: a record is not alone.");
        }
        changes.push_back(std::move(change));
      }
      return true;
    default:
      return false;
  }
}

std::optional<StateSum> expectedSum(Work& work, const storage::LeafRow& leaf) {
  const std::optional<Records> aside = quarantinedRecords(work, leaf);
  if (!aside) return std::nullopt;
  StateSum sum = work.scopeSum(leaf.leaf);
  for (const auto& [id, record] : *aside) {
    if (const std::optional<storage::RecordRow> row = work.store().record(id.bytes())) {
      subtractFrom(sum, hashOf(id, row->state));
    }
    addTo(sum, hashOf(id, encodeState(record)));
  }
  return sum;
}

bool noteAgreement(Work& work, std::string_view peer, Agreement agreement) {
  if (agreement == Agreement::kNotCompared) return false;
  std::optional<storage::HealingRow> last = work.store().lastHealing(peer);
  const bool isOpen = last && last->agreedMs == 0;
  if (isOpen == (agreement == Agreement::kDiffer)) return false;
  if (agreement == Agreement::kDiffer) {
    work.store().putHealing(newHealing(work, peer));
    return true;
  }
  last->agreedMs = work.replica().clock().nowMs();
  work.store().putHealing(*last);
  return true;
}

std::string healAtHub(Work& work, const storage::LeafRow& leaf, const HealingWords& words,
                      bool differ, HealingCounts& counts) {
  if (!takeSteps(work, leaf, words.any() ? 1 : kStepsOfBeginning)) return {};
  for (const Change& change : words.changes) letIn(work, leaf, change, counts);
  const auto items = [&] { return itemsOfScope(work, leaf); };
  std::string frames;
  std::vector<RecordId> send;
  if (words.comparison) {
    ItemSet::Reply reply = replyTo(work, *words.comparison, items, counts);
    frames = talkFrames(reply.next, reply.want);
    send = std::move(reply.send);
  } else if (differ) {
    frames = talkFrames(items().whole(), {});
  }
  const std::size_t most = std::min(words.wanted.size(), ItemSet::kMostRecords);
  send.insert(send.end(), words.wanted.begin(),
              words.wanted.begin() + static_cast<std::ptrdiff_t>(most));
  frames += stateFrames(
      work, std::move(send),
      [&](const Record& record) { return work.store().inScope(leaf.leaf, record.root().bytes()); },
      counts);
  if (counts.any()) note(work, leaf.name, counts);
  return frames;
}

HealingCounts healAtLeaf(Work& work, const HealingWords& words) {
  HealingCounts counts;
  takeOver(work, words.changes, counts);
  ItemSet::Reply reply;
  if (words.comparison) {
    reply = replyTo(
        work, *words.comparison, [&] { return itemsHeld(work); }, counts);
  }
  reply.send.insert(reply.send.end(), words.wanted.begin(), words.wanted.end());
  if (!reply.next.empty() || !reply.want.empty() || !reply.send.empty()) {
    ByteWriter next;
    next.string(reply.next.empty() ? "" : encodeComparison(reply.next));
    next.string(encodeIds(reply.want));
    next.string(encodeIds(reply.send));
    work.store().setMeta(kNextKey, next.bytes());
    counts.sent += reply.send.size();
  }
  if (counts.any()) note(work, kHubPeer, counts);
  return counts;
}

std::string nextHealingFrames(Work& work) {
  const std::optional<std::string> kept = work.store().meta(kNextKey);
  if (!kept || kept->empty()) return {};
  ByteReader reader(*kept);
  const std::string_view comparison = reader.string();
  const std::vector<RecordId> want = decodeIds(reader.string());
  const std::vector<RecordId> send = decodeIds(reader.string());
  HealingCounts counts;
  return returnedRecords(work.store(), send, kMostBytes) +
         talkFrames(comparison.empty() ? Comparison{} : decodeComparison(comparison), want) +
         stateFrames(
             work, send,
             [&](const Record& record) { return !work.store().isLeaving(record.root().bytes()); },
             counts);
}

bool clearNextHealing(storage::Store& store) {
  const std::optional<std::string> kept = store.meta(kNextKey);
  if (!kept || kept->empty()) return false;
  store.setMeta(kNextKey, "");
  return true;
}

}  // namespace waystation::sync

#include "sync/quarantine.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "sync/byte_stream.h"
#include "sync/custody.h"
#include "sync/reports.h"
#include "sync/returned.h"
#include "sync/scopes.h"
#include "sync/seal.h"

// Told to a leaf: varint(#rows) per row: replica(8) varint(counter) state(1) varint(at) string.

namespace waystation::sync {
namespace {

using storage::AsideRow;
using storage::QuarantineRow;
using storage::QuarantineState;

constexpr int kMostTold = 1'000;
constexpr std::size_t kMarkSize = 8;
constexpr std::size_t kLeastRowBytes = 12;

// What a person may overrule: who may write, not what a write is.
constexpr std::array<std::string_view, 4> kReleasable = {
    "record-is-not-the-offices", "field-is-headquarters", "field-is-the-custodians",
    "seen-is-beyond-what-is-held"};

// Nobody can tell who wrote it: no person may overrule that, whatever is said of the rest.
constexpr std::array<std::string_view, 3> kUnproven = {"replica-is-foreign", "author-is-unknown",
                                                       "signature-is-forged"};

template <typename Reasons>
bool isAmong(const Reasons& reasons, std::string_view reason) {
  return std::find(reasons.begin(), reasons.end(), reason) != reasons.end();
}

void put(QuarantineRow& row, const Judgement& judgement) {
  row.reason = judgement.reason;
  row.state = judgement.awaited ? QuarantineState::kWaiting : QuarantineState::kRefused;
  const Awaited awaited = judgement.awaited.value_or(Awaited{});
  row.awaitedReplica = awaited.change.replica;
  row.awaitedCounter = awaited.change.counter;
  row.awaitedRecord = awaited.record.isNull() ? std::string() : awaited.record.bytes();
}

void settle(Work& work, QuarantineRow& row, QuarantineState state, const std::string& person,
            const std::string& why) {
  row.state = state;
  row.settledBy = person;
  row.settledMs = work.replica().clock().nowMs();
  row.why = why;
  row.awaitedReplica = 0;
  row.awaitedRecord.clear();
  work.store().putQuarantine(row);
  work.tellLeaves();
}

// Under its seal, where it came with one and has to go further up. The leaf that brought it is fed
// it as well: it may have let go of the records since, and got them back without this change.
void letIn(Work& work, const storage::LeafRow& leaf, const Change& change, const QuarantineRow& row,
           const Admitted& admitted) {
  const bool hasHub = work.replica().hasHub();
  const bool sealed = row.proof.seal != 0 && hasHub;
  const std::int64_t seq = work.apply(change, leaf.leaf, {.roundabout = true, .sealed = sealed});
  if (seq != 0 && sealed) work.store().putSealed(seq, row.proof);
  if (!hasHub) flagLate(work, leaf, change);
  if (admitted) admitted(work, leaf, change);
}

// Whether it is this node's own word, fed once and lost, that a leaf has returned.
bool isReturned(Work& work, const QuarantineRow& row) {
  if (row.proof.seal == 0) return false;
  const std::optional<storage::SealRow> seal = work.store().seal(row.proof.seal);
  return seal && seal->signer == work.replica().node() &&
         isSealedBy(*seal, work.replica().publicKey());
}

QuarantineRow openRow(storage::Store& store, std::int64_t id) {
  std::optional<QuarantineRow> row = store.quarantined(id);
  if (!row) {
    throw Failure("quarantine.not-found", "No change of this number is kept aside here.");
  }
  if (!row->isOpen()) {
    throw Failure("quarantine.settled",
                  "This change has been let in or discarded already. Nothing was done.");
  }
  return std::move(*row);
}

// By whose scope it is judged: of the leaf that brought it, or, where that only carried it, of the
// one that stands for its author.
storage::LeafRow leafOf(storage::Store& store, const QuarantineRow& row, const Change& change) {
  std::optional<storage::LeafRow> leaf = store.leafByName(row.leaf);
  if (!leaf) throw Failure("sync.unknown-leaf", "The office " + row.leaf + " is not known here.");
  const std::string_view office = officeOf(change.author);
  if (standsFor(*leaf, office)) return std::move(*leaf);
  for (storage::LeafRow& other : store.leaves()) {
    if (other.home.empty() && standsFor(other, office)) return std::move(other);
  }
  return std::move(*leaf);
}

}  // namespace

void keepAside(Work& work, const storage::LeafRow& leaf, const Dot& link, const Change& change,
               const Judgement& judgement, const storage::SealedRow& proof) {
  QuarantineRow row;
  row.leaf = leaf.name;
  row.atMs = work.replica().clock().nowMs();
  row.body = encodeChange(change);
  row.linkReplica = link.replica;
  row.linkNumber = link.counter;
  row.replica = change.dot.replica;
  row.counter = change.dot.counter;
  row.proof = proof;
  put(row, judgement);
  work.store().addQuarantine(row);
}

std::size_t letInAwaited(Work& work, const Admitted& admitted) {
  storage::Store& store = work.store();
  std::size_t came = 0;
  for (bool moved = true; moved;) {
    moved = false;
    for (QuarantineRow& row : store.whoseWaitIsOver()) {
      const Change change = decodeChange(row.body);
      const storage::LeafRow leaf = leafOf(store, row, change);
      const bool returned = isReturned(work, row);
      const Judgement judgement =
          returned ? judgeReturned(work, change)
                   : judge(work, leaf, {row.linkReplica, row.linkNumber}, change);
      if (judgement.letsIn()) {
        if (returned) {
          takeHome(work, store.leafByName(row.leaf).value_or(leaf), change, row.proof);
        } else {
          letIn(work, leaf, change, row, admitted);
        }
        settle(work, row, QuarantineState::kReleased, "", "");
        moved = true;
        ++came;
      } else {
        put(row, judgement);
        store.putQuarantine(row);
      }
    }
  }
  return came;
}

void releaseAside(Work& work, std::int64_t id, const std::string& person, const std::string& why,
                  const Admitted& admitted) {
  QuarantineRow row = openRow(work.store(), id);
  const Change change = decodeChange(row.body);
  const storage::LeafRow leaf = leafOf(work.store(), row, change);
  Judgement judgement{row.reason, std::nullopt};
  if (!isAmong(kUnproven, row.reason)) {
    judgement = judge(work, leaf, {row.linkReplica, row.linkNumber}, change);
  }
  if (!judgement.letsIn() && !isAmong(kReleasable, judgement.reason)) {
    throw Failure("quarantine.unreleasable",
                  "This change can't be let in (" + judgement.reason +
                      "): it would damage the records. It stays aside; discard it, or wait for "
                      "what it needs.");
  }
  if (saysWhoHolds(change)) requireReports(work.store(), "let in");
  letIn(work, leaf, change, row, admitted);
  settle(work, row, QuarantineState::kReleased, person, why);
  letInAwaited(work, admitted);
}

void discardAside(Work& work, std::int64_t id, const std::string& person, const std::string& why) {
  QuarantineRow row = openRow(work.store(), id);
  settle(work, row, QuarantineState::kDiscarded, person, why);
}

std::vector<AsideRow> asideOf(storage::Store& store, std::string_view leaf) {
  std::map<Dot, AsideRow> newest;
  for (const QuarantineRow& row : store.quarantineOf(leaf, kMostTold)) {
    if (row.state == QuarantineState::kReleased) continue;
    newest.try_emplace(Dot{row.replica, row.counter},
                       AsideRow{row.replica, row.counter, row.reason, row.state, row.atMs});
  }
  std::vector<AsideRow> rows;
  for (const auto& [dot, row] : newest) rows.push_back(row);
  return rows;
}

std::string encodeAside(const std::vector<AsideRow>& rows) {
  ByteWriter writer;
  writer.varint(rows.size());
  for (const AsideRow& row : rows) {
    writer.fixed64(row.replica);
    writer.varint(row.counter);
    writer.byte(static_cast<std::uint8_t>(row.state));
    writer.varint(static_cast<std::uint64_t>(row.atMs));
    writer.string(row.reason);
  }
  return writer.take();
}

std::vector<AsideRow> decodeAside(std::string_view payload) {
  ByteReader reader(payload);
  std::vector<AsideRow> rows(reader.count(kLeastRowBytes));
  for (AsideRow& row : rows) {
    row.replica = reader.fixed64();
    row.counter = reader.varint();
    const std::uint8_t state = reader.byte();
    if (state > static_cast<std::uint8_t>(QuarantineState::kDiscarded)) {
      throw Failure("sync.malformed",
                    "A sync answer can't be read: a change is kept aside in a "
                    "way that this program does not know.");
    }
    row.state = static_cast<QuarantineState>(state);
    row.atMs = static_cast<std::int64_t>(reader.varint());
    row.reason = reader.string();
  }
  reader.expectEnd();
  return rows;
}

std::string asideMark(std::vector<AsideRow> rows) {
  std::sort(rows.begin(), rows.end(), [](const AsideRow& a, const AsideRow& b) {
    return Dot{a.replica, a.counter} < Dot{b.replica, b.counter};
  });
  const crypto::Sha256Digest digest = crypto::Sha256().update(encodeAside(rows)).finish();
  return std::string(crypto::view(digest).substr(0, kMarkSize));
}

}  // namespace waystation::sync

#include "sync/returned.h"

#include <algorithm>

#include "sync/frame.h"
#include "sync/held.h"
#include "sync/reconcile.h"
#include "sync/scopes.h"

namespace waystation::sync {
namespace {

constexpr std::size_t kFrameBytes = 512 * 1024;  // as much as one of the feed holds
constexpr char kAbove = '^';
constexpr std::size_t kMostHubsAbove = 8;
constexpr std::ptrdiff_t kMostSealsOfOne = 4;  // over one entry

// Whose references they are: of a change that another office made, that office's.
std::int64_t writerOf(storage::Store& store, const storage::LeafRow& leaf, const Change& change) {
  for (const storage::LeafRow& other : store.leaves()) {
    if (other.home.empty() && standsFor(other, officeOf(change.author))) return other.leaf;
  }
  return leaf.leaf;
}

}  // namespace

void ReturnedFrames::add(std::int64_t seq) {
  if (!seen_.insert(seq).second) return;
  const std::vector<storage::SealFromAboveRow> seals = store_.sealsFromAbove(seq);
  const std::optional<storage::JournalRow> entry = store_.journal(seq);
  if (seals.empty() || !seals.front().signer.empty() || !entry) return;
  for (const storage::SealFromAboveRow& seal : seals) {
    size_ += seals_.add({entry->replica, entry->counter}, seal.place);
  }
  changes_.push_back(decodeChange(entry->body));
  held_ += entry->body.size();
  size_ += entry->body.size();
  if (held_ > kFrameBytes) flush();
}

void ReturnedFrames::flush() {
  for (const CarriedSeal& seal : seals_.take()) {
    frames_ += encodeFrame(FrameType::kCarriedSeal, encodeCarriedSeal(seal));
  }
  if (!changes_.empty()) frames_ += encodeFrame(FrameType::kReturned, encodeHealing(changes_));
  changes_.clear();
  held_ = 0;
}

std::string ReturnedFrames::take() {
  flush();
  return std::move(frames_);
}

std::string returnedRecords(storage::Store& store, const std::vector<RecordId>& ids,
                            std::size_t most) {
  ReturnedFrames frames(store);
  for (const RecordId& id : ids) {
    const std::optional<storage::RecordRow> row = store.record(id.bytes());
    if (!row || store.isLeaving(row->root) || frames.size() > most) continue;
    const std::vector<storage::JournalRow> entries =
        store.journalOfRecord(row->row, INT64_MAX, INT32_MAX);
    for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) frames.add(entry->seq);
  }
  return frames.take();
}

Judgement judgeReturned(Work& work, const Change& change) {
  storage::Store& store = work.store();
  if (heldOfPart(store, change) == Held::kOther) return {"dot-is-used", std::nullopt};
  const auto isHere = [&](const RecordId& id) {
    return store.record(id.bytes()) ||
           std::any_of(change.edits.begin(), change.edits.end(),
                       [&](const Edit& other) { return other.record == id && isBirth(other); });
  };
  for (const Edit& edit : change.edits) {
    if (!isHere(edit.record)) return {"birth-is-missing", Awaited{{}, edit.record}};
    for (const Write& write : edit.writes) {
      const RecordId root = referencedRecord(write.value).value_or(edit.record);
      if (write.field == kRootField && !isHere(root)) {
        return {"birth-is-missing", Awaited{{}, root}};
      }
    }
  }
  return {};
}

// An office that was restored passes on only what its own people made: all else was headquarters'
// before it was the office's, and comes from there again.
std::int64_t takeHome(Work& work, const storage::LeafRow& leaf, const Change& change,
                      const storage::SealedRow& proof) {
  storage::Store& store = work.store();
  const bool isOurs = officeOf(change.author) == work.replica().node();
  const bool hasHub = work.replica().hasHub();
  std::int64_t seq = 0;
  if (hasHub && !isOurs) {
    seq = work.apply(change, 0);
  } else {
    if (isOurs && !hasHub) store.claimReplica(change.dot.replica, work.replica().node());
    seq = work.apply(change, isOurs ? leaf.leaf : writerOf(store, leaf, change),
                     {.roundabout = true, .sealed = hasHub, .ours = isOurs});
    if (seq != 0 && hasHub) store.putSealed(seq, proof);
  }
  if (seq == 0) return 0;
  for (const Edit& edit : change.edits) {
    const std::optional<storage::RecordRow> row = store.record(edit.record.bytes());
    if (!row) continue;
    // Something may have named it that came home before it.
    if (row->root == row->id && isBirth(edit)) grantBelow(work, row->root);
    // Whoever returns it holds it: what is not theirs goes again, and what they wrote is taken.
    const std::vector<std::string> known = store.releasingOrReleased(leaf.leaf);
    const bool isTold = std::find(known.begin(), known.end(), row->root) != known.end();
    if (!store.inScope(leaf.leaf, row->root) && !isTold) release(work, leaf.leaf, row->root);
  }
  return seq;
}

bool isFromAbove(std::string_view signer) {
  return signer.size() <= kMostHubsAbove && signer.find_first_not_of(kAbove) == signer.npos;
}

void keepSealsFromAbove(storage::Store& store, std::int64_t seq,
                        const std::vector<CarriedSeals::Proof>& proofs, CameFrom from) {
  for (const CarriedSeals::Proof& proof : proofs) {
    std::string signer = proof.seal.signer;
    if (!isFromAbove(signer)) continue;
    if (from == CameFrom::kHub) {
      signer += kAbove;
    } else if (signer.empty()) {
      continue;  // this node's own
    } else {
      signer.pop_back();
    }
    const std::vector<storage::SealFromAboveRow> kept = store.sealsFromAbove(seq);
    const auto ofIt = std::count_if(kept.begin(), kept.end(),
                                    [&](const auto& row) { return row.signer == signer; });
    // Of its hub it can verify: one is enough. What a leaf returns may be anything.
    if (ofIt >= (from == CameFrom::kHub ? 1 : kMostSealsOfOne)) continue;
    std::optional<std::int64_t> row = store.sealSigned(proof.seal.signature, signer);
    if (!row) row = store.addSeal({signer, proof.seal.signature, proof.seal.digests});
    store.addSealedAbove(seq, {*row, proof.position, proof.salt});
    if (signer.empty()) returnToo(store, *row);
  }
}

std::int64_t entryWith(storage::Store& store, const Dot& dot, std::string_view body) {
  for (const storage::JournalRow& row : store.journalOfDot(dot.replica, dot.counter)) {
    if (row.body == body) return row.seq;
  }
  return 0;
}

}  // namespace waystation::sync

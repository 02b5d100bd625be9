#include "sync/returned.h"

#include <algorithm>

#include "sync/frame.h"
#include "sync/held.h"
#include "sync/reconcile.h"
#include "sync/scopes.h"

namespace waystation::sync {
namespace {

constexpr std::size_t kFrameBytes = 512 * 1024;  // as much as one of the feed holds

// Whose references they are: of a change that another office made, that office's.
std::int64_t writerOf(storage::Store& store, const storage::LeafRow& leaf, const Change& change) {
  for (const storage::LeafRow& other : store.leaves()) {
    if (other.home.empty() && standsFor(other, officeOf(change.author))) return other.leaf;
  }
  return leaf.leaf;
}

}  // namespace

void ReturnedFrames::add(std::int64_t seq) {
  const std::optional<storage::SealedRow> place = store_.sealed(seq);
  if (!place || !seen_.insert(seq).second) return;
  const std::optional<storage::SealRow> seal = store_.seal(place->seal);
  const std::optional<storage::JournalRow> entry = store_.journal(seq);
  if (!seal || !seal->signer.empty() || !entry) return;
  CarriedSeal& frame = seals_[place->seal];
  if (frame.places.empty()) {
    frame = {seal->signer, seal->signature, seal->digests, {}};
    size_ += seal->digests.size();
  }
  frame.places.push_back({{entry->replica, entry->counter}, place->position, place->salt});
  changes_.push_back(decodeChange(entry->body));
  held_ += entry->body.size();
  size_ += entry->body.size();
  if (held_ > kFrameBytes) flush();
}

void ReturnedFrames::flush() {
  for (const auto& [row, seal] : seals_) {
    frames_ += encodeFrame(FrameType::kCarriedSeal, encodeCarriedSeal(seal));
  }
  if (!changes_.empty()) frames_ += encodeFrame(FrameType::kReturned, encodeHealing(changes_));
  seals_.clear();
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
void takeHome(Work& work, const storage::LeafRow& leaf, const Change& change,
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
  if (seq == 0) return;
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
}

}  // namespace waystation::sync

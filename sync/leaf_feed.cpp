// What the hub feeds, applied frame by frame, and kept with the hub's seal.

#include <utility>

#include "crypto/failure.h"
#include "sync/erasure.h"
#include "sync/leaf.h"
#include "sync/returned.h"
#include "sync/scopes.h"
#include "sync/seal.h"

namespace waystation::sync {
namespace {

// The hub's seal over the changes of one frame; kept if an entry of the journal is under it.
class FeedSeal {
 public:
  FeedSeal(const SealNotice& notice, const FeedFrame& frame, std::uint64_t epoch)
      : maker_(notice.seed), row_{"", notice.signature, "", epoch, frame.after.number} {
    for (const FeedItem& item : frame.items) {
      for (const Change& change : item.changes) maker_.addWithParts(change);
    }
    row_.digests = maker_.digests();
  }

  // The next change of the frame is this entry; 0: none.
  void next(storage::Store& store, const Change& change, std::int64_t seq) {
    const std::uint64_t position = next_;
    next_ += placesWithParts(change);
    if (seq == 0) return;
    const std::vector<storage::SealFromAboveRow> known = store.sealsFromAbove(seq);
    if (!known.empty() && known.front().signer.empty()) return;
    if (id_ == 0) id_ = store.addSeal(row_);
    const storage::SealedRow place{id_, position, maker_.salt(position)};
    if (store.sealed(seq)) {
      store.addSealedAbove(seq, place);
    } else {
      store.putSealed(seq, place);
    }
  }

 private:
  SealMaker maker_;
  storage::SealRow row_;
  std::int64_t id_ = 0;
  std::uint64_t next_ = 1;
};

// Joins it, and keeps it with the seals that it came under. What came before without them, such as
// by healing, gets them now; what this node's own people wrote has its chain.
void take(Work& work, const Change& change, std::optional<FeedSeal>& seal,
          const CarriedSeals& fromAbove) {
  storage::Store& store = work.store();
  const bool keepsSeal = seal && !touchesErased(store, change);
  std::int64_t seq = work.apply(change, 0, {.sealed = keepsSeal});
  if (!seal) return;
  const std::string body = keepsSeal ? encodeChange(change) : "";
  if (keepsSeal && seq == 0) {
    seq = entryWith(store, change.dot, body);
    if (seq != 0 && store.upwardOfSeq(seq)) seq = 0;
  }
  seal->next(store, change, keepsSeal ? seq : 0);
  if (!keepsSeal || seq == 0) return;
  keepSealsFromAbove(store, seq, fromAbove.proofsOf(change.dot, body), CameFrom::kHub);
}

}  // namespace

void LeafExchange::applyItem(Work& work, const FeedItem& item) {
  switch (item.type) {
    case storage::FeedType::kEnter:
      work.store().removeLeaving(item.root.bytes());
      work.store().removeReceipt(item.root.bytes());  // not told yet, and no longer true
      ++outcome_.rootsEntered;
      break;
    case storage::FeedType::kLeave:
      work.store().addLeaving(item.root.bytes());
      ++outcome_.rootsLeft;
      break;
    case storage::FeedType::kChange:
    case storage::FeedType::kErase:
      break;
  }
}

void LeafExchange::applyFeed(const FeedFrame& frame) {
  const std::optional<SealNotice> notice = std::exchange(seal_, std::nullopt);
  if (!hub_.empty()) {
    throw Failure("sync.malformed", "The office " + hub_ +
                                        " sends records to a device that is only its guest. They "
                                        "were not taken.");
  }
  const storage::Connections::Lease writer = connections_.writer();
  Work work(replica_, *writer);
  if (bundle_ && !isNews(work.store(), frame.after)) return;
  std::optional<FeedSeal> seal;
  if (notice) seal.emplace(*notice, frame, feedEpoch_);
  for (const FeedItem& item : frame.items) {
    applyItem(work, item);
    for (const Change& change : item.changes) {
      take(work, change, seal, sealsFromAbove_);
    }
    if (item.type == storage::FeedType::kEnter) grantBelow(work, item.root.bytes());
    if (item.type == storage::FeedType::kLeave) releaseBelow(work, item.root.bytes());
    outcome_.changesDown += item.changes.size();
  }
  LeafState state = readLeafState(work.store(), hub_);
  state.feed = frame.after;
  state.feed.epoch = feedEpoch_;
  state.feedHead = feedHead_;
  writeLeafState(work.store(), hub_, state);
  work.commit();
}

}  // namespace waystation::sync

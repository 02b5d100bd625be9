// What the hub feeds, applied frame by frame, and kept with the hub's seal.

#include <utility>

#include "crypto/failure.h"
#include "sync/erasure.h"
#include "sync/leaf.h"
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
      for (const Change& change : item.changes) maker_.add(encodeChange(change));
    }
    row_.digests = maker_.digests();
  }

  // The next change of the frame became this entry; 0: none.
  void next(storage::Store& store, std::int64_t seq) {
    ++position_;
    if (seq == 0) return;
    if (id_ == 0) id_ = store.addSeal(row_);
    store.putSealed(seq, {id_, position_, maker_.salt(position_)});
  }

 private:
  SealMaker maker_;
  storage::SealRow row_;
  std::int64_t id_ = 0;
  std::uint64_t position_ = 0;
};

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
      const bool keepsSeal = seal && !touchesErased(work.store(), change);
      const std::int64_t seq = work.apply(change, 0, {.sealed = keepsSeal});
      if (seal) seal->next(work.store(), keepsSeal ? seq : 0);
    }
    if (item.type == storage::FeedType::kEnter) grantBelow(work, item.root.bytes());
    if (item.type == storage::FeedType::kLeave) releaseBelow(work, item.root.bytes());
    outcome_.changesDown += item.changes.size();
  }
  LeafState state = readLeafState(work.store(), hub_);
  state.feed = frame.after;
  state.feed.epoch = feedEpoch_;
  writeLeafState(work.store(), hub_, state);
  work.commit();
}

}  // namespace waystation::sync

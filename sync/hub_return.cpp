// A hub that was restored: how it notices, and how it takes home what it had fed.

#include <utility>

#include "sync/erasure.h"
#include "sync/held.h"
#include "sync/hub.h"
#include "sync/quarantine.h"
#include "sync/reports.h"
#include "sync/returned.h"
#include "sync/scopes.h"

namespace waystation::sync {
namespace {

// How far this hub knows each history of the leaf's feed to go, newest first.
std::vector<FeedCursor> historiesOf(storage::Store& store, std::int64_t leaf) {
  std::vector<FeedCursor> histories;
  std::uint64_t ended = store.numberedFeed(leaf);
  for (const storage::FeedEpochRow& row : store.feedEpochs(leaf)) {
    histories.push_back({row.epoch, ended, ""});
    ended = row.began;
  }
  return histories;
}

}  // namespace

// Whether the leaf was fed more than this hub knows of: it is an older copy of itself.
bool HubExchange::hasLost(storage::Store& store, const FeedCursor& cursor) const {
  if (cursor.epoch == 0 || isGuest(leaf_, replica_.node())) return false;
  for (const FeedCursor& history : historiesOf(store, leaf_.leaf)) {
    if (history.epoch == cursor.epoch) return cursor.number > history.number;
  }
  return true;
}

std::string HubExchange::lostFrame(storage::Store& store) const {
  return encodeFrame(FrameType::kLost, encodeLost(historiesOf(store, leaf_.leaf)));
}

// Numbers what waits in the feed; what one run of the hub numbers is one history.
std::uint64_t HubExchange::numberFeed(storage::Store& store) {
  const std::uint64_t before = store.numberedFeed(leaf_.leaf);
  const std::uint64_t head = store.numberFeed(leaf_.leaf);
  if (head > before) store.addFeedEpoch(leaf_.leaf, {replica_.incarnation(), before});
  return head;
}

void HubExchange::returned(const std::vector<Change>& changes) {
  const storage::Connections::Lease writer = connections_.writer();
  Work work(replica_, *writer);
  for (const Change& change : changes) takeReturned(work, change);
  changesIn_ += letInAwaited(work, admitted_);
  work.commit();
}

void HubExchange::takeReturned(Work& work, const Change& received) {
  storage::Store& store = work.store();
  const std::string whole = encodeChange(received);
  const Change change = withoutErased(work, received);
  if (change.edits.empty()) return;
  const std::vector<CarriedSeals::Proof> proofs = carriedSeals_.proofsOf(received.dot, whole);
  std::optional<CarriedSeals::Proof> proof;  // under this hub's own seal
  bool isForged = false;
  for (const CarriedSeals::Proof& one : proofs) {
    if (proof || !one.seal.signer.empty()) continue;
    isForged = !isOwn(one.seal);
    if (!isForged) proof = one;
  }
  if (heldOfPart(store, change) == Held::kWhole) {
    store.dropQuarantined(whole);
    if (proof) keepFromAbove(store, entryWith(store, change.dot, whole), proofs);
    return;
  }
  Judgement judgement;
  if (!proof) {  // nothing proves that it was ever fed
    judgement.reason = isForged ? "signature-is-forged" : "replica-is-foreign";
  } else {
    if (!replica_.hasHub()) noteBroughtHome(store, leaf_.name);
    proof->seal.signer = replica_.node();
    judgement = judgeReturned(work, change);
  }
  if (!judgement.letsIn() && store.isQuarantined(encodeChange(change))) return;
  const bool isWanted = judgement.awaited || (judgement.letsIn() && replica_.hasHub());
  const storage::SealedRow place = isWanted ? kept(store, *proof) : storage::SealedRow{};
  if (!judgement.letsIn()) {
    keepAside(work, leaf_, change.dot, change, judgement, place);
    ++quarantined_;
    return;
  }
  keepFromAbove(store, takeHome(work, leaf_, change, place), proofs);
  store.dropQuarantined(whole);
  ++changesIn_;
}

// With what came home, by which its own hub knows it again; its own people's goes up by the chain.
void HubExchange::keepFromAbove(storage::Store& store, std::int64_t seq,
                                const std::vector<CarriedSeals::Proof>& proofs) {
  if (!replica_.hasHub() || seq == 0 || store.upwardOfSeq(seq)) return;
  keepSealsFromAbove(store, seq, proofs, CameFrom::kLeaf);
}

bool HubExchange::isOwn(const storage::SealRow& seal) {
  const auto [at, isNew] = ownSeals_.try_emplace(seal.signature, false);
  if (isNew) at->second = isSealedBy(seal, replica_.publicKey());
  return at->second;
}

// A leaf that has nothing more to send and yet has not shown all that this hub has of it is an
// older copy of itself: all that it is to hold is sent again, its own lost changes with it.
void HubExchange::noticeOlderCopy(storage::Store& store, const Hello& hello, Welcome& welcome) {
  if (!hello.digest || welcome.rewind || leaf_.incarnation == 0) return;
  const Position known = newestOf(store, leaf_);
  const Dot shown = lastShown_.value_or(Dot{hello.base.incarnation, hello.base.number});
  if (shown == Dot{known.incarnation, known.number}) return;
  refill_ = true;
  if (!lastShown_) welcome.received = known;
}

}  // namespace waystation::sync

// A leaf's side of an exchange in a file: parts of the request, and what a part of an answer moves.

#include "crypto/failure.h"
#include "sync/byte_stream.h"
#include "sync/leaf.h"
#include "sync/quarantine.h"

namespace waystation::sync {
namespace {

// In `meta`: the feed's place at which this leaf found that the hub takes it to be further. The
// next bundle then asks for all of it.
constexpr std::string_view kAnewKey = "bundle.feed-anew";

std::string placeText(const FeedCursor& cursor) {
  ByteWriter writer;
  writer.fixed64(cursor.epoch);
  writer.varint(cursor.number);
  writer.string(cursor.within);
  return writer.take();
}

}  // namespace

void askForFeedAnew(storage::Store& store, const std::string& hub) {
  store.setMeta(kAnewKey, placeText(readLeafState(store, hub).feed));
}

// The same frames as over the link, but that healing waits for it.
std::string LeafExchange::bundlePart(ChainPlace& at, bool isFirst) {
  const storage::Connections::Lease reader = connections_.reader();
  reader->execute("BEGIN");
  std::string body;
  try {
    storage::Store store(*reader);
    const LeafState state = readLeafState(store, hub_);
    hello_.base = sent_ = at.position;
    hello_.feed = state.feed;
    if (store.meta(kAnewKey) == placeText(state.feed)) hello_.feed = feedAskedAnew();
    hello_.clockMs = replica_.clock().nowMs();
    behind_ = at.seq;
    std::string returned;
    if (!addReturned(store, returned) || !returned.empty()) {
      throw Failure("bundle.needs-link",
                    "Headquarters was restored and has asked for what it had sent here, which goes "
                    "over the link only. Nothing was written; connect the office once.");
    }
    std::string news = erasureFrames(store, reportedErasures_);
    if (isFirst) {
      receipts_ = store.receipts();
      if (!receipts_.empty()) news += encodeFrame(FrameType::kReceipts, encodeReceipts(receipts_));
      addSubtree(store, state.announced, news);
    }
    const std::vector<storage::AsideRow> aside = store.aside();
    if (!aside.empty()) news += encodeFrame(FrameType::kAsideKnown, asideMark(aside));
    std::string changes;
    addChanges(store, changes);
    if (!moreUp_ && hub_.empty()) addDigest(store);
    body = encodeFrame(FrameType::kHello, encodeHello(hello_)) + news + changes;
  } catch (...) {
    reader->execute("ROLLBACK");
    throw;
  }
  reader->execute("COMMIT");
  if (sentSeq_ != 0) at = {sent_, sentSeq_};
  return body;
}

// What the hub says to have of this node's chain. Nothing where it is no link known here.
std::optional<storage::UpwardRow> LeafExchange::linkAtHub(storage::Store& store,
                                                          const Position& received) {
  std::optional<storage::UpwardRow> link = store.upward(received.incarnation, received.number);
  const bool isOtherHistory = link ? link->hash.substr(0, kHashPrefixSize) != received.hashPrefix
                                   : received.incarnation == replica_.incarnation();
  if (isOtherHistory) {
    throw Failure("sync.forked",
                  "Headquarters holds another history of this office than this server does: its "
                  "disk was set back or copied while it ran. Nothing was lost; restart the server, "
                  "and if this stays, ask headquarters to enrol it again.");
  }
  return link;
}

// A bundle may be older than what was heard since: it acknowledges only more, but where the hub
// answers to just the place at which this leaf stands that it has less.
void LeafExchange::acknowledgeByBundle(storage::Store& store, const Welcome& welcome,
                                       LeafState& state) {
  const Position received = welcome.received.value_or(Position{});
  const std::optional<storage::UpwardRow> link = linkAtHub(store, received);
  const std::int64_t seq = link ? link->seq : 0;
  const bool asksAgain = bundle_->rewinds && state.acknowledged == bundle_->chainFrom;
  bundleIsOld_ = seq < state.acknowledgedSeq && !asksAgain;
  if (seq > state.acknowledgedSeq || (asksAgain && (link || received.number == 0))) {
    state.acknowledged = link ? received : Position{};
    state.acknowledgedSeq = seq;
    outcome_.rewound = outcome_.rewound || asksAgain;
  } else if (!link && received.number != 0) {
    askForFeedAnew(store, hub_);  // the hub has what this node lost: it is an older copy of itself
  }
}

void LeafExchange::welcomeByBundle(const Welcome& welcome) {
  const storage::Connections::Lease writer = connections_.writer();
  Work work(replica_, *writer);
  storage::Store& store = work.store();
  LeafState state = readLeafState(store, hub_);
  const LeafState before = state;
  acknowledgeByBundle(store, welcome, state);
  const FeedCursor from = welcome.feed.value_or(state.feed);
  const bool isAhead = isBehind(state.feed, from);
  if (isAhead && !bundle_->beginsAnew) {
    throw Failure("bundle.gap",
                  "The bundle goes on from where this node is not yet. What was whole is kept; "
                  "read the one before it first.");
  }
  if (isAhead) state.feed = from;
  if (from.epoch != before.feed.epoch && from.epoch != 0) store.addFeedEpoch(0, {from.epoch, 0});
  bundleIsOld_ = bundleIsOld_ || welcome.feedHead < state.feed.number;
  feedHead_ = std::max(state.feedHead.value_or(0), welcome.feedHead);
  state.feedHead = feedHead_;
  const bool isComparable = !bundleIsOld_ && welcome.feedHead == state.feed.number &&
                            store.countUpwardAfter(state.acknowledgedSeq) == 0;
  if (isComparable) outcome_.agreement = welcome.agreement;
  noteAgreement(work, kHubPeer, outcome_.agreement);
  if (!(state.acknowledged == before.acknowledged) || !(state.feed == before.feed) ||
      state.toCome() != before.toCome()) {
    writeLeafState(store, hub_, state);
  }
  work.commit();
  feedEpoch_ = from.epoch;
  welcomed_ = true;
}

// Frames that lead no further were had already. One that does may begin before where this leaf
// stands: its entries applied again end in the same state.
bool LeafExchange::isNews(storage::Store& store, const FeedCursor& after) {
  return isBehind(readLeafState(store, hub_).feed, after);
}

}  // namespace waystation::sync

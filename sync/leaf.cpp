#include "sync/leaf.h"

#include <algorithm>

#include "crypto/failure.h"
#include "sync/ahead.h"
#include "sync/byte_stream.h"
#include "sync/durable.h"
#include "sync/quarantine.h"
#include "sync/scopes.h"

namespace waystation::sync {
namespace {

// With so much before it in the request, what is urgent goes ahead as a copy.
constexpr std::size_t kWorthPassingBytes = 16 * 1024;

// In `meta`: incarnation(8) varint(number) prefix(8) varint(seq) epoch(8) varint(number) string
// string(announced) varint(feed head).
std::string stateKey(const std::string& hub) {
  return hub.empty() ? "hub.state" : "hub.state." + hub;
}

}  // namespace

void writeLeafState(storage::Store& store, const std::string& hub, const LeafState& state) {
  ByteWriter writer;
  writer.fixed64(state.acknowledged.incarnation);
  writer.varint(state.acknowledged.number);
  writer.string(state.acknowledged.hashPrefix);
  writer.varint(static_cast<std::uint64_t>(state.acknowledgedSeq));
  writer.fixed64(state.feed.epoch);
  writer.varint(state.feed.number);
  writer.string(state.feed.within);
  writer.string(state.announced);
  if (state.feedHead) writer.varint(*state.feedHead);
  store.setMeta(stateKey(hub), writer.bytes());
}

LeafState readLeafState(storage::Store& store, const std::string& hub) {
  LeafState state;
  if (const std::optional<std::string> bytes = store.meta(stateKey(hub))) {
    ByteReader reader(*bytes);
    state.acknowledged.incarnation = reader.fixed64();
    state.acknowledged.number = reader.varint();
    state.acknowledged.hashPrefix = reader.string();
    state.acknowledgedSeq = static_cast<std::int64_t>(reader.varint());
    state.feed.epoch = reader.fixed64();
    state.feed.number = reader.varint();
    state.feed.within = reader.string();
    if (!reader.atEnd()) state.announced = reader.string();
    if (!reader.atEnd()) state.feedHead = reader.varint();
  }
  return state;
}

std::optional<std::uint64_t> LeafState::toCome() const {
  if (!feedHead) return std::nullopt;
  return *feedHead > feed.number ? *feedHead - feed.number : 0;
}

LeafExchange::LeafExchange(Replica& replica, storage::Connections& connections,
                           const crypto::SigningKey& key, std::size_t upBytes, std::string hub)
    : replica_(replica),
      connections_(connections),
      key_(key),
      upBytes_(upBytes),
      hub_(std::move(hub)),
      files_(replica, connections) {}

void LeafExchange::addDigest(storage::Store& store) {
  StateSum sum{};
  store.eachRootDigest([&](std::string_view digest) { addTo(sum, sumFromBytes(digest)); });
  hello_.digest = sum;
}

// Before the digest is made of what stands beside the records.
void LeafExchange::checkRoots() {
  const storage::Connections::Lease writer = connections_.writer();
  Work work(replica_, *writer);
  outcome_.healing.damaged = checkSomeRoots(work);
  if (outcome_.healing.damaged != 0) work.commit();
  if (hub_.empty()) healingFrames_ = nextHealingFrames(work);
}

std::string LeafExchange::request() {
  checkRoots();
  const storage::Connections::Lease reader = connections_.reader();
  reader->execute("BEGIN");
  std::string ahead;
  std::string changes;
  std::string erasures;
  std::string durable;
  std::string subtree;
  try {
    storage::Store store(*reader);
    const LeafState state = readLeafState(store, hub_);
    hello_.base = state.acknowledged;
    hello_.feed = state.feed;
    sent_ = hello_.base;
    hello_.clockMs = replica_.clock().nowMs();
    // What is said to the own hub alone: a hub that this node is a guest of would not pass it on.
    if (hub_.empty()) {
      receipts_ = store.receipts();
      erasures = erasureFrames(store, reportedErasures_);
      const std::vector<storage::AsideRow> aside = store.aside();
      if (!aside.empty()) asideKnown_ = asideMark(aside);
      if (!replica_.sealsChanges()) durable = durableKnownFrame(store, state);
    }
    addSubtree(store, state.announced, subtree);
    // First what the hub has lost: what follows is judged by it.
    moreUp_ = !addReturned(store, subtree);
    const bool mayPass = !moreUp_ && hub_.empty();
    if (!moreUp_) addChanges(store, changes);
    if (mayPass && (moreUp_ || changes.size() > kWorthPassingBytes)) {
      ahead = urgentCopies(store, replica_, state.acknowledgedSeq, 0).frame;
    }
    // A hub that this node is a guest of has nothing to compare with.
    if (!moreUp_ && hub_.empty()) addDigest(store);
  } catch (...) {
    reader->execute("ROLLBACK");
    throw;
  }
  reader->execute("COMMIT");
  std::string body = encodeFrame(FrameType::kHello, encodeHello(hello_));
  body += ahead;
  body += erasures;
  if (!receipts_.empty()) body += encodeFrame(FrameType::kReceipts, encodeReceipts(receipts_));
  if (!asideKnown_.empty()) body += encodeFrame(FrameType::kAsideKnown, asideKnown_);
  body += durable + subtree + changes + healingFrames_;
  // Behind all changes: where some are left, files wait for the next exchange.
  return hub_.empty() && !moreUp_ ? body + files_.request() : body;
}

std::optional<std::int64_t> LeafExchange::filesBehind() const {
  if (!files_.carriesChunks()) return std::nullopt;
  return sentSeq_;
}

std::string LeafExchange::requestAhead(std::int64_t& after, bool passesFiles) {
  const storage::Connections::Lease reader = connections_.reader();
  storage::Store store(*reader);
  const LeafState state = readLeafState(store, hub_);
  const AheadCopies copies =
      urgentCopies(store, replica_, state.acknowledgedSeq, after, passesFiles);
  after = copies.upTo;
  if (copies.frame.empty()) return {};
  hello_.base = state.acknowledged;
  hello_.feed = state.feed;
  hello_.clockMs = replica_.clock().nowMs();
  return encodeFrame(FrameType::kHello, encodeHello(hello_)) + copies.frame;
}

// How far the hub has come, as a link of this node's own chain.
void LeafExchange::acknowledge(storage::Store& store, const Welcome& welcome, LeafState& state) {
  const Position& received = welcome.received ? *welcome.received : sent_;
  const std::optional<storage::UpwardRow> link = linkAtHub(store, received);
  if (link) {
    state.acknowledged = received;
    state.acknowledgedSeq = link->seq;
  } else if (welcome.rewind) {
    state.acknowledged = {};
    state.acknowledgedSeq = 0;
  } else if (received.number != 0) {
    // It has what this restored store lost, and the feed brings it; and it has all of this request,
    // or it would ask for a rewind.
    state.acknowledged = received;
    state.acknowledgedSeq = std::max(state.acknowledgedSeq, sentSeq_);
  }
}

void LeafExchange::welcome(const Welcome& welcome) {
  if (bundle_) return welcomeByBundle(welcome);
  const storage::Connections::Lease writer = connections_.writer();
  Work work(replica_, *writer);
  storage::Store& store = work.store();
  LeafState state = readLeafState(store, hub_);
  const LeafState before = state;
  acknowledge(store, welcome, state);
  const bool returned = noteReturned(store);
  state.feed = welcome.feed.value_or(hello_.feed);
  if (state.feed.epoch != before.feed.epoch && state.feed.epoch != 0) {
    store.addFeedEpoch(0, {state.feed.epoch, 0});
  }
  state.announced = welcome.rewind ? "" : announcing_;
  feedHead_ = welcome.feedHead;
  state.feedHead = feedHead_;
  // What begins to come now is written with its first frame.
  const bool mayBeWhole = before.toCome() != 0 && state.toCome() != before.toCome();
  for (const std::string& root : receipts_) store.removeReceipt(root);
  const bool heard = noteReported(store, reportedErasures_);
  const bool healed = !healingFrames_.empty() && clearNextHealing(store);
  const bool noted = noteAgreement(work, kHubPeer, welcome.agreement);
  const bool moved =
      healed || noted || heard || returned || !(state.acknowledged == before.acknowledged) ||
      state.acknowledgedSeq != before.acknowledgedSeq || !(state.feed == before.feed) ||
      state.announced != before.announced || mayBeWhole || !receipts_.empty();
  if (moved) {
    writeLeafState(store, hub_, state);
    work.commit();
  }
  // What it has lost of records it may have lost of files.
  if (hub_.empty() && (lost_ || welcome.rewind || state.feed.epoch != before.feed.epoch)) {
    files_.forgetHub();
  }
  outcome_.rewound = welcome.rewind;
  outcome_.agreement = welcome.agreement;
  outcome_.clockOffsetMs = welcome.clockMs - replica_.clock().nowMs();
  feedEpoch_ = state.feed.epoch;
  welcomed_ = true;
}

void LeafExchange::receive(std::string_view bytes) {
  frames_.add(bytes);
  while (const std::optional<Frame> frame = frames_.next()) {
    if (frame->type == FrameType::kLost) {
      lost_ = decodeLost(frame->payload);
    } else if (frame->type == FrameType::kSeal) {
      seal_ = decodeSeal(frame->payload);
    } else if (frame->type == FrameType::kCarriedSeal) {
      sealsFromAbove_.add(decodeCarriedSeal(frame->payload));
    } else if (frame->type == FrameType::kWelcome) {
      welcome(decodeWelcome(frame->payload));
    } else if (frame->type == FrameType::kFeed && welcomed_) {
      applyFeed(unpack_.feed(frame->payload));
    } else if (frame->type == FrameType::kAside && welcomed_ && !bundleIsOld_) {
      hearOfAside(decodeAside(frame->payload));
    } else if (frame->type == FrameType::kDurable && welcomed_) {
      hearOfDurable(frame->payload);
    } else if (frame->type == FrameType::kEnd && welcomed_) {
      if (!frame->payload.empty() && frame->payload[0] != 0) outcome_.more = true;
      ended_ = true;
    } else if (frame->type == FrameType::kCertificates && welcomed_) {
      if (takeFromHub(replica_, connections_, frame->payload)) outcome_.more = true;
    } else if (welcomed_ && !files_.take(*frame)) {
      healingWords_.take(*frame);
    }
  }
}

void LeafExchange::hearOfDurable(std::string_view payload) {
  const storage::Connections::Lease writer = connections_.writer();
  Work work(replica_, *writer);
  if (noteDurable(work.store(), payload, readLeafState(work.store()))) work.commit();
}

// Roots told to leave go once all that was written here about them is at the hub, and in a copy of
// headquarters where it makes any, and no phone has any of it any more. So goes what was only
// carried for guests; it stays where headquarters makes no copies.
void LeafExchange::letGo() {
  if (!hub_.empty()) return;
  const storage::Connections::Lease writer = connections_.writer();
  Work work(replica_, *writer);
  storage::Store& store = work.store();
  const std::int64_t acknowledged = readLeafState(store).acknowledgedSeq;
  const std::int64_t forgettable = safeToForget(store, acknowledged);
  const bool swept = sweepWaiting(work, acknowledged);
  bool left = false;
  for (const std::string& root : store.leaving()) {
    if (store.lastUpwardSeqOfRoot(root) > forgettable || store.isHeldBelow(root)) continue;
    if (hasFilesForHub(replica_, store, root)) continue;
    work.evict(root);
    store.removeLeaving(root);
    store.addReceipt(root);
    left = true;
  }
  const bool forgot = durableSeq(store) && store.forgetCarried(forgettable) != 0;
  if (!swept && !left && !forgot) return;
  work.commit();
  if (swept) store.scrub();
  dropFilesOfGone(replica_, store);
  if (swept || left) outcome_.more = true;  // the receipts want to go up
}

// Once the feed is applied: what it brought is no difference.
void LeafExchange::heal() {
  if (!hub_.empty()) return;
  if (healingWords_.any()) {
    const storage::Connections::Lease writer = connections_.writer();
    Work work(replica_, *writer);
    const HealingCounts counts = healAtLeaf(work, healingWords_);
    work.commit();
    outcome_.healing.damaged += counts.damaged;
    outcome_.healing.received += counts.received;
    outcome_.healing.sent += counts.sent;
  }
  // Something is to be said next, or it is to be seen whether that was all.
  if (healingWords_.any() || !healingFrames_.empty()) outcome_.more = true;
}

ExchangeOutcome LeafExchange::finish() {
  if (!ended_) {
    throw Failure("sync.cut",
                  "The link was cut in the middle of an exchange. What arrived whole is kept; the "
                  "rest follows when the link is back.");
  }
  outcome_.more = outcome_.more || moreUp_ || outcome_.rewound;
  if (hub_.empty() && files_.finish()) outcome_.more = true;
  outcome_.chunks = files_.moved();
  heal();
  letGo();
  takeBackDiscarded();
  return outcome_;
}

}  // namespace waystation::sync

// A hub's side of an exchange in a file: parts of the answer, and what a part of a request moves.

#include "crypto/failure.h"
#include "sync/bundle_format.h"
#include "sync/byte_stream.h"
#include "sync/durable.h"
#include "sync/hub.h"
#include "sync/quarantine.h"
#include "sync/scopes.h"

namespace waystation::sync {
namespace {

std::string standingKey(const storage::LeafRow& leaf) {
  return "bundle.standing." + std::to_string(leaf.leaf);
}

void putPosition(ByteWriter& writer, const Position& position) {
  writer.fixed64(position.incarnation);
  writer.varint(position.number);
  writer.string(position.hashPrefix);
}

Position positionFrom(ByteReader& reader) {
  Position position;
  position.incarnation = reader.fixed64();
  position.number = reader.varint();
  position.hashPrefix = reader.string();
  return position;
}

std::uint64_t newestEpoch(storage::Store& store, const storage::LeafRow& leaf) {
  const std::vector<storage::FeedEpochRow> epochs = store.feedEpochs(leaf.leaf);
  return epochs.empty() ? 0 : epochs.front().epoch;
}

}  // namespace

BundleStanding readStanding(storage::Store& store, const storage::LeafRow& leaf) {
  BundleStanding standing;
  const std::optional<std::string> bytes = store.meta(standingKey(leaf));
  if (!bytes) return standing;
  ByteReader reader(*bytes);
  if (reader.byte() != 0) standing.lacking = positionFrom(reader);
  standing.listErasures = reader.byte() != 0;
  standing.agreement = static_cast<Agreement>(reader.byte());
  standing.comparedAt = positionFrom(reader);
  standing.comparedFeed = reader.varint();
  return standing;
}

void writeStanding(storage::Store& store, const storage::LeafRow& leaf, const BundleStanding& is) {
  ByteWriter writer;
  writer.byte(is.lacking ? 1 : 0);
  if (is.lacking) putPosition(writer, *is.lacking);
  writer.byte(is.listErasures ? 1 : 0);
  writer.byte(static_cast<std::uint8_t>(is.agreement));
  putPosition(writer, is.comparedAt);
  writer.varint(is.comparedFeed);
  store.setMeta(standingKey(leaf), writer.bytes());
}

FeedPlace feedPlace(storage::Store& store, const storage::LeafRow& leaf) {
  const auto base =
      static_cast<std::uint64_t>(store.metaNumber("feed.base." + std::to_string(leaf.leaf)));
  const bool beginsAnew = leaf.feedAcked <= base;
  return {{newestEpoch(store, leaf), beginsAnew ? base : leaf.feedAcked, ""}, beginsAnew};
}

void HubExchange::takesBundle() {
  byBundle_ = true;
  erasures_.countOnce();
}

bool HubExchange::isOldBundle() const {
  return byBundle_ && hello_->feed.number < leaf_.feedAcked && !(hello_->feed == feedAskedAnew());
}

// How far the leaf has the feed. A bundle may be older than what was heard since: then it moves
// nothing, and least of all begins the feed anew.
void HubExchange::moveFeed(Work& work, BundleStanding& standing) {
  storage::Store& store = work.store();
  const std::uint64_t before = store.numberedFeed(leaf_.leaf);
  const FeedCursor& cursor = hello_->feed;
  if (refill_ || cursor == feedAskedAnew()) {
    if (!refill_) refillFeed(work, leaf_);  // else it was, with the chain
    leaf_.feedAcked = before;
    store.putLeaf(leaf_);
  } else if (cursor.number > leaf_.feedAcked) {
    store.pruneFeed(leaf_.leaf, cursor.number);
    leaf_.feedAcked = cursor.number;
    store.putLeaf(leaf_);
  }
  standing.listErasures = !erasures_.isAsConfirmed(store, leaf_);
}

BundleStanding HubExchange::settle() {
  if (!hello_ || frames_.inMidFrame()) {
    throw Failure("sync.cut", "The bundle ended in the middle of a part. What was whole is kept.");
  }
  const storage::Connections::Lease writer = connections_.writer();
  Work work(replica_, *writer);
  storage::Store& store = work.store();
  leaf_ = store.leafByName(leaf_.name).value_or(leaf_);
  BundleStanding standing = readStanding(store, leaf_);
  if (rewind_) {
    standing.lacking = hello_->base;
  } else {
    const bool isOld = isOldBundle();
    if (!isOld || refill_) moveFeed(work, standing);
    standing.lacking.reset();
    Welcome welcome;
    feedFrom_ = hello_->feed;
    welcome.feedHead = numberFeed(store);
    const Position newest = newestOf(store, leaf_);
    const Dot shown = lastShown_.value_or(Dot{hello_->base.incarnation, hello_->base.number});
    standing.agreement = Agreement::kNotCompared;
    if (!isOld && shown == Dot{newest.incarnation, newest.number}) {
      standing.agreement = compare(work, welcome);
      standing.comparedAt = newest;
      standing.comparedFeed = welcome.feedHead;
      noteAgreement(work, leaf_.name, standing.agreement);
    }
  }
  writeStanding(store, leaf_, standing);
  leaf_.lastContactMs = replica_.clock().nowMs();
  store.putLeaf(leaf_);
  work.commit();
  return standing;
}

std::string HubExchange::bundlePart(FeedCursor& at, std::size_t downBytes, bool isFirst) {
  Welcome welcome;
  bool isKnown = true;
  {
    const storage::Connections::Lease writer = connections_.writer();
    Work work(replica_, *writer);
    storage::Store& store = work.store();
    leaf_ = store.leafByName(leaf_.name).value_or(leaf_);
    const std::uint64_t before = store.numberedFeed(leaf_.leaf);
    const BundleStanding standing = readStanding(store, leaf_);
    welcome.received = newestOf(store, leaf_);
    welcome.rewind = standing.lacking.has_value();
    welcome.feedHead = numberFeed(store);
    at.epoch = newestEpoch(store, leaf_);
    welcome.feed = at;
    welcome.clockMs = replica_.clock().nowMs();
    const bool isAsCompared =
        welcome.received == standing.comparedAt && welcome.feedHead == standing.comparedFeed;
    if (isAsCompared) welcome.agreement = standing.agreement;
    isKnown = !standing.listErasures;
    if (welcome.feedHead != before) work.commit();
  }
  const storage::Connections::Lease reader = connections_.reader();
  storage::Store store(*reader);
  std::string body = encodeFrame(FrameType::kWelcome, encodeWelcome(welcome));
  bool mayFeed = true;
  if (isFirst) {
    if (!replica_.hasHub()) body += durableFrame(store, leaf_, leaf_.incarnation, {});
    body += encodeFrame(FrameType::kAside, encodeAside(asideOf(store, leaf_.name)));
    erasures_.assumeConfirmed(store, leaf_, isKnown);
    body += erasures_.answer(store, replica_, leaf_, mayFeed);
  }
  more_ = false;
  if (mayFeed) at = addFeed(store, at, downBytes, body);
  return body + encodeFrame(FrameType::kEnd, more_ ? std::string_view("\x01", 1) : "");
}

}  // namespace waystation::sync

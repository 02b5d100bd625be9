#include "sync/hub.h"

#include "crypto/failure.h"
#include "crypto/signature.h"
#include "sync/admission.h"
#include "sync/byte_stream.h"
#include "sync/scopes.h"

namespace waystation::sync {
namespace {

constexpr std::string_view kEpochKey = "feed.epoch";
constexpr std::int64_t kContactWrittenEveryMs = 600'000;

std::string prefixOf(const std::string& hash) {
  return hash.empty() ? std::string(kHashPrefixSize, '\0') : hash.substr(0, kHashPrefixSize);
}

std::uint64_t feedEpoch(storage::Store& store) {
  const std::optional<std::string> bytes = store.meta(kEpochKey);
  return bytes ? ByteReader(*bytes).fixed64() : 0;
}

}  // namespace

void enrolLeaf(Work& work, const std::string& name, const std::string& publicKey,
               const std::string& certificateHash) {
  storage::Store& store = work.store();
  if (!store.meta(kEpochKey)) {
    ByteWriter epoch;
    epoch.fixed64(work.replica().incarnation());
    store.setMeta(kEpochKey, epoch.bytes());
  }
  if (std::optional<storage::LeafRow> known = store.leafByName(name)) {
    known->publicKey = publicKey;
    known->certificateHash = certificateHash;
    known->revoked = false;
    store.putLeaf(*known);
    refillFeed(work, *known);
    return;
  }
  storage::LeafRow leaf;
  leaf.name = name;
  leaf.publicKey = publicKey;
  leaf.certificateHash = certificateHash;
  leaf.leaf = store.addLeaf(leaf);
  refillFeed(work, leaf);
}

HubExchange::HubExchange(Replica& replica, storage::Connections& connections,
                         const std::string& leafName, Admitted admitted)
    : replica_(replica), connections_(connections), admitted_(std::move(admitted)) {
  const storage::Connections::Lease reader = connections_.reader();
  std::optional<storage::LeafRow> leaf = storage::Store(*reader).leafByName(leafName);
  if (!leaf) {
    throw Failure("sync.unknown-leaf", "No office of the name " + leafName +
                                           " is enrolled here. Enrol it with a token first.");
  }
  if (leaf->revoked) {
    throw Failure("sync.revoked",
                  "The office " + leafName + " has been revoked. Headquarters can enrol it again.");
  }
  leaf_ = std::move(*leaf);
}

void HubExchange::receive(std::string_view bytes) {
  frames_.add(bytes);
  while (const std::optional<Frame> frame = frames_.next()) {
    if (!hello_ && frame->type != FrameType::kHello) {
      throw Failure("sync.malformed", "A sync message does not begin with its hello.");
    }
    switch (frame->type) {
      case FrameType::kHello:
        hello(decodeHello(frame->payload));
        break;
      case FrameType::kIncarnation: {
        const IncarnationNotice notice = decodeIncarnation(frame->payload);
        notices_[notice.incarnation] = notice;
        break;
      }
      case FrameType::kChanges:
        changes(unpack_.changes(frame->payload));
        break;
      case FrameType::kReceipts:
        receipts(decodeReceipts(frame->payload));
        break;
      default:
        break;  // a later version's frame: passed over
    }
  }
}

void HubExchange::hello(const Hello& hello) {
  if (hello.head &&
      !crypto::verifySignature(leaf_.publicKey, headToSign(*hello.head), hello.head->signature)) {
    throw Failure("sync.signature",
                  "The chain of changes is not signed by the office that sends it. Nothing was "
                  "applied.");
  }
  hello_ = hello;
}

void HubExchange::receipts(const std::vector<std::string>& roots) {
  const storage::Connections::Lease writer = connections_.writer();
  Work work(replica_, *writer);
  for (const std::string& root : roots) work.store().removeReleasing(leaf_.leaf, root);
  work.commit();
}

void HubExchange::letIn(Work& work, const ChangesFrame& frame, const Change& change,
                        std::string_view body) {
  if (const auto reason = refusalOf(work.store(), leaf_, frame.incarnation, change)) {
    work.store().addQuarantine(
        {0, leaf_.name, *reason, replica_.clock().nowMs(), std::string(body)});
    ++quarantined_;
    return;
  }
  work.apply(change, leaf_.leaf);
  ++changesIn_;
  if (admitted_) admitted_(work, leaf_, change);
}

// Verifies the chain link by link while letting the changes in; a broken one undoes the frame.
void HubExchange::changes(const ChangesFrame& frame) {
  if (rewind_) return;
  const storage::Connections::Lease writer = connections_.writer();
  Work work(replica_, *writer);
  std::optional<storage::ChainRow> chain = work.store().chain(leaf_.leaf, frame.incarnation);
  if (!chain) {
    const auto notice = notices_.find(frame.incarnation);
    if (notice == notices_.end()) {
      rewind_ = true;
      return;
    }
    chain =
        storage::ChainRow{frame.incarnation, 0, notice->second.parentHash, notice->second.saltKey};
    const auto parent = work.store().chain(leaf_.leaf, notice->second.parent);
    // The office goes on from an older state than it once showed: what it lost comes home.
    if (parent && parent->number > notice->second.parentNumber) refill_ = true;
  }
  lastIncarnation_ = frame.incarnation;
  if (frame.firstNumber > chain->number + 1) {
    rewind_ = true;
    return;
  }
  std::uint64_t number = frame.firstNumber;
  for (const Change& change : frame.changes) {
    if (number++ <= chain->number) continue;
    const std::string body = encodeChange(change);
    chain->number = number - 1;
    chain->hash = nextChainHash(chain->hash, chainSalt(chain->saltKey, chain->number), body);
    letIn(work, frame, change, body);
  }
  if (number - 1 == chain->number && prefixOf(chain->hash) != frame.lastHashPrefix) {
    throw Failure("sync.chain-broken",
                  "The changes received do not continue the chain received before. They were not "
                  "applied; the office's disk may have been copied or restored.");
  }
  if (const auto& head = hello_->head; head && head->incarnation == frame.incarnation &&
                                       head->number == chain->number && head->hash != chain->hash) {
    throw Failure("sync.chain-broken",
                  "The changes received are not those that the office signed. They were not "
                  "applied.");
  }
  work.store().putChain(leaf_.leaf, *chain);
  work.commit();
}

Agreement HubExchange::compare(storage::Store& store, const Welcome& welcome) {
  if (!hello_->digest || welcome.rewind || quarantined_ != 0) return Agreement::kNotCompared;
  if (welcome.feed.number != welcome.feedHead || !welcome.feed.within.empty()) {
    return Agreement::kNotCompared;
  }
  StateSum sum{};
  store.eachScopeDigest(leaf_.leaf,
                        [&](std::string_view digest) { addTo(sum, sumFromBytes(digest)); });
  return sum == *hello_->digest ? Agreement::kAgree : Agreement::kDiffer;
}

// Where the leaf stands, as far as this hub can tell.
void HubExchange::begin(storage::Store& store, const Hello& hello, Welcome& welcome) {
  const ReplicaId incarnation = lastIncarnation_.value_or(hello.base.incarnation);
  const std::optional<storage::ChainRow> chain = store.chain(leaf_.leaf, incarnation);
  welcome.rewind = rewind_;
  if (chain) {
    welcome.received = {incarnation, chain->number, prefixOf(chain->hash)};
    if (!lastIncarnation_ && chain->number < hello.base.number) welcome.rewind = true;
  } else if (hello.base.number != 0) {
    welcome.rewind = true;
  }
  welcome.clockMs = replica_.clock().nowMs();
}

// Fixes where the feed's entries of this answer begin; writes only where something moved.
void HubExchange::startFeed(Welcome& welcome) {
  const storage::Connections::Lease writer = connections_.writer();
  Work work(replica_, *writer);
  storage::Store& store = work.store();
  leaf_ = store.leafByName(leaf_.name).value_or(leaf_);
  const std::uint64_t before = store.numberedFeed(leaf_.leaf);
  const std::uint64_t epoch = feedEpoch(store);
  FeedCursor cursor = hello_->feed;
  const bool first = cursor.epoch == 0 && cursor.number == 0 && leaf_.feedAcked == 0;
  const bool stale = cursor.epoch != epoch && !first;
  if (refill_ || stale || cursor.number > before || cursor.number < leaf_.feedAcked) {
    refillFeed(work, leaf_);
    cursor = {epoch, before, ""};
  }
  cursor.epoch = epoch;
  welcome.feed = cursor;
  welcome.feedHead = store.numberFeed(leaf_.leaf);
  begin(store, *hello_, welcome);
  welcome.agreement = compare(store, welcome);  // in the state in which the feed was numbered
  const std::int64_t now = replica_.clock().nowMs();
  const bool moved = welcome.feedHead != before || leaf_.feedAcked != cursor.number ||
                     now - leaf_.lastContactMs > kContactWrittenEveryMs ||
                     (lastIncarnation_ && leaf_.incarnation != *lastIncarnation_);
  if (!moved) return;
  store.pruneFeed(leaf_.leaf, cursor.number);
  leaf_.feedAcked = cursor.number;
  leaf_.lastContactMs = now;
  leaf_.incarnation = lastIncarnation_.value_or(leaf_.incarnation);
  store.putLeaf(leaf_);
  work.commit();
}

std::string HubExchange::answer(std::size_t downBytes) {
  if (!hello_ || frames_.inMidFrame()) {
    throw Failure("sync.cut", "The request ended in the middle of a part. What was whole is kept.");
  }
  Welcome welcome;
  startFeed(welcome);
  const storage::Connections::Lease reader = connections_.reader();
  storage::Store store(*reader);
  std::string body = encodeFrame(FrameType::kWelcome, encodeWelcome(welcome));
  addFeed(store, welcome.feed, downBytes, body);
  return body + encodeFrame(FrameType::kEnd, more_ ? std::string_view("\x01", 1) : "");
}

}  // namespace waystation::sync

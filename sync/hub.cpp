#include "sync/hub.h"

#include "crypto/failure.h"
#include "crypto/signature.h"
#include "sync/byte_stream.h"
#include "sync/durable.h"
#include "sync/held.h"
#include "sync/quarantine.h"
#include "sync/reconcile.h"
#include "sync/reissue.h"
#include "sync/reports.h"
#include "sync/scopes.h"

namespace waystation::sync {
namespace {

constexpr std::int64_t kContactWrittenEveryMs = 600'000;

std::string prefixOf(const std::string& hash) {
  return hash.empty() ? std::string(kHashPrefixSize, '\0') : hash.substr(0, kHashPrefixSize);
}

[[noreturn]] void brokenChain() {
  throw Failure("sync.chain-broken",
                "The changes received do not continue the chain received before. They were not "
                "applied; the office's disk may have been copied or restored.");
}

}  // namespace

void enrolLeaf(Work& work, const std::string& name, const std::string& publicKey,
               const std::string& certificateHash, const std::string& home,
               const std::string& sealingKey) {
  storage::Store& store = work.store();
  if (std::optional<storage::LeafRow> known = store.leafByName(name)) {
    known->publicKey = publicKey;
    known->certificateHash = certificateHash;
    known->revoked = false;
    known->home = home;
    known->sealingKey = sealingKey;
    store.putLeaf(*known);
    refillFeed(work, *known);
    return;
  }
  if (store.leaves().empty()) followAllReferences(work);
  storage::LeafRow leaf;
  leaf.name = name;
  leaf.publicKey = publicKey;
  leaf.certificateHash = certificateHash;
  leaf.home = home;
  leaf.sealingKey = sealingKey;
  leaf.leaf = store.addLeaf(leaf);
  refillFeed(work, leaf);
}

HubExchange::HubExchange(Replica& replica, storage::Connections& connections,
                         const std::string& leafName, Admitted admitted)
    : replica_(replica),
      connections_(connections),
      admitted_(std::move(admitted)),
      files_(replica, connections) {
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
      case FrameType::kGone:
        gone(decodeGone(frame->payload));
        break;
      case FrameType::kReceipts:
        receipts(decodeReceipts(frame->payload));
        break;
      case FrameType::kSeal:
        seal_ = decodeSeal(frame->payload);
        break;
      case FrameType::kCarriedSeal:
        carriedSeals_.add(decodeCarriedSeal(frame->payload));
        break;
      case FrameType::kReturned:
        returned(decodeHealing(frame->payload));
        break;
      case FrameType::kAhead:
        ahead(decodeHealing(frame->payload));
        break;
      case FrameType::kSubtree:
        subtree(decodeSubtree(frame->payload));
        break;
      case FrameType::kAsideKnown:
        asideKnown_ = frame->payload;
        break;
      case FrameType::kDurableKnown:
        durableKnown_ = frame->payload;
        break;
      case FrameType::kHeldAsked:
        heldAsked_ = frame->payload;
        break;
      default:
        // What is nobody's is a later version's frame: passed over.
        if (erasures_.take(replica_, connections_, leaf_, *frame)) break;
        if (!files_.take(leaf_, *frame)) healingWords_.take(*frame);
    }
  }
}

void HubExchange::hello(const Hello& hello) {
  if (hello_) throw Failure("sync.malformed", "A sync message holds two hellos.");
  hello_ = hello;
  // What comes would be judged by what this hub has lost: that has to come home first.
  const storage::Connections::Lease reader = connections_.reader();
  storage::Store store(*reader);
  lost_ = rewind_ = hasLost(store, hello.feed);
  if (lost_ && byBundle_) {
    throw Failure("bundle.needs-link",
                  "This node was restored, and has lost what it had sent to " + leaf_.name +
                      ". Nothing of the bundle was taken; connect the office once by the link, "
                      "which brings it back.");
  }
}

void HubExchange::receipts(const std::vector<std::string>& roots) {
  if (isOldBundle()) return;
  const storage::Connections::Lease writer = connections_.writer();
  Work work(replica_, *writer);
  for (const std::string& root : roots) work.store().setReleased(leaf_.leaf, root);
  work.commit();
}

// The chain of an incarnation that was not heard of before. Nothing where this hub lacks what it
// continues: a restored hub has to get that first.
std::optional<storage::ChainRow> HubExchange::begun(Work& work, ReplicaId incarnation) {
  const auto announced = notices_.find(incarnation);
  if (announced == notices_.end()) return std::nullopt;
  const IncarnationNotice& notice = announced->second;
  leaf_ = work.store().leafByName(leaf_.name).value_or(leaf_);
  if (notice.parent != 0) {
    const auto parent = work.store().chain(leaf_.leaf, notice.parent);
    if (!parent || parent->number < notice.parentNumber) return std::nullopt;
    if (parent->number == notice.parentNumber && parent->hash != notice.parentHash) brokenChain();
    // The office goes on from an older state than it once showed: what it lost comes home.
    if (parent->number > notice.parentNumber) refill_ = true;
  }
  if (work.store().claimReplica(incarnation, leaf_.name) != leaf_.name) brokenChain();
  if (leaf_.incarnation != notice.parent) refill_ = true;
  leaf_.incarnation = incarnation;
  work.store().putLeaf(leaf_);
  if (refill_) refillFeed(work, leaf_);  // with the chain: the answer may never be made
  return storage::ChainRow{incarnation, 0, notice.parentHash, notice.saltKey};
}

// The chain that these links continue; nothing, and a rewind, where they do not.
std::optional<storage::ChainRow> HubExchange::continued(Work& work, const Links& links) {
  std::optional<storage::ChainRow> chain = work.store().chain(leaf_.leaf, links.incarnation);
  if (!chain) chain = begun(work, links.incarnation);
  if (!chain || links.firstNumber > chain->number + 1) {
    rewind_ = true;
    return std::nullopt;
  }
  const Position& base = hello_->base;
  const bool goesOn = !lastShown_ && base.incarnation == links.incarnation;
  if (goesOn && base.number == chain->number && base.hashPrefix != prefixOf(chain->hash)) {
    brokenChain();
  }
  lastShown_ = {links.incarnation, links.lastNumber()};
  return chain;
}

// What these links lead to is what the leaf has signed. Where they are all known, they lead
// nowhere.
void HubExchange::requireSigned(const Links& links, const storage::ChainRow& chain,
                                std::string_view signature) {
  if (chain.number != links.lastNumber()) return;
  const std::string head = headToSign(chain.incarnation, chain.number, chain.hash);
  if (!crypto::verifySignature(leaf_.publicKey, head, signature)) {
    throw Failure("sync.signature",
                  "The changes received are not those that the office signed. They were not "
                  "applied.");
  }
}

// A change sent again must be the one that came the first time: one dot never has two bodies. An
// office may have let go of it since.
void HubExchange::requireSame(storage::Store& store, const Change& change, std::string_view body) {
  const Held held = heldOf(store, change);
  if (held == Held::kPart || held == Held::kWhole) return;
  if (held == Held::kNothing && replica_.hasHub()) return;
  if (!store.isQuarantined(body) && !touchesErased(store, change)) brokenChain();
}

// Verifies the chain link by link while letting the changes in; a broken one undoes the frame.
void HubExchange::changes(const ChangesFrame& frame) {
  if (rewind_) return;
  const Links links{frame.incarnation, frame.firstNumber, frame.changes.size()};
  std::optional<FrameSeal> seal = takeSeal(frame);
  const storage::Connections::Lease writer = connections_.writer();
  Work work(replica_, *writer);
  std::optional<storage::ChainRow> chain = continued(work, links);
  if (!chain) return;
  std::uint64_t number = frame.firstNumber;
  for (const Change& change : frame.changes) {
    const std::string body = encodeChange(change);
    if (seal && change.dot.replica == links.incarnation) ++seal->position;
    if (number <= chain->number) {
      requireSame(work.store(), change, body);
    } else {
      const std::string digest = linkDigest(chainSalt(chain->saltKey, number), body);
      chain->number = number;
      chain->hash = nextChainHash(chain->hash, digest);
      // What it carries may have seen what came just before it.
      if (change.dot.replica != links.incarnation) work.store().putChain(leaf_.leaf, *chain);
      take(work, {links.incarnation, number}, change, body, seal);
    }
    ++number;
  }
  requireSigned(links, *chain, frame.signature);
  work.store().putChain(leaf_.leaf, *chain);
  changesIn_ += letInAwaited(work, admitted_);
  work.commit();
}

void HubExchange::gone(const GoneFrame& frame) {
  if (rewind_) return;
  const Links links{frame.incarnation, frame.firstNumber, frame.digests.size()};
  const storage::Connections::Lease writer = connections_.writer();
  Work work(replica_, *writer);
  std::optional<storage::ChainRow> chain = continued(work, links);
  if (!chain) return;
  std::uint64_t number = frame.firstNumber;
  for (const std::string& digest : frame.digests) {
    if (number > chain->number) {
      chain->number = number;
      chain->hash = nextChainHash(chain->hash, digest);
    }
    ++number;
  }
  requireSigned(links, *chain, frame.signature);
  work.store().putChain(leaf_.leaf, *chain);
  work.commit();
}

Agreement HubExchange::compare(Work& work, const Welcome& welcome) {
  if (!hello_->digest || welcome.rewind || isGuest(leaf_, replica_.node()) ||
      !erasures_.areEqual(work.store())) {
    return Agreement::kNotCompared;
  }
  if (feedFrom_.number != welcome.feedHead || !feedFrom_.within.empty()) {
    return Agreement::kNotCompared;
  }
  if (newsOfAside(work.store())) return Agreement::kNotCompared;  // it may have to take some back
  const std::optional<StateSum> expected = expectedSum(work, leaf_);
  if (!expected) return Agreement::kNotCompared;
  if (*expected == *hello_->digest) return Agreement::kAgree;
  // While it is being mended, the digest is that of before.
  return healingWords_.any() ? Agreement::kNotCompared : Agreement::kDiffer;
}

Position newestOf(storage::Store& store, const storage::LeafRow& leaf) {
  const std::optional<storage::ChainRow> chain = store.chain(leaf.leaf, leaf.incarnation);
  if (!chain) return {0, 0, prefixOf("")};
  return {chain->incarnation, chain->number, prefixOf(chain->hash)};
}

// Where the leaf stands, as far as this hub can tell. What the leaf can tell itself is left out.
void HubExchange::begin(storage::Store& store, const Hello& hello, Welcome& welcome) {
  welcome.clockMs = replica_.clock().nowMs();
  welcome.rewind = rewind_ || lacksDevices_;
  const ReplicaId incarnation = lastShown_ ? lastShown_->replica : hello.base.incarnation;
  const std::optional<storage::ChainRow> chain = store.chain(leaf_.leaf, incarnation);
  if (!chain) {
    welcome.received = newestOf(store, leaf_);
    if (hello.base.number != 0) welcome.rewind = true;
  } else {
    const Position known{incarnation, chain->number, prefixOf(chain->hash)};
    welcome.received = known;
    if (!lastShown_ && known.number < hello.base.number) welcome.rewind = true;
    if (!lastShown_ && known.number == hello.base.number &&
        known.hashPrefix != hello.base.hashPrefix) {
      brokenChain();
    }
  }
  const Position& told = *welcome.received;
  const bool isAsSent = lastShown_ ? told.number == lastShown_->counter : told == hello.base;
  if (isAsSent && !welcome.rewind) welcome.received.reset();
}

// What the leaf does not know yet of its changes that are kept aside.
std::optional<std::string> HubExchange::newsOfAside(storage::Store& store) {
  const std::vector<storage::AsideRow> aside = asideOf(store, leaf_.name);
  if (aside.empty() ? asideKnown_.empty() : asideKnown_ == asideMark(aside)) return std::nullopt;
  return encodeAside(aside);
}

// Fixes where the feed's entries of this answer begin; writes only where something moved.
void HubExchange::startFeed(Welcome& welcome) {
  const storage::Connections::Lease writer = connections_.writer();
  Work work(replica_, *writer);
  storage::Store& store = work.store();
  leaf_ = store.leafByName(leaf_.name).value_or(leaf_);
  const bool mended = checkSomeRoots(work) != 0;
  const std::size_t released = letInAwaited(work, admitted_);  // for what its own hub has fed it
  changesIn_ += released;
  const std::uint64_t before = store.numberedFeed(leaf_.leaf);
  begin(store, *hello_, welcome);
  noticeOlderCopy(store, *hello_, welcome);
  FeedCursor cursor = hello_->feed;
  if (refill_ || lost_ || cursor.number > before || cursor.number < leaf_.feedAcked) {
    refillFeed(work, leaf_);
    cursor = {0, before, ""};
  }
  welcome.feedHead = lost_ ? before : numberFeed(store);
  const std::vector<storage::FeedEpochRow> epochs = store.feedEpochs(leaf_.leaf);
  cursor.epoch = epochs.empty() ? 0 : epochs.front().epoch;
  if (!(cursor == hello_->feed)) welcome.feed = cursor;
  feedFrom_ = cursor;
  welcome.agreement = compare(work, welcome);  // in the state in which the feed was numbered
  bool noted = noteAgreement(work, leaf_.name, welcome.agreement);
  if (!replica_.hasHub()) {
    const bool isAll = hello_->digest && !welcome.rewind && !lost_ && erasures_.areEqual(store);
    noted = (isAll && hearReport(store, leaf_.name)) || noted;
  }
  const std::int64_t now = replica_.clock().nowMs();
  const bool moved = mended || noted || released != 0 || welcome.feedHead != before ||
                     leaf_.feedAcked != cursor.number ||
                     now - leaf_.lastContactMs > kContactWrittenEveryMs;
  if (!moved) return;
  store.pruneFeed(leaf_.leaf, cursor.number);
  leaf_.feedAcked = cursor.number;
  leaf_.lastContactMs = now;
  store.putLeaf(leaf_);
  work.commit();
}

std::string HubExchange::heal(const Welcome& welcome) {
  const bool differ = welcome.agreement == Agreement::kDiffer;
  if (!differ && !healingWords_.any()) return {};
  if (isGuest(leaf_, replica_.node()) || lost_) return {};
  const storage::Connections::Lease writer = connections_.writer();
  Work work(replica_, *writer);
  std::string frames = healAtHub(work, leaf_, healingWords_, differ, healing_);
  work.commit();
  return frames;
}

std::string HubExchange::answer(std::size_t downBytes) {
  if (!hello_ || frames_.inMidFrame()) {
    throw Failure("sync.cut", "The request ended in the middle of a part. What was whole is kept.");
  }
  if (heldAsked_) {
    const storage::Connections::Lease reader = connections_.reader();
    storage::Store store(*reader);
    return heldUpTo(store, leaf_.leaf, *heldAsked_) + encodeFrame(FrameType::kEnd, "");
  }
  Welcome welcome;
  startFeed(welcome);
  const std::string healing = heal(welcome);
  const storage::Connections::Lease reader = connections_.reader();
  storage::Store store(*reader);
  std::string body = lost_ ? lostFrame(store) : std::string();
  body += encodeFrame(FrameType::kWelcome, encodeWelcome(welcome));
  bool mayFeed = !isGuest(leaf_, replica_.node());
  if (mayFeed) {
    if (durableKnown_ && !replica_.hasHub()) {
      body += durableFrame(store, leaf_, hello_->base.incarnation, *durableKnown_);
    }
    if (const auto news = newsOfAside(store)) body += encodeFrame(FrameType::kAside, *news);
    body += erasures_.answer(store, replica_, leaf_, mayFeed);
  }
  mayFeed = mayFeed && !lost_;
  if (mayFeed) static_cast<void>(addFeed(store, feedFrom_, downBytes, body));
  body += healing;
  if (mayFeed) body += files_.answer(store, leaf_);
  return body + encodeFrame(FrameType::kEnd, more_ ? std::string_view("\x01", 1) : "");
}

}  // namespace waystation::sync

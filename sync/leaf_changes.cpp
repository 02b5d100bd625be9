// What a leaf sends of its chain: the links that its hub has not acknowledged, in frames.

#include "crypto/failure.h"
#include "sync/leaf.h"
#include "sync/seal.h"

namespace waystation::sync {
namespace {

constexpr int kLinksAtOnce = 500;

std::string prefixOf(const std::string& hash) {
  return hash.substr(0, kHashPrefixSize);
}

IncarnationNotice noticeOf(storage::Store& store, ReplicaId incarnation) {
  const std::optional<storage::IncarnationRow> row = store.incarnation(incarnation);
  if (!row) {
    throw Failure("store.damaged-chain",
                  "The chain of this node's own changes is damaged. Run `waystation check`.");
  }
  return {row->id, row->parent, row->parentNumber, row->parentHash, row->saltKey};
}

}  // namespace

// Collects consecutive links of one incarnation until a frame is full.
struct LeafExchange::UpFrames {
  LeafExchange& exchange;
  storage::Store& store;
  PackedFrameWriter frames;
  FrameSizes sizes;
  ChangesFrame held;
  GoneFrame gone;
  SealsToCarry carried;
  std::size_t frameBytes = 0;
  std::string head;  // of the chain after the last link, to be signed

  UpFrames(LeafExchange& owner, storage::Store& from)
      : exchange(owner), store(from), carried(from) {}

  void add(const storage::UpwardRow& link, const storage::JournalRow& entry) {
    Change change = decodeChange(entry.body);
    const std::size_t weight = weightOf(change, entry.body.size());
    if (!gone.digests.empty() || frameBytes + weight > sizes.next()) flush();
    if (held.changes.empty()) {
      held.incarnation = link.incarnation;
      held.firstNumber = link.number;
    }
    held.changes.push_back(std::move(change));
    if (entry.replica != link.incarnation) addCarried(entry);
    standAt(link);
    frameBytes += weight;
  }

  void addGone(const storage::UpwardRow& link) {
    if (!held.changes.empty() || frameBytes > sizes.next()) flush();
    if (gone.digests.empty()) {
      gone.incarnation = link.incarnation;
      gone.firstNumber = link.number;
    }
    gone.digests.push_back(link.digest);
    standAt(link);
    frameBytes += link.digest.size();
  }

  void standAt(const storage::UpwardRow& link) {
    exchange.sent_ = {link.incarnation, link.number, prefixOf(link.hash)};
    head = headToSign(link.incarnation, link.number, link.hash);
  }

  // A change that another device made goes up under that device's seal.
  void addCarried(const storage::JournalRow& entry) {
    const std::optional<storage::SealedRow> place = store.sealed(entry.seq);
    if (!place) return;
    carried.add({entry.replica, entry.counter}, *place);
    frameBytes += place->salt.size();
  }

  // This node's own, where its hub has to carry them further.
  void addSeal() {
    SealMaker seal(exchange.replica_.random().bytes(kSealSeedSize));
    for (const Change& change : held.changes) {
      if (change.dot.replica == held.incarnation) seal.add(encodeChange(change));
    }
    if (seal.empty()) return;
    frames.plain(FrameType::kSeal, encodeSeal({seal.seed(), seal.sign(exchange.key_)}));
  }

  void flush() {
    for (const CarriedSeal& seal : carried.take()) {
      frames.plain(FrameType::kCarriedSeal, encodeCarriedSeal(seal));
    }
    const bool seals = exchange.replica_.sealsChanges();
    if (!held.changes.empty() && seals) addSeal();
    if (frameBytes != 0) held.signature = gone.signature = exchange.key_.sign(head);
    if (!held.changes.empty()) frames.changes(held);
    if (!gone.digests.empty()) frames.plain(FrameType::kGone, encodeGone(gone));
    // A seal travels whole with each of its changes that is carried further: it stays short.
    if (frameBytes != 0 && !seals) sizes.advance();
    held.changes.clear();
    gone.digests.clear();
    frameBytes = 0;
  }
};

void LeafExchange::addChanges(storage::Store& store, std::string& body) {
  UpFrames up(*this, store);
  std::size_t total = 0;
  std::int64_t after = behind_.value_or(readLeafState(store, hub_).acknowledgedSeq);
  ReplicaId announced = hello_.base.incarnation;
  while (!moreUp_) {
    const std::vector<storage::UpwardRow> links = store.upwardAfter(after, kLinksAtOnce);
    if (links.empty()) break;
    for (const storage::UpwardRow& link : links) {
      if (total > upBytes_) {
        moreUp_ = true;
        break;
      }
      if (link.incarnation != announced) {
        up.flush();
        up.frames.plain(FrameType::kIncarnation,
                        encodeIncarnation(noticeOf(store, link.incarnation)));
        announced = link.incarnation;
      }
      // Without its salt a part of the body was erased: the link stands by its digest.
      const std::optional<storage::JournalRow> entry = store.journal(link.seq);
      if (entry && !link.salt.empty()) {
        up.add(link, *entry);
        total += entry->body.size();
        ++outcome_.changesUp;
      } else {
        up.addGone(link);
        total += link.digest.size();
      }
      after = sentSeq_ = link.seq;
    }
  }
  up.flush();
  body += up.frames.take();
}

}  // namespace waystation::sync

#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "storage/database.h"
#include "sync/erasure.h"
#include "sync/feed_codec.h"
#include "sync/file_exchange.h"
#include "sync/frame.h"
#include "sync/healing.h"
#include "sync/messages.h"
#include "sync/replica.h"
#include "sync/seal.h"

namespace waystation::sync {

// Called in the transaction that let in a change of a leaf; may save what the hub answers to it
// (a hand-over that was asked for).
using Admitted =
    std::function<void(Work& work, const storage::LeafRow& leaf, const Change& change)>;

// Makes a leaf known and queues what it is to hold. `publicKey`: its Ed25519 key, 32 bytes. `home`:
// of a phone, the office it belongs to (this hub's own node, or another whose guest it is); empty:
// it is an office. `sealingKey`: the X25519 key that bundles for it are sealed to; empty: not
// known.
void enrolLeaf(Work& work, const std::string& name, const std::string& publicKey,
               const std::string& certificateHash, const std::string& home = "",
               const std::string& sealingKey = "");

// What a hub keeps for the next bundle to a leaf, of those that it had from it.
struct BundleStanding {
  std::optional<Position> lacking;  // the leaf began behind this, and this hub has less
  bool listErasures = false;        // the leaf holds others than this hub knows it to hold
  Agreement agreement = Agreement::kNotCompared;  // at the two that follow
  Position comparedAt;
  std::uint64_t comparedFeed = 0;
};
BundleStanding readStanding(storage::Store& store, const storage::LeafRow& leaf);
void writeStanding(storage::Store& store, const storage::LeafRow& leaf, const BundleStanding& is);
// Where the feed for a leaf goes on, as far as it has acknowledged it.
struct FeedPlace {
  FeedCursor cursor;
  bool beginsAnew = false;  // wherever the leaf stands before it
};
FeedPlace feedPlace(storage::Store& store, const storage::LeafRow& leaf);
// The furthest that this hub has of the leaf's chain.
Position newestOf(storage::Store& store, const storage::LeafRow& leaf);

// One exchange from the hub's side. Frames are applied as they become whole, each in a transaction
// of its own, so what a cut request brought is kept.
class HubExchange {
 public:
  // Borrows the first two. Throws Failure("sync.unknown-leaf" / "sync.revoked").
  HubExchange(Replica& replica, storage::Connections& connections, const std::string& leafName,
              Admitted admitted = {});

  // Bytes of the request as they arrive. Throws Failure: "sync.malformed", "sync.chain-broken",
  // "sync.signature", "sync.frame-too-large", "sync.version".
  void receive(std::string_view bytes);
  // After the whole request: the answer's body, about `downBytes` before compression.
  std::string answer(std::size_t downBytes = 8 * 1024 * 1024);

  // A bundle's parts (sync/bundle.h) instead of one exchange over the link. Reading: say so before
  // receive(), and settle() in the place of answer(): cursors that are behind what was heard since
  // move nothing. Writing: no receive(), but parts of the answer, the feed from behind `at`, which
  // moves to where the next part begins; moves no cursor.
  void takesBundle();
  BundleStanding settle();
  std::string bundlePart(FeedCursor& at, std::size_t downBytes, bool isFirst);
  bool hasMoreDown() const { return more_; }
  // What was received does not follow on what this hub has.
  bool hasGap() const { return rewind_; }

  std::size_t changesIn() const { return changesIn_; }
  std::size_t quarantined() const { return quarantined_; }
  const HealingCounts& healing() const { return healing_; }

 private:
  struct FeedBuilder;
  // Consecutive links of one incarnation, with their changes or without.
  struct Links {
    ReplicaId incarnation = 0;
    std::uint64_t firstNumber = 0;
    std::size_t count = 0;
    std::uint64_t lastNumber() const { return firstNumber + count - 1; }
  };
  void hello(const Hello& hello);
  void changes(const ChangesFrame& frame);
  void gone(const GoneFrame& frame);
  std::optional<storage::ChainRow> continued(Work& work, const Links& links);
  std::optional<storage::ChainRow> begun(Work& work, ReplicaId incarnation);
  void requireSigned(const Links& links, const storage::ChainRow& chain,
                     std::string_view signature);
  void requireSame(storage::Store& store, const Change& change, std::string_view body);
  // The sender's own seal over a frame, verified; `position` walks with the changes.
  struct FrameSeal {
    SealMaker maker;
    std::string signature;
    std::uint64_t position = 0;
  };
  struct Arrival;
  struct Origin;
  void subtree(const std::vector<storage::DeviceRow>& devices);
  std::optional<FrameSeal> takeSeal(const ChangesFrame& frame);
  void take(Work& work, const Dot& link, const Change& change, std::string_view body,
            const std::optional<FrameSeal>& seal);
  void letIn(Work& work, const Arrival& arrival, const Change& received, std::string_view whole);
  void leaveWhatIsNotTheirs(Work& work, const storage::LeafRow& carrier, const Change& change);
  void askForDevices(storage::Store& store, const storage::LeafRow& carrier,
                     std::string_view office);
  void letInAnnounced(Work& work, const std::vector<storage::DeviceRow>& devices);
  Origin originOf(Work& work, const Arrival& arrival, const Change& change);
  void judgeBy(storage::Store& store, const storage::LeafRow& carrier, const std::string& office,
               Origin& origin);
  storage::SealedRow kept(storage::Store& store, const CarriedSeals::Proof& proof);
  bool hasLost(storage::Store& store, const FeedCursor& cursor) const;
  std::string lostFrame(storage::Store& store) const;
  std::uint64_t numberFeed(storage::Store& store);
  void returned(const std::vector<Change>& changes);
  void takeReturned(Work& work, const Change& received);
  void keepFromAbove(storage::Store& store, std::int64_t seq,
                     const std::vector<CarriedSeals::Proof>& proofs);
  bool isOwn(const storage::SealRow& seal);
  void receipts(const std::vector<std::string>& roots);
  void ahead(const std::vector<Change>& copies);
  void begin(storage::Store& store, const Hello& hello, Welcome& welcome);
  void noticeOlderCopy(storage::Store& store, const Hello& hello, Welcome& welcome);
  void startFeed(Welcome& welcome);
  std::optional<std::string> newsOfAside(storage::Store& store);
  Agreement compare(Work& work, const Welcome& welcome);
  std::string heal(const Welcome& welcome);
  FeedCursor addFeed(storage::Store& store, const FeedCursor& from, std::size_t downBytes,
                     std::string& body);
  bool isOldBundle() const;
  void moveFeed(Work& work, BundleStanding& standing);

  Replica& replica_;
  storage::Connections& connections_;
  Admitted admitted_;
  storage::LeafRow leaf_;
  FrameReader frames_;
  PackedFrameReader unpack_;
  std::optional<Hello> hello_;
  std::map<ReplicaId, IncarnationNotice> notices_;
  std::optional<SealNotice> seal_;  // of the frame of changes that follows
  CarriedSeals carriedSeals_;
  std::map<std::string, std::int64_t> keptSeals_;  // rows of the store, by signature
  std::optional<Dot> lastShown_;                   // of the leaf's links in this request, the last
  FeedCursor feedFrom_;                            // where the feed of the answer begins
  std::map<std::string, bool> ownSeals_;           // by signature: whether it is this hub's
  bool rewind_ = false;        // the leaf's changes do not follow on what this hub has
  bool lacksDevices_ = false;  // the leaf has devices below it that this hub does not know
  bool lost_ = false;          // the leaf was fed more than this hub knows of
  bool refill_ = false;        // the leaf lacks what it once had
  std::string asideKnown_;     // what the leaf knows to be kept aside; empty: nothing
  std::optional<std::string> durableKnown_;  // what it knows to be durable, where it waits for more
  std::optional<std::string> heldAsked_;     // all that this exchange is about
  bool more_ = false;
  bool byBundle_ = false;
  HealingWords healingWords_;
  HubErasures erasures_;
  HubFiles files_;
  HealingCounts healing_;
  std::size_t changesIn_ = 0;
  std::size_t quarantined_ = 0;
};

}  // namespace waystation::sync

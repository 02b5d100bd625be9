#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/signature.h"
#include "storage/database.h"
#include "sync/bundle_format.h"
#include "sync/erasure.h"
#include "sync/feed_codec.h"
#include "sync/file_exchange.h"
#include "sync/frame.h"
#include "sync/healing.h"
#include "sync/messages.h"
#include "sync/replica.h"
#include "sync/seal.h"

namespace waystation::sync {

// What a leaf knows of where it stands with its hub; kept in its store.
struct LeafState {
  Position acknowledged;             // what the hub said it has
  std::int64_t acknowledgedSeq = 0;  // the same as a journal entry: all up to it is at the hub
  FeedCursor feed;                   // how far this node has it
  std::string announced;  // hash of what the hub knows of the nodes below this one; empty: none
  std::optional<std::uint64_t> feedHead;  // the number of the feed's last entry, as the hub said it

  // Entries that have not come yet; nothing: the hub was never heard.
  std::optional<std::uint64_t> toCome() const;
};
// `hub`: its name where a node has more than one, a phone that is a guest at other offices.
LeafState readLeafState(storage::Store& store, const std::string& hub = "");
void writeLeafState(storage::Store& store, const std::string& hub, const LeafState& state);

// The next bundle asks the hub for all of its feed, unless the feed has moved until then.
void askForFeedAnew(storage::Store& store, const std::string& hub = "");

// A place in the chain of what goes up, as a link and as a journal entry.
struct ChainPlace {
  Position position;
  std::int64_t seq = 0;
};

struct ExchangeOutcome {
  std::size_t changesUp = 0;
  std::size_t changesDown = 0;
  std::size_t rootsEntered = 0;
  std::size_t rootsLeft = 0;
  std::size_t chunks = 0;  // of files, that came or that the hub has said to have got
  bool more = false;       // either side has more to send: go on at once
  bool rewound = false;    // the hub has less than this leaf thought
  Agreement agreement = Agreement::kNotCompared;
  HealingCounts healing;           // what was mended, of a difference found in this one or before
  std::int64_t clockOffsetMs = 0;  // hub minus leaf, the way of the answer not taken off
};

// One exchange from the leaf's side: bytes out, bytes in. Whole frames of a cut answer count; each
// is applied in a transaction of its own.
class LeafExchange {
 public:
  // Borrows all three. `upBytes`: about how much of its changes to send, before compression. `hub`:
  // as for readLeafState().
  LeafExchange(Replica& replica, storage::Connections& connections, const crypto::SigningKey& key,
               std::size_t upBytes = 8 * 1024 * 1024, std::string hub = "");

  // At most so many chunks of files each way.
  void allowChunks(std::size_t up, std::size_t down) { files_.allow(up, down); }

  // The request's body; call once.
  std::string request();
  // Instead of request(): copies of what is urgent and was saved behind the journal entry `after`,
  // which moves on; empty where there is none. Nothing is answered.
  // `passesFiles`: as for urgentCopies().
  std::string requestAhead(std::int64_t& after, bool passesFiles = false);
  // Where the request carries chunks of files, or asks for some: the last journal entry that goes
  // before them or has gone.
  std::optional<std::int64_t> filesBehind() const;
  // Bytes of the answer as they arrive. Throws what frames and changes throw.
  void receive(std::string_view bytes);
  // Instead of request(): one part of a bundle (sync/bundle.h), the changes behind `at`, which
  // moves to where the next part begins. Moves no cursor.
  std::string bundlePart(ChainPlace& at, bool isFirst);
  bool hasMoreUp() const { return moreUp_; }
  std::size_t changesUp() const { return outcome_.changesUp; }
  // What is received is a part of this bundle, which may be old: it is taken as far as it leads on.
  void takesBundle(const BundleManifest& manifest) { bundle_ = manifest; }

  // The answer is over. Throws Failure("sync.cut") where it is not whole: what came is kept.
  ExchangeOutcome finish();

 private:
  struct UpFrames;
  void addChanges(storage::Store& store, std::string& body);
  void addDigest(storage::Store& store);
  void addSubtree(storage::Store& store, const std::string& announced, std::string& body);
  void welcome(const Welcome& welcome);
  std::optional<storage::UpwardRow> linkAtHub(storage::Store& store, const Position& received);
  void acknowledge(storage::Store& store, const Welcome& welcome, LeafState& state);
  void acknowledgeByBundle(storage::Store& store, const Welcome& welcome, LeafState& state);
  void welcomeByBundle(const Welcome& welcome);
  bool isNews(storage::Store& store, const FeedCursor& after);
  void applyFeed(const FeedFrame& frame);
  void applyItem(Work& work, const FeedItem& item);
  bool addReturned(storage::Store& store, std::string& body);
  bool noteReturned(storage::Store& store);
  void hearOfAside(const std::vector<storage::AsideRow>& rows);
  void hearOfDurable(std::string_view payload);
  void letGo();
  void checkRoots();
  void heal();
  void takeBackDiscarded();

  Replica& replica_;
  storage::Connections& connections_;
  const crypto::SigningKey& key_;
  std::size_t upBytes_;
  std::string hub_;
  std::string announcing_;  // hash of what this request says of the nodes below
  Hello hello_;
  std::vector<std::string> receipts_;
  HealingWords healingWords_;
  LeafFiles files_;
  std::string healingFrames_;
  std::vector<std::string> reportedErasures_;
  std::string asideKnown_;
  FrameReader frames_;
  PackedFrameReader unpack_;
  std::uint64_t feedEpoch_ = 0;
  std::uint64_t feedHead_ = 0;
  std::optional<SealNotice> seal_;               // of the frame of the feed that follows
  CarriedSeals sealsFromAbove_;                  // over its changes, of hubs above this one's
  std::optional<std::vector<FeedCursor>> lost_;  // what the hub says it has lost
  std::int64_t returnedUpTo_ = 0;                // the last seal whose changes this request returns
  bool welcomed_ = false;
  bool ended_ = false;
  bool moreUp_ = false;
  std::optional<BundleManifest> bundle_;
  bool bundleIsOld_ = false;            // this leaf has heard later things than it says
  std::optional<std::int64_t> behind_;  // send what is behind this journal entry
  std::int64_t sentSeq_ = 0;            // the last journal entry that this exchange sends
  Position sent_;  // the link of it, or where the hello said that the hub stands
  ExchangeOutcome outcome_;
};

}  // namespace waystation::sync

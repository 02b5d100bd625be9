// The answer's feed: entries become frames, the state of an ENTER being made as it is sent.

#include <iterator>
#include <utility>

#include "sync/hub.h"
#include "sync/scopes.h"

namespace waystation::sync {
namespace {

using storage::FeedType;

constexpr int kRowsAtOnce = 200;
constexpr int kRecordsAtOnce = 50;
constexpr std::size_t kItemBytes = 20;  // of an entry without its changes

}  // namespace

// Collects items until a frame is full.
struct HubExchange::FeedBuilder {
  const Replica& replica;
  PackedFrameWriter frames;
  FrameSizes sizes;
  FeedFrame frame;
  std::size_t frameBytes = 0;
  std::size_t total = 0;
  bool stands = false;  // whether the frame begun says where the leaf stands after it
  FeedCursor reached;   // where the leaf stands after all of it

  explicit FeedBuilder(const Replica& owner) : replica(owner) {}

  void add(FeedItem item, std::size_t bytes) {
    const bool continues = !frame.items.empty() && item.type == FeedType::kEnter &&
                           frame.items.back().type == FeedType::kEnter &&
                           frame.items.back().root == item.root;
    if (continues) {
      std::vector<Change>& changes = frame.items.back().changes;
      std::move(item.changes.begin(), item.changes.end(), std::back_inserter(changes));
    } else {
      frame.items.push_back(std::move(item));
    }
    frameBytes += bytes;
    total += bytes;
  }

  void standAt(std::uint64_t number, std::string within) {
    frame.after.number = reached.number = number;
    frame.after.within = reached.within = std::move(within);
    stands = true;
    if (frameBytes >= sizes.next()) flush();
  }

  void flush() {
    if (!stands) return;
    addSeal();
    frames.feed(frame);
    sizes.advance();
    frame.items.clear();
    frame.after = {};
    frameBytes = 0;
    stands = false;
  }

  // By which this hub knows again what it fed, should it lose it.
  void addSeal() {
    if (replica.signingKey() == nullptr) return;
    SealMaker seal(replica.random().bytes(kSealSeedSize));
    for (const FeedItem& item : frame.items) {
      for (const Change& change : item.changes) seal.add(encodeChange(change));
    }
    if (seal.empty()) return;
    frames.plain(FrameType::kSeal, encodeSeal({seal.seed(), seal.sign(*replica.signingKey())}));
  }

  // The records of a root from behind `within`, in pieces. Answers whether the root is through.
  bool enter(storage::Store& store, const storage::FeedRow& row, std::string within,
             std::size_t limit) {
    const RecordId root = RecordId::fromBytes(row.root);
    while (true) {
      const auto records = store.recordsOfRoot(row.root, within, kRecordsAtOnce);
      if (records.empty()) add({FeedType::kEnter, root, {}}, kItemBytes);
      for (const storage::RecordRow& record : records) {
        enterRecord(record, root, row.number, within);
        within = record.id;
        if (total >= limit) break;
      }
      const bool through =
          records.empty() || (within == records.back().id && records.size() < kRecordsAtOnce);
      standAt(through ? row.number : row.number - 1, through ? "" : within);
      if (through) return true;
      if (total >= limit) return false;
    }
  }

  // One record, in several frames where it is long. All but the last leave the leaf standing
  // before it.
  void enterRecord(const storage::RecordRow& record, const RecordId& root, std::uint64_t number,
                   const std::string& before) {
    FeedItem item{FeedType::kEnter, root, {}};
    std::size_t bytes = kItemBytes;
    for (Change& change :
         prunedChanges(decodeState(RecordId::fromBytes(record.id), record.state))) {
      bytes += weightOf(change, encodeChange(change).size());
      item.changes.push_back(std::move(change));
      if (frameBytes + bytes < sizes.next()) continue;
      add(std::exchange(item, {FeedType::kEnter, root, {}}), std::exchange(bytes, kItemBytes));
      standAt(number - 1, before);
    }
    if (!item.changes.empty()) add(std::move(item), bytes);
    standAt(number - 1, record.id);
  }
};

FeedCursor HubExchange::addFeed(storage::Store& store, const FeedCursor& from,
                                std::size_t downBytes, std::string& body) {
  FeedBuilder builder(replica_);
  builder.reached = from;
  FeedCursor at = from;
  while (!more_) {
    const std::vector<storage::FeedRow> rows = store.feedAfter(leaf_.leaf, at.number, kRowsAtOnce);
    if (rows.empty()) break;
    for (const storage::FeedRow& row : rows) {
      if (builder.total >= downBytes) {
        more_ = true;
        break;
      }
      const bool follows = row.number == at.number + 1;  // else the feed began again meanwhile
      const std::string within = std::exchange(at.within, "");
      const RecordId root = RecordId::fromBytes(row.root);
      at.number = row.number;
      if (row.type == FeedType::kLeave) {
        builder.add({FeedType::kLeave, root, {}}, 20);
      } else if (row.type == FeedType::kEnter && store.inScope(leaf_.leaf, row.root)) {
        if (!builder.enter(store, row, follows ? within : "", downBytes)) {
          more_ = true;
          break;
        }
      } else if (const auto entry = store.journal(row.seq); entry) {
        Change part = projectionFor(store, leaf_.leaf, decodeChange(entry->body));
        if (!part.edits.empty()) {
          const std::size_t weight = weightOf(part, entry->body.size());
          builder.add({FeedType::kChange, root, {std::move(part)}}, weight);
        }
      }
      builder.standAt(row.number, "");
    }
  }
  builder.flush();
  body += builder.frames.take();
  return builder.reached;
}

}  // namespace waystation::sync

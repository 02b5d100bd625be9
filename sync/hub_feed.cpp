// The answer's feed: entries become frames, the state of an ENTER being made as it is sent.

#include <algorithm>
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
// Under one seal. Whoever is given one of them by another hub gets the digests of all.
constexpr std::size_t kMostPlaces = 256;

}  // namespace

// Collects items until a frame is full.
struct HubExchange::FeedBuilder {
  const Replica& replica;
  std::int64_t leaf;
  PackedFrameWriter frames;
  FrameSizes sizes;
  FeedFrame frame;
  std::size_t frameBytes = 0;
  std::size_t framePlaces = 0;  // under its seal
  std::size_t total = 0;
  bool stands = false;  // whether the frame begun says where the leaf stands after it
  FeedCursor reached;   // where the leaf stands after all of it

  SealsToCarry fromAbove;

  FeedBuilder(const Replica& owner, std::int64_t of, storage::Store& store)
      : replica(owner), leaf(of), fromAbove(store) {}

  void add(FeedItem item, std::size_t bytes) {
    for (const Change& change : item.changes) framePlaces += placesWithParts(change);
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
    if (frameBytes >= sizes.next() || framePlaces >= kMostPlaces) flush();
  }

  void flush() {
    if (!stands) return;
    addSeal();
    for (const CarriedSeal& seal : fromAbove.take(true)) {
      frames.plain(FrameType::kCarriedSeal, encodeCarriedSeal(seal));
    }
    frames.feed(frame);
    sizes.advance();
    frame.items.clear();
    frame.after = {};
    frameBytes = framePlaces = 0;
    stands = false;
  }

  // By which this hub knows again what it fed, should it lose it.
  void addSeal() {
    if (replica.signingKey() == nullptr) return;
    SealMaker seal(replica.random().bytes(kSealSeedSize));
    for (const FeedItem& item : frame.items) {
      for (const Change& change : item.changes) seal.addWithParts(change);
    }
    if (seal.empty()) return;
    frames.plain(FrameType::kSeal, encodeSeal({seal.seed(), seal.sign(*replica.signingKey())}));
  }

  // One edit of an entry goes on under the seals of hubs further up that the entry came with; the
  // leaf can then give it back to whoever sealed it, should all above have lost it. Answers what
  // that takes.
  std::size_t passOn(storage::Store& store, std::int64_t seq, const Change& whole,
                     std::size_t edit) {
    std::size_t bytes = 0;
    for (const storage::SealFromAboveRow& seal : store.sealsFromAbove(seq)) {
      const bool isWhole = whole.edits.size() == 1;
      bytes += fromAbove.add(whole.dot, isWhole ? seal.place : placeOfPart(seal.place, edit));
    }
    return bytes;
  }

  // A change, as far as the leaf may have it; in parts where only so the seals from further up fit.
  void change(storage::Store& store, const storage::FeedRow& row,
              const storage::JournalRow& entry) {
    const Change whole = decodeChange(entry.body);
    Change part = projectionFor(store, leaf, whole);
    if (part.edits.empty()) return;
    const RecordId root = RecordId::fromBytes(row.root);
    const bool isSealed = !store.sealsFromAbove(entry.seq).empty();
    if (!isSealed || part.edits.size() == whole.edits.size()) {
      std::size_t bytes = weightOf(part, entry.body.size());
      for (const storage::SealFromAboveRow& seal : store.sealsFromAbove(entry.seq)) {
        bytes += fromAbove.add(whole.dot, seal.place);
      }
      add({FeedType::kChange, root, {std::move(part)}}, bytes);
      return;
    }
    for (std::size_t i = 0; i < whole.edits.size(); ++i) {
      Change one = partOf(whole, i);
      if (projectionFor(store, leaf, one).edits.empty()) continue;
      const std::size_t bytes =
          passOn(store, entry.seq, whole, i) + weightOf(one, encodeChange(one).size());
      add({FeedType::kChange, root, {std::move(one)}}, bytes);
    }
  }

  // The records of a root from behind `within`, in pieces. Answers whether the root is through.
  bool enter(storage::Store& store, const storage::FeedRow& row, std::string within,
             std::size_t limit) {
    const RecordId root = RecordId::fromBytes(row.root);
    while (true) {
      const auto records = store.recordsOfRoot(row.root, within, kRecordsAtOnce);
      if (records.empty()) add({FeedType::kEnter, root, {}}, kItemBytes);
      for (const storage::RecordRow& record : records) {
        enterRecord(store, record, root, row.number, within);
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

  // Of a record's pruned change: what of it came down sealed, as it was then. What was replaced
  // since is replaced at the leaf as well. Where there is more to it, the pruned change before
  // that, since it may be the birth.
  std::vector<Change> piecesOf(storage::Store& store, Change pruned, std::size_t& bytes) {
    std::vector<Change> pieces;
    std::vector<Write> missing = pruned.edits.front().writes;
    const RecordId record = pruned.edits.front().record;
    for (const storage::JournalRow& row :
         store.journalOfDot(pruned.dot.replica, pruned.dot.counter)) {
      const Change whole = decodeChange(row.body);
      for (std::size_t i = 0; i < whole.edits.size(); ++i) {
        const std::vector<Write>& writes = whole.edits[i].writes;
        const auto isIn = [&](const Write& write) {
          return std::find(writes.begin(), writes.end(), write) != writes.end();
        };
        if (whole.edits[i].record != record) continue;
        if (std::none_of(missing.begin(), missing.end(), isIn)) continue;
        const std::size_t sealed = passOn(store, row.seq, whole, i);
        if (sealed == 0) continue;
        bytes += sealed;
        pieces.push_back(partOf(whole, i));
        std::erase_if(missing, isIn);
      }
    }
    if (!missing.empty()) pieces.insert(pieces.begin(), std::move(pruned));
    return pieces;
  }

  // One record, in several frames where it is long. All but the last leave the leaf standing
  // before it.
  void enterRecord(storage::Store& store, const storage::RecordRow& record, const RecordId& root,
                   std::uint64_t number, const std::string& before) {
    FeedItem item{FeedType::kEnter, root, {}};
    std::size_t bytes = kItemBytes;
    for (Change& pruned :
         prunedChanges(decodeState(RecordId::fromBytes(record.id), record.state))) {
      std::vector<Change> pieces;
      if (replica.hasHub()) {
        pieces = piecesOf(store, std::move(pruned), bytes);
      } else {
        pieces.push_back(std::move(pruned));
      }
      for (Change& piece : pieces) {
        bytes += weightOf(piece, encodeChange(piece).size());
        item.changes.push_back(std::move(piece));
      }
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
  FeedBuilder builder(replica_, leaf_.leaf, store);
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
        builder.change(store, row, *entry);
      }
      builder.standAt(row.number, "");
    }
  }
  builder.flush();
  body += builder.frames.take();
  return builder.reached;
}

}  // namespace waystation::sync

#include "sync/bundle.h"

#include <algorithm>

#include "crypto/failure.h"
#include "sync/bundle_reader.h"
#include "sync/byte_stream.h"
#include "sync/frame.h"

namespace waystation::sync {
namespace {

// Of bundles whose turn has not come, so much is kept.
constexpr std::uint64_t kMostKeptBytes = std::uint64_t{256} << 20;
constexpr std::uint64_t kPieceBytes = 64 * 1024;

// Who may have sent it, by what this node knows: its hub, or a leaf.
struct Sender {
  std::string key;
  std::optional<storage::LeafRow> leaf;  // null: the hub
};

Sender senderOf(const BundleNode& node, const BundleManifest& manifest) {
  const bool isHub = !node.hub.empty() && manifest.sender == node.hub;
  const storage::Connections::Lease reader = node.connections.reader();
  std::optional<storage::LeafRow> leaf;
  if (!isHub) leaf = storage::Store(*reader).leafByName(manifest.sender);
  if (!isHub && !leaf) {
    throw Failure("bundle.unknown-sender",
                  "The bundle says that it comes from " + manifest.sender +
                      ", with which this node does not exchange. Nothing of it was taken.");
  }
  if (leaf && leaf->revoked) {
    throw Failure("bundle.sender-revoked",
                  "The bundle comes from " + manifest.sender +
                      ", which has been revoked. Nothing of it was taken; headquarters can enrol "
                      "it again.");
  }
  if (isHub != (manifest.way == BundleWay::kDown)) {
    throw Failure("bundle.other-way",
                  "The bundle goes the other way than its sender's bundles do. Nothing of it was "
                  "taken; tell headquarters.");
  }
  return {isHub ? node.hubKey : leaf->publicKey, std::move(leaf)};
}

// Cuts the content into its parts, each `varint(size) bytes`.
class PartSplitter {
 public:
  PartSplitter(std::function<void()> begin, std::function<void(std::string_view)> bytes,
               std::function<void()> end)
      : begin_(std::move(begin)), bytes_(std::move(bytes)), end_(std::move(end)) {}

  void add(std::string_view bytes) {
    while (!bytes.empty()) {
      if (!inPart_) {
        const auto byte = static_cast<unsigned char>(bytes.front());
        bytes.remove_prefix(1);
        left_ |= static_cast<std::uint64_t>(byte & 0x7FU) << shift_;
        shift_ += 7;
        if ((byte & 0x80U) != 0 && shift_ < 63) continue;
        inPart_ = true;
        begin_();
      }
      const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
      bytes_(bytes.substr(0, take));
      bytes.remove_prefix(take);
      left_ -= take;
      if (left_ != 0) continue;
      inPart_ = false;
      shift_ = 0;
      end_();
    }
  }

 private:
  std::function<void()> begin_;
  std::function<void(std::string_view)> bytes_;
  std::function<void()> end_;
  std::uint64_t left_ = 0;
  unsigned shift_ = 0;
  bool inPart_ = false;
};

// The frames beside an exchange, out of the bytes of a part.
class Besides {
 public:
  Besides(const BundleNode& node, const std::string& from) : node_(node), from_(from) {}

  void add(std::string_view bytes) {
    frames_.add(bytes);
    while (const std::optional<Frame> frame = frames_.next()) {
      const bool isOne =
          frame->type >= FrameType::kRevocations && frame->type <= FrameType::kRenewed;
      if (isOne && node_.takeBeside) node_.takeBeside(from_, *frame);
    }
  }

 private:
  const BundleNode& node_;
  const std::string& from_;
  FrameReader frames_;
};

// Where this node stands with the other end: what an old bundle can't change.
struct Standing {
  Position newest;
  std::uint64_t feedAcked = 0;
  std::int64_t acknowledgedSeq = 0;
  FeedCursor feed;
  bool operator==(const Standing&) const = default;
};

class Reading {
 public:
  Reading(const BundleNode& node, BundleReader& reader, Sender sender)
      : node_(node), reader_(reader), manifest_(reader.manifest()), sender_(std::move(sender)) {}

  bool isItsTurn();
  // Where nobody else can bring what is missing before it.
  void askForWhatIsMissing();
  // Answers whether it was its turn all along; a hub can find that out only on the way.
  bool apply(BundleRead& read, const BundleProgress& progress);

 private:
  void receiveUp(const BundleProgress& progress);
  void receiveDown(const BundleProgress& progress);
  Standing standing();

  const BundleNode& node_;
  BundleReader& reader_;
  const BundleManifest& manifest_;
  Sender sender_;
  BundleRead read_;
  bool hasGap_ = false;
};

bool Reading::isItsTurn() {
  const storage::Connections::Lease reader = node_.connections.reader();
  storage::Store store(*reader);
  if (sender_.leaf) {
    const Position& from = manifest_.chainFrom;
    if (from.number == 0) return true;
    const auto chain = store.chain(sender_.leaf->leaf, from.incarnation);
    return chain && chain->number >= from.number;
  }
  const FeedCursor& from = manifest_.feedFrom;
  return manifest_.beginsAnew || !isBehind(readLeafState(store).feed, from);
}

void Reading::askForWhatIsMissing() {
  if (manifest_.part != 1) return;  // the part before it brings it
  const storage::Connections::Lease writer = node_.connections.writer();
  Work work(node_.replica, *writer);
  if (sender_.leaf) {
    BundleStanding standing = readStanding(work.store(), *sender_.leaf);
    standing.lacking = manifest_.chainFrom;
    writeStanding(work.store(), *sender_.leaf, standing);
  } else {
    askForFeedAnew(work.store());
  }
  work.commit();
}

void Reading::receiveUp(const BundleProgress& progress) {
  std::unique_ptr<HubExchange> hub;
  Besides besides(node_, manifest_.sender);
  PartSplitter parts(
      [&] {
        hub = std::make_unique<HubExchange>(node_.replica, node_.connections, manifest_.sender,
                                            node_.admitted);
        hub->takesBundle();
      },
      [&](std::string_view bytes) {
        hub->receive(bytes);
        besides.add(bytes);
      },
      [&] {
        read_.agreement = hub->settle().agreement;
        read_.changes += hub->changesIn();
        read_.quarantined += hub->quarantined();
        hasGap_ = hasGap_ || hub->hasGap();
      });
  reader_.content([&](std::string_view bytes) { parts.add(bytes); }, progress);
}

void Reading::receiveDown(const BundleProgress& progress) {
  std::unique_ptr<LeafExchange> leaf;
  Besides besides(node_, manifest_.sender);
  PartSplitter parts(
      [&] {
        leaf = std::make_unique<LeafExchange>(node_.replica, node_.connections, node_.key);
        leaf->takesBundle(manifest_);
      },
      [&](std::string_view bytes) {
        besides.add(bytes);  // who is revoked, before what they have written
        leaf->receive(bytes);
      },
      [&] {
        const ExchangeOutcome outcome = leaf->finish();
        read_.changes += outcome.changesDown;
        read_.rootsEntered += outcome.rootsEntered;
        read_.rootsLeft += outcome.rootsLeft;
        read_.asksAgain = read_.asksAgain || outcome.rewound;
        read_.agreement = outcome.agreement;
      });
  reader_.content([&](std::string_view bytes) { parts.add(bytes); }, progress);
}

Standing Reading::standing() {
  const storage::Connections::Lease reader = node_.connections.reader();
  storage::Store store(*reader);
  if (sender_.leaf) {
    const storage::LeafRow leaf = store.leafByName(manifest_.sender).value_or(*sender_.leaf);
    return {newestOf(store, leaf), leaf.feedAcked, 0, {}};
  }
  const LeafState state = readLeafState(store);
  return {{}, 0, state.acknowledgedSeq, state.feed};
}

bool Reading::apply(BundleRead& read, const BundleProgress& progress) {
  const Standing before = standing();
  sender_.leaf ? receiveUp(progress) : receiveDown(progress);
  const Standing after = standing();
  read_.manifest = manifest_;
  read_.acknowledged =
      before.feedAcked != after.feedAcked || before.acknowledgedSeq != after.acknowledgedSeq;
  const bool isNothing = before == after && read_.changes + read_.quarantined == 0;
  read_.state = isNothing ? BundleRead::State::kNothingNew : BundleRead::State::kApplied;
  read = read_;
  if (hasGap_) return false;
  const storage::Connections::Lease writer = node_.connections.writer();
  Work work(node_.replica, *writer);
  work.store().addBundleRead(manifest_.id, manifest_.sender, node_.replica.clock().nowMs());
  work.commit();
  return true;
}

// As it came, sealed: it is verified again when its turn has come.
void keep(const BundleNode& node, const BundleSource& source, const BundleManifest& manifest) {
  const storage::Connections::Lease writer = node.connections.writer();
  Work work(node.replica, *writer);
  storage::Store& store = work.store();
  std::uint64_t kept = source.size;
  for (const storage::KeptBundleRow& row : store.keptBundles()) {
    if (row.id == manifest.id) return;
    kept += row.bytes;
  }
  if (kept > kMostKeptBytes) {
    throw Failure("bundle.keeps-full",
                  "The turn of this bundle has not come, and too many wait for theirs already. "
                  "Nothing of it was taken; read the earlier ones first, then this one again.");
  }
  store.keepBundle({manifest.id, manifest.sender, manifest.part, manifest.madeMs, source.size});
  std::uint64_t piece = 0;
  for (std::uint64_t at = 0; at < source.size; at += kPieceBytes) {
    const auto size = static_cast<std::size_t>(std::min(kPieceBytes, source.size - at));
    store.addBundlePiece(manifest.id, piece++, source.read(at, size));
  }
  work.commit();
}

BundleSource keptSource(const BundleNode& node, const storage::KeptBundleRow& row) {
  return {row.bytes, [&node, id = row.id](std::uint64_t at, std::size_t size) {
            const storage::Connections::Lease reader = node.connections.reader();
            storage::Store store(*reader);
            std::string bytes;
            while (bytes.size() < size) {
              const std::uint64_t from = at + bytes.size();
              const auto piece = store.bundlePiece(id, from / kPieceBytes);
              if (!piece || piece->size() <= from % kPieceBytes) break;
              bytes +=
                  piece->substr(static_cast<std::size_t>(from % kPieceBytes), size - bytes.size());
            }
            bytes.resize(size);
            return bytes;
          }};
}

// Whether it was applied, or is of no use any more.
bool applyKept(const BundleNode& node, const storage::KeptBundleRow& row, BundleRead& total) {
  bool isOver = true;
  try {
    BundleReader reader(keptSource(node, row), node.sealingKey);
    Sender sender = senderOf(node, reader.manifest());
    reader.verify(sender.key, node.name, node.replica.clock().nowMs());
    Reading reading(node, reader, std::move(sender));
    if (!reading.isItsTurn()) return false;
    BundleRead read;
    isOver = reading.apply(read, {});
    total.changes += read.changes;
    total.quarantined += read.quarantined;
    total.rootsEntered += read.rootsEntered;
    total.rootsLeft += read.rootsLeft;
    if (isOver) ++total.keptApplied;
  } catch (const Failure& failure) {
    // Expired or its sender revoked since: nothing is lost where it was written.
    if (!failure.code().starts_with("bundle.")) throw;
  }
  if (!isOver) return false;
  const storage::Connections::Lease writer = node.connections.writer();
  Work work(node.replica, *writer);
  work.store().removeKeptBundle(row.id);
  work.commit();
  return true;
}

void applyAllKept(const BundleNode& node, BundleRead& total) {
  const auto rows = [&] {
    const storage::Connections::Lease reader = node.connections.reader();
    return storage::Store(*reader).keptBundles();
  };
  for (bool goesOn = true; goesOn;) {
    goesOn = false;
    for (const storage::KeptBundleRow& row : rows()) {
      if (row.peer == total.manifest.sender && applyKept(node, row, total)) goesOn = true;
    }
  }
}

std::optional<std::int64_t> readBefore(const BundleNode& node, const BundleManifest& manifest) {
  const storage::Connections::Lease reader = node.connections.reader();
  return storage::Store(*reader).bundleRead(manifest.id);
}

}  // namespace

BundleRead readBundle(const BundleNode& node, BundleSource source, bool isDryRun,
                      const BundleProgress& progress) {
  BundleReader reader(source, node.sealingKey);
  Sender sender = senderOf(node, reader.manifest());
  // It is read twice: to verify, and to apply.
  const auto half = [&](std::uint64_t done, std::uint64_t total) {
    if (progress) progress(done, 2 * total);
  };
  reader.verify(sender.key, node.name, node.replica.clock().nowMs(), half);
  BundleRead read;
  read.manifest = reader.manifest();
  if (const std::optional<std::int64_t> when = readBefore(node, read.manifest)) {
    read.state = BundleRead::State::kReadBefore;
    read.readBeforeMs = *when;
    return read;
  }
  Reading reading(node, reader, std::move(sender));
  const bool isItsTurn = reading.isItsTurn();
  if (isDryRun) {
    read.state = isItsTurn ? BundleRead::State::kVerified : BundleRead::State::kKeptAside;
    return read;
  }
  const auto otherHalf = [&](std::uint64_t done, std::uint64_t total) {
    if (progress) progress(total + done, 2 * total);
  };
  if (!isItsTurn || !reading.apply(read, otherHalf)) {
    keep(node, source, reader.manifest());
    reading.askForWhatIsMissing();
    read.state = BundleRead::State::kKeptAside;
    read.asksAgain = reader.manifest().part == 1;
    return read;
  }
  applyAllKept(node, read);
  return read;
}

}  // namespace waystation::sync

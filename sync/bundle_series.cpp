#include "crypto/failure.h"
#include "sync/bundle.h"
#include "sync/bundle_writer.h"
#include "sync/byte_stream.h"

namespace waystation::sync {
namespace {

void requireKey(const BundleRecipient& recipient) {
  if (recipient.publicKey.size() == crypto::kHpkeKeySize) return;
  throw Failure("bundle.no-key",
                "This node does not have the key of " + recipient.name +
                    " that bundles are sealed to: it was enrolled before there were bundles. "
                    "Enrol the office again with a new token.");
}

}  // namespace

BundleSeries::BundleSeries(BundleNode node, const std::string& to, BundleTerms terms)
    : node_(std::move(node)), terms_(terms), series_(node_.replica.random().bytes(kBundleIdSize)) {
  const storage::Connections::Lease reader = node_.connections.reader();
  storage::Store store(*reader);
  if (!node_.hub.empty() && to == node_.hub) {
    recipient_ = {to, node_.hubSealingKey};
    const LeafState state = readLeafState(store);
    chain_ = {state.acknowledged, state.acknowledgedSeq};
    requireKey(recipient_);
    return;
  }
  const std::optional<storage::LeafRow> leaf = store.leafByName(to);
  if (!leaf) {
    throw Failure("bundle.unknown-recipient", "There is no " + to +
                                                  " that this node exchanges with. Nothing was "
                                                  "written; check the name.");
  }
  if (leaf->revoked) {
    throw Failure(
        "bundle.recipient-revoked",
        "The office " + to + " has been revoked. Nothing was written; enrol it again first.");
  }
  way_ = BundleWay::kDown;
  recipient_ = {to, leaf->sealingKey};
  requireKey(recipient_);
  feed_ = feedPlace(store, *leaf);
}

std::string BundleSeries::upPart(bool isFirst) {
  LeafExchange leaf(node_.replica, node_.connections, node_.key, terms_.partBytes);
  std::string part = leaf.bundlePart(chain_, isFirst);
  if (isFirst && node_.beside) part += node_.beside(recipient_.name);
  more_ = leaf.hasMoreUp();
  changes_ += leaf.changesUp();
  return part;
}

std::string BundleSeries::downPart(bool isFirst) {
  HubExchange hub(node_.replica, node_.connections, recipient_.name);
  std::string part = isFirst && node_.beside ? node_.beside(recipient_.name) : std::string();
  part += hub.bundlePart(feed_.cursor, terms_.partBytes, isFirst);
  more_ = hub.hasMoreDown();
  return part;
}

BundleManifest BundleSeries::begun() {
  BundleManifest manifest;
  manifest.way = way_;
  manifest.sender = node_.name;
  manifest.series = series_;
  manifest.part = ++written_;
  manifest.madeMs = node_.replica.clock().nowMs();
  manifest.expiresMs = manifest.madeMs + terms_.goodForMs;
  const storage::Connections::Lease reader = node_.connections.reader();
  storage::Store store(*reader);
  if (way_ == BundleWay::kUp) {
    manifest.chainFrom = chain_.position;
    manifest.feedFrom = manifest.feedTo = readLeafState(store).feed;
    return manifest;
  }
  const std::optional<storage::LeafRow> leaf = store.leafByName(recipient_.name);
  manifest.feedFrom = feed_.cursor;
  manifest.beginsAnew = feed_.beginsAnew && written_ == 1;
  manifest.chainTo = newestOf(store, *leaf);
  const BundleStanding standing = readStanding(store, *leaf);
  manifest.rewinds = standing.lacking.has_value();
  manifest.chainFrom = standing.lacking.value_or(Position{});
  return manifest;
}

BundleWritten BundleSeries::write(const BundleSink& sink, const std::function<void()>& cancelled) {
  BundleManifest manifest = begun();
  BundleWriter writer(node_.replica.random(), {recipient_}, sink);
  changes_ = 0;
  do {
    if (cancelled) cancelled();
    const bool isFirst = writer.contentBytes() == 0;
    ByteWriter part;
    part.string(way_ == BundleWay::kUp ? upPart(isFirst) : downPart(isFirst));
    writer.add(part.bytes());
  } while (more_ && writer.contentBytes() < terms_.mostBytes);
  if (way_ == BundleWay::kUp) {
    manifest.chainTo = chain_.position;
  } else {
    manifest.feedTo = feed_.cursor;
  }
  BundleWritten written;
  written.manifest = writer.finish(std::move(manifest), node_.key);
  written.fileBytes = writer.fileBytes();
  written.changes = changes_;
  written.entries = written.manifest.feedTo.number - written.manifest.feedFrom.number;
  written.more = more_;
  return written;
}

}  // namespace waystation::sync

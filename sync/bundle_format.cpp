#include "sync/bundle_format.h"

#include <algorithm>
#include <bit>
#include <tuple>

#include "crypto/aead.h"
#include "crypto/failure.h"
#include "crypto/hash.h"
#include "crypto/kdf.h"
#include "sync/byte_stream.h"

namespace waystation::sync {
namespace {

constexpr std::string_view kSignatureContext = "waystation bundle v1\n";
constexpr std::string_view kHintContext = "waystation bundle recipient v1\n";
constexpr std::string_view kCheckInfo = "waystation bundle key check v1";
constexpr std::string_view kStreamInfo = "waystation bundle stream v1";
constexpr std::size_t kHintSize = 8;
constexpr std::size_t kLeastRecipientBytes = 2 + crypto::kSha256Size;
constexpr std::uint64_t kLeastClass = 8;
constexpr std::size_t kMostNameBytes = 64;

enum Flags : std::uint8_t { kAnew = 1, kRewinds = 2 };

void putPosition(ByteWriter& writer, const Position& position) {
  writer.fixed64(position.incarnation);
  writer.varint(position.number);
  writer.raw(position.hashPrefix.empty() ? std::string(kHashPrefixSize, '\0')
                                         : position.hashPrefix);
}

Position positionFrom(ByteReader& reader) {
  Position position;
  position.incarnation = reader.fixed64();
  position.number = reader.varint();
  position.hashPrefix = reader.raw(kHashPrefixSize);
  return position;
}

void putCursor(ByteWriter& writer, const FeedCursor& cursor) {
  writer.fixed64(cursor.epoch);
  writer.varint(cursor.number);
  writer.string(cursor.within);
}

FeedCursor cursorFrom(ByteReader& reader) {
  FeedCursor cursor;
  cursor.epoch = reader.fixed64();
  cursor.number = reader.varint();
  cursor.within = reader.string();
  if (!cursor.within.empty() && cursor.within.size() != 16) {
    throw Failure("sync.malformed", "A feed's place is not one.");
  }
  return cursor;
}

// It is shown to people before anything is proved.
std::string nameFrom(ByteReader& reader) {
  std::string name(reader.string());
  const bool isName =
      !name.empty() && name.size() <= kMostNameBytes &&
      std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < 127; });
  if (!isName) throw Failure("sync.malformed", "A node's name is not one.");
  return name;
}

BundleManifest decoded(std::string_view bytes) {
  ByteReader reader(bytes);
  BundleManifest manifest;
  const std::uint8_t way = reader.byte();
  if (way != 1 && way != 2) throw Failure("sync.malformed", "A bundle goes neither up nor down.");
  manifest.way = static_cast<BundleWay>(way);
  manifest.id = reader.raw(kBundleIdSize);
  manifest.headerHash = reader.raw(crypto::kSha256Size);
  manifest.sender = nameFrom(reader);
  manifest.recipients.resize(reader.count(kLeastRecipientBytes));
  for (BundleManifest::Recipient& recipient : manifest.recipients) {
    recipient.name = nameFrom(reader);
    recipient.keyHash = reader.raw(crypto::kSha256Size);
  }
  manifest.series = reader.raw(kBundleIdSize);
  manifest.part = reader.varint();
  manifest.madeMs = static_cast<std::int64_t>(reader.varint());
  manifest.expiresMs = static_cast<std::int64_t>(reader.varint());
  manifest.chainFrom = positionFrom(reader);
  manifest.chainTo = positionFrom(reader);
  manifest.feedFrom = cursorFrom(reader);
  manifest.feedTo = cursorFrom(reader);
  const std::uint8_t flags = reader.byte();
  manifest.beginsAnew = (flags & kAnew) != 0;
  manifest.rewinds = (flags & kRewinds) != 0;
  manifest.contentBytes = reader.varint();
  manifest.chunks = reader.varint();
  manifest.contentHash = reader.raw(crypto::kSha256Size);
  return manifest;  // what follows belongs to later versions
}

}  // namespace

std::string encodeManifest(const BundleManifest& manifest) {
  ByteWriter writer;
  writer.byte(static_cast<std::uint8_t>(manifest.way));
  writer.raw(manifest.id);
  writer.raw(manifest.headerHash);
  writer.string(manifest.sender);
  writer.varint(manifest.recipients.size());
  for (const BundleManifest::Recipient& recipient : manifest.recipients) {
    writer.string(recipient.name);
    writer.raw(recipient.keyHash);
  }
  writer.raw(manifest.series);
  writer.varint(manifest.part);
  writer.varint(static_cast<std::uint64_t>(manifest.madeMs));
  writer.varint(static_cast<std::uint64_t>(manifest.expiresMs));
  putPosition(writer, manifest.chainFrom);
  putPosition(writer, manifest.chainTo);
  putCursor(writer, manifest.feedFrom);
  putCursor(writer, manifest.feedTo);
  writer.byte(static_cast<std::uint8_t>((manifest.beginsAnew ? kAnew : 0) |
                                        (manifest.rewinds ? kRewinds : 0)));
  writer.varint(manifest.contentBytes);
  writer.varint(manifest.chunks);
  writer.raw(manifest.contentHash);
  return writer.take();
}

BundleManifest decodeManifest(std::string_view bytes) {
  try {
    return decoded(bytes);
  } catch (const Failure&) {
    throw Failure("bundle.malformed",
                  "What this bundle says of itself can't be read. Nothing of it was taken; have it "
                  "written again.");
  }
}

std::string manifestToSign(std::string_view encoded) {
  return std::string(kSignatureContext) + std::string(encoded);
}

FeedCursor feedAskedAnew() {
  return {0, 0, std::string(16, '\xff')};
}

bool isBehind(const FeedCursor& a, const FeedCursor& b) {
  return std::tie(a.number, a.within) < std::tie(b.number, b.within);
}

std::uint64_t chunksFor(std::uint64_t contentBytes) {
  const std::uint64_t needed = (contentBytes + kBundleChunkBytes - 1) / kBundleChunkBytes;
  if (needed <= kLeastClass) return kLeastClass;
  const int shift = static_cast<int>(std::bit_width(needed)) - 4;
  const std::uint64_t step = std::uint64_t{1} << std::max(shift, 0);
  return (needed + step - 1) / step * step;
}

std::string recipientHint(std::string_view bundleId, std::string_view keyHash) {
  crypto::Sha256 hash;
  hash.update(kHintContext).update(bundleId).update(keyHash);
  return std::string(crypto::view(hash.finish()).substr(0, kHintSize));
}

std::string keyHashOf(std::string_view publicKey) {
  return std::string(crypto::view(crypto::sha256(publicKey)));
}

std::string bundleKeyCheck(std::string_view contentKey, std::string_view bundleId) {
  return std::string(
      crypto::hkdfSha256(contentKey, bundleId, kCheckInfo, crypto::kSha256Size).view());
}

crypto::Secret bundleStreamKey(std::string_view contentKey, std::string_view headerChecksum) {
  return crypto::hkdfSha256(contentKey, headerChecksum, kStreamInfo, crypto::kAeadKeySize);
}

std::string bundleChunkNonce(std::uint64_t chunk, bool isLast) {
  ByteWriter writer;
  writer.raw(std::string_view("\0\0\0", 3));
  writer.fixed64(chunk);
  writer.byte(isLast ? 1 : 0);
  return writer.take();
}

}  // namespace waystation::sync

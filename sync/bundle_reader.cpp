#include "sync/bundle_reader.h"

#include <algorithm>

#include "crypto/aead.h"
#include "crypto/failure.h"
#include "crypto/hash.h"
#include "crypto/signature.h"
#include "sync/byte_stream.h"
#include "sync/clock.h"

namespace waystation::sync {
namespace {

constexpr std::size_t kHintSize = 8;

[[noreturn]] void notABundle() {
  throw Failure("bundle.not-a-bundle",
                "This file is not a bundle of Waystation. Nothing was taken; look for the file "
                "that `bundle write` made.");
}

[[noreturn]] void truncated() {
  throw Failure("bundle.truncated",
                "The bundle ends too early: the stick was pulled out, or was full, while it was "
                "written or copied. Nothing of it was taken; copy it again or have it written "
                "again.");
}

[[noreturn]] void damaged() {
  throw Failure("bundle.damaged",
                "The bundle is not as it was written: bytes of it have changed. Nothing of it was "
                "taken; copy it again, from another stick, or have it written again.");
}

[[noreturn]] void unsignedBy() {
  throw Failure("bundle.signature",
                "The bundle is not signed by the node that it says it comes from. Nothing of it "
                "was taken; if it was written before that node was enrolled anew, have it written "
                "again, else tell headquarters.");
}

}  // namespace

BundleReader::BundleReader(BundleSource source, const crypto::RecipientKey& key)
    : source_(std::move(source)), ownHash_(keyHashOf(key.publicKey())) {
  readHeader(key);
  readManifest();
}

void BundleReader::readHeader(const crypto::RecipientKey& key) {
  if (source_.size < kBundleMagic.size() || source_.read(0, kBundleMagic.size()) != kBundleMagic) {
    notABundle();
  }
  if (source_.size < kBundleHeadBytes) truncated();
  const std::string head = source_.read(0, kBundleHeadBytes);
  ByteReader reader(std::string_view(head).substr(kBundleMagic.size()));
  if (reader.byte() != kBundleVersion || reader.byte() != kBundleSuite) {
    throw Failure("bundle.version",
                  "The bundle was written by another version of the program than this one reads. "
                  "Nothing of it was taken; upgrade the older of the two.");
  }
  id_ = reader.raw(kBundleIdSize);
  const std::string check(reader.raw(crypto::kSha256Size));
  const std::size_t stanzas = reader.byte();
  headerBytes_ = kBundleHeadBytes + stanzas * kBundleStanzaBytes + kBundleChecksumBytes;
  if (stanzas == 0 || stanzas > kMostBundleRecipients) damaged();
  if (source_.size < headerBytes_) truncated();
  const std::string header = source_.read(0, static_cast<std::size_t>(headerBytes_));
  const std::string_view body =
      std::string_view(header).substr(0, header.size() - kBundleChecksumBytes);
  checksum_ = crypto::view(crypto::sha256(body));
  if (checksum_ != std::string_view(header).substr(body.size())) damaged();
  const std::string hint = recipientHint(id_, ownHash_);
  for (std::size_t i = 0; i < stanzas; ++i) {
    const std::string_view stanza =
        body.substr(kBundleHeadBytes + i * kBundleStanzaBytes, kBundleStanzaBytes);
    hints_.emplace_back(stanza.substr(0, kHintSize));
    if (hints_.back() != hint || !streamKey_.empty()) continue;
    std::optional<std::string> opened =
        crypto::hpkeOpen(key, kBundleKeyInfo, id_, stanza.substr(kHintSize));
    if (!opened) continue;
    const crypto::Secret contentKey = crypto::Secret::copyOf(*opened);
    std::fill(opened->begin(), opened->end(), '\0');
    if (!crypto::equalConstantTime(bundleKeyCheck(contentKey.view(), id_), check)) damaged();
    streamKey_ = bundleStreamKey(contentKey.view(), checksum_);
  }
  if (!streamKey_.empty()) return;
  throw Failure("bundle.not-for-this-node",
                "The bundle is sealed for others, not for this node. Nothing of it was taken, nor "
                "can it be read here; carry it to where it is meant for.");
}

std::string BundleReader::openChunk(std::uint64_t chunk, std::string& hash) {
  const std::uint64_t at = headerBytes_ + chunk * kSealedChunkBytes;
  if (source_.size < at + kSealedChunkBytes) truncated();
  const std::string sealed = source_.read(at, kSealedChunkBytes);
  const bool isLast = chunk != 0 && chunk == manifest_.chunks;
  std::optional<std::string> plain =
      crypto::aeadOpen(streamKey_.view(), bundleChunkNonce(chunk, isLast), {}, sealed,
                       crypto::AeadCipher::kChaCha20Poly1305);
  if (!plain) damaged();
  hash = crypto::view(crypto::sha256(sealed));
  return std::move(*plain);
}

// What is read here is authenticated by the content key, which only the sender and the recipients
// have; the signature follows in verify().
void BundleReader::readManifest() {
  std::string hash;
  const std::string plain = openChunk(0, hash);
  try {
    ByteReader reader(plain);
    encoded_ = reader.string();
    signature_ = reader.raw(crypto::kSignatureSize);
    if (reader.rest().find_first_not_of('\0') != std::string_view::npos) damaged();
  } catch (const Failure&) {
    throw Failure("bundle.malformed",
                  "What this bundle says of itself can't be read. Nothing of it was taken; have it "
                  "written again.");
  }
  manifest_ = decodeManifest(encoded_);
}

void BundleReader::requireSize() const {
  if (manifest_.chunks == 0 || manifest_.chunks > kMostBundleChunks ||
      manifest_.contentBytes > manifest_.chunks * kBundleChunkBytes ||
      manifest_.chunks != chunksFor(manifest_.contentBytes)) {
    throw Failure("bundle.padding",
                  "The bundle is not filled up as bundles are. Nothing of it was taken; have it "
                  "written again.");
  }
  const std::uint64_t whole = headerBytes_ + (manifest_.chunks + 1) * kSealedChunkBytes;
  if (source_.size < whole) truncated();
  if (source_.size > whole) damaged();
}

void BundleReader::verify(std::string_view senderKey, std::string_view name, std::int64_t nowMs,
                          const BundleProgress& progress) {
  if (!crypto::verifySignature(senderKey, manifestToSign(encoded_), signature_)) unsignedBy();
  if (manifest_.id != id_ || manifest_.headerHash != checksum_) unsignedBy();
  bool isNamed = false;
  std::vector<std::string> hints;
  for (const BundleManifest::Recipient& recipient : manifest_.recipients) {
    hints.push_back(recipientHint(id_, recipient.keyHash));
    isNamed = isNamed || (recipient.name == name && recipient.keyHash == ownHash_);
  }
  if (!isNamed || hints != hints_) {
    throw Failure("bundle.recipients",
                  "The bundle was meant for others and sealed anew for this node by somebody else "
                  "than its sender. Nothing of it was taken; tell headquarters.");
  }
  requireSize();
  if (nowMs > manifest_.expiresMs) {
    throw Failure("bundle.expired",
                  "The bundle was good until " + formatTime(manifest_.expiresMs) +
                      ", and by this node's clock it is " + formatTime(nowMs) +
                      ". Nothing of it was taken, and nothing of it is lost where it was written; "
                      "set the clock if it is wrong, else have a new one written.");
  }
  verifyChunks(progress);
  isVerified_ = true;
}

void BundleReader::verifyChunks(const BundleProgress& progress) {
  chunkHashes_.clear();
  std::uint64_t left = manifest_.contentBytes;
  bool isPadded = true;
  for (std::uint64_t chunk = 1; chunk <= manifest_.chunks; ++chunk) {
    std::string hash;
    const std::string plain = openChunk(chunk, hash);
    chunkHashes_ += hash;
    const std::size_t held = static_cast<std::size_t>(std::min<std::uint64_t>(left, plain.size()));
    isPadded = isPadded && plain.find_first_not_of('\0', held) == std::string::npos;
    left -= held;
    if (progress) progress(chunk * kSealedChunkBytes, source_.size);
  }
  if (crypto::view(crypto::sha256(chunkHashes_)) != manifest_.contentHash) unsignedBy();
  if (!isPadded) {
    throw Failure("bundle.padding",
                  "The bundle is not filled up as bundles are. Nothing of it was taken; have it "
                  "written again.");
  }
}

void BundleReader::content(const std::function<void(std::string_view)>& visit,
                           const BundleProgress& progress) {
  if (!isVerified_) throw Failure("bundle.signature", "The bundle was not verified.");
  std::uint64_t left = manifest_.contentBytes;
  for (std::uint64_t chunk = 1; chunk <= manifest_.chunks && left != 0; ++chunk) {
    std::string hash;
    std::string plain;
    try {
      plain = openChunk(chunk, hash);
    } catch (const Failure& failure) {
      if (failure.code() != "bundle.damaged") throw;
      hash.clear();
    }
    if (hash != std::string_view(chunkHashes_)
                    .substr(static_cast<std::size_t>(chunk - 1) * crypto::kSha256Size,
                            crypto::kSha256Size)) {
      throw Failure("bundle.changed",
                    "The stick answers otherwise than a moment ago, when the bundle was verified. "
                    "What was taken before that is kept; copy the bundle onto this machine's own "
                    "disk and read it again.");
    }
    const std::size_t held = static_cast<std::size_t>(std::min<std::uint64_t>(left, plain.size()));
    visit(std::string_view(plain).substr(0, held));
    left -= held;
    if (progress) progress(chunk * kSealedChunkBytes, source_.size);
  }
}

}  // namespace waystation::sync

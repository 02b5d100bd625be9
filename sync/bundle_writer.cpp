#include "sync/bundle_writer.h"

#include <algorithm>

#include "crypto/aead.h"
#include "crypto/hpke.h"
#include "sync/byte_stream.h"

namespace waystation::sync {

BundleWriter::BundleWriter(crypto::Random& random, const std::vector<BundleRecipient>& recipients,
                           BundleSink sink)
    : sink_(std::move(sink)), id_(random.bytes(kBundleIdSize)) {
  crypto::Secret contentKey(crypto::kAeadKeySize);
  random.fill(contentKey.data(), contentKey.size());
  ByteWriter header;
  header.raw(kBundleMagic);
  header.byte(kBundleVersion);
  header.byte(kBundleSuite);
  header.raw(id_);
  header.raw(bundleKeyCheck(contentKey.view(), id_));
  header.byte(static_cast<std::uint8_t>(recipients.size()));
  for (const BundleRecipient& recipient : recipients) {
    recipients_.push_back({recipient.name, keyHashOf(recipient.publicKey)});
    header.raw(recipientHint(id_, recipients_.back().keyHash));
    header.raw(
        crypto::hpkeSeal(random, recipient.publicKey, kBundleKeyInfo, id_, contentKey.view()));
  }
  checksum_ = crypto::view(crypto::sha256(header.bytes()));
  header.raw(checksum_);
  streamKey_ = bundleStreamKey(contentKey.view(), checksum_);
  headerBytes_ = header.bytes().size();
  sink_(0, header.bytes());
}

void BundleWriter::sealNext(std::string_view plain, bool isLast) {
  ++chunk_;
  std::string padded(plain);
  padded.resize(kBundleChunkBytes, '\0');
  const std::string sealed = crypto::aeadSeal(streamKey_.view(), bundleChunkNonce(chunk_, isLast),
                                              {}, padded, crypto::AeadCipher::kChaCha20Poly1305);
  chunkHashes_.update(crypto::view(crypto::sha256(sealed)));
  sink_(headerBytes_ + chunk_ * kSealedChunkBytes, sealed);
}

void BundleWriter::add(std::string_view content) {
  contentBytes_ += content.size();
  while (!content.empty()) {
    const std::size_t take = std::min(content.size(), kBundleChunkBytes - held_.size());
    held_.append(content.substr(0, take));
    content.remove_prefix(take);
    // The last one is kept back: only finish() knows that it is.
    if (held_.size() == kBundleChunkBytes && !content.empty()) {
      sealNext(held_, false);
      held_.clear();
    }
  }
}

BundleManifest BundleWriter::finish(BundleManifest manifest, const crypto::SigningKey& key) {
  manifest.chunks = chunksFor(contentBytes_);
  while (chunk_ < manifest.chunks) {
    sealNext(held_, chunk_ + 1 == manifest.chunks);
    held_.clear();
  }
  manifest.id = id_;
  if (manifest.series.empty()) manifest.series = id_;  // alone
  manifest.headerHash = checksum_;
  manifest.recipients = recipients_;
  manifest.contentBytes = contentBytes_;
  manifest.contentHash = crypto::view(chunkHashes_.finish());
  const std::string encoded = encodeManifest(manifest);
  ByteWriter first;
  first.string(encoded);
  first.raw(key.sign(manifestToSign(encoded)));
  std::string plain = first.take();
  plain.resize(kBundleChunkBytes, '\0');
  sink_(headerBytes_, crypto::aeadSeal(streamKey_.view(), bundleChunkNonce(0, false), {}, plain,
                                       crypto::AeadCipher::kChaCha20Poly1305));
  fileBytes_ = headerBytes_ + (manifest.chunks + 1) * kSealedChunkBytes;
  return manifest;
}

}  // namespace waystation::sync

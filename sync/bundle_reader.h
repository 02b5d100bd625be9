#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/hpke.h"
#include "sync/bundle_format.h"

namespace waystation::sync {

// Reads one bundle in three steps, each of which throws where something is not as it must be and
// none of which trusts more than the ones before it have shown: the header and manifest are
// opened, the whole is verified, the content is handed out. Holds a chunk at a time, and 32 bytes
// for each chunk of the bundle.
class BundleReader {
 public:
  // Throws Failure: "bundle.not-a-bundle", "bundle.version", "bundle.truncated",
  // "bundle.damaged", "bundle.not-for-this-node", "bundle.malformed".
  BundleReader(BundleSource source, const crypto::RecipientKey& key);

  // What it says of itself: to be believed only after verify().
  const BundleManifest& manifest() const { return manifest_; }

  // Everything: the signature by the sender's key, the recipients, the time, each chunk, the
  // padding. `name`: this node's. Throws Failure: "bundle.signature", "bundle.recipients",
  // "bundle.expired", "bundle.truncated", "bundle.damaged", "bundle.padding".
  void verify(std::string_view senderKey, std::string_view name, std::int64_t nowMs,
              const BundleProgress& progress = {});

  // The content in order, in pieces, each the same as was verified. Only after verify(). Throws
  // Failure("bundle.changed") where the medium answers otherwise now.
  void content(const std::function<void(std::string_view)>& visit,
               const BundleProgress& progress = {});

 private:
  void readHeader(const crypto::RecipientKey& key);
  void readManifest();
  std::string openChunk(std::uint64_t chunk, std::string& hash);
  void requireSize() const;
  void verifyChunks(const BundleProgress& progress);

  BundleSource source_;
  std::string ownHash_;  // of this node's key
  std::string id_;
  std::string checksum_;
  std::vector<std::string> hints_;  // of the header
  std::uint64_t headerBytes_ = 0;
  crypto::Secret streamKey_;
  std::string encoded_;  // the manifest
  std::string signature_;
  BundleManifest manifest_;
  std::string chunkHashes_;  // 32 bytes each
  bool isVerified_ = false;
};

}  // namespace waystation::sync

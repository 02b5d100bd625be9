#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crypto/hash.h"
#include "crypto/random.h"
#include "crypto/signature.h"
#include "sync/bundle_format.h"

namespace waystation::sync {

// Writes one bundle as a stream; holds no more than a chunk of it. Until finish() has returned,
// what was written is no bundle.
class BundleWriter {
 public:
  // Draws id and content key. Throws Failure("hpke.malformed-key").
  BundleWriter(crypto::Random& random, const std::vector<BundleRecipient>& recipients,
               BundleSink sink);

  // The next bytes of the content.
  void add(std::string_view content);
  std::uint64_t contentBytes() const { return contentBytes_; }

  // Pads, and writes the first chunk: `manifest` with what this writer knows filled in (ids,
  // recipients, sizes, hashes), signed. Answers it.
  BundleManifest finish(BundleManifest manifest, const crypto::SigningKey& key);
  // Of the whole file, after finish().
  std::uint64_t fileBytes() const { return fileBytes_; }

 private:
  void sealNext(std::string_view plain, bool isLast);

  BundleSink sink_;
  std::string id_;
  std::vector<BundleManifest::Recipient> recipients_;
  std::string checksum_;
  std::uint64_t headerBytes_ = 0;
  crypto::Secret streamKey_;
  std::string held_;  // of the content, not sealed yet: at most a chunk
  std::uint64_t contentBytes_ = 0;
  std::uint64_t chunk_ = 0;  // the last one sealed
  crypto::Sha256 chunkHashes_;
  std::uint64_t fileBytes_ = 0;
};

}  // namespace waystation::sync

#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/secret.h"
#include "sync/messages.h"

namespace waystation::sync {

// A bundle: exchanges in a file, sealed for those it names (docs/spec/bundle.md).
//
//   header   magic(16) version(1) suite(1) id(16) key check(32) #recipients(1)
//            (hint(8) encapsulated(32) sealed content key(48))* checksum(32)
//   chunks   each 64 KiB sealed with ChaCha20-Poly1305: the first holds the manifest and its
//            signature, the others the content, then zeros; the last one bears a flag
inline constexpr std::string_view kBundleMagic = "waystationbundle";
inline constexpr std::uint8_t kBundleVersion = 1;
inline constexpr std::uint8_t kBundleSuite = 1;
inline constexpr std::size_t kBundleIdSize = 16;
inline constexpr std::size_t kBundleChunkBytes = 64 * 1024;
inline constexpr std::size_t kSealedChunkBytes = kBundleChunkBytes + 16;
inline constexpr std::size_t kMostBundleRecipients = 16;
inline constexpr std::size_t kBundleHeadBytes = 16 + 1 + 1 + kBundleIdSize + 32 + 1;
inline constexpr std::size_t kBundleStanzaBytes = 8 + 32 + 48;
inline constexpr std::size_t kBundleChecksumBytes = 32;
// About 1 TiB: beyond it a manifest is refused.
inline constexpr std::uint64_t kMostBundleChunks = std::uint64_t{1} << 24;

// Which end of an exchange wrote it.
enum class BundleWay : std::uint8_t { kUp = 1, kDown = 2 };

struct BundleRecipient {
  std::string name;
  std::string publicKey;  // X25519, 32 bytes
};

// What a bundle says of itself. Sealed like the rest: a stranger sees the recipients' number and
// the size class, no more.
struct BundleManifest {
  struct Recipient {
    std::string name;
    std::string keyHash;  // SHA-256 of the public key
    bool operator==(const Recipient&) const = default;
  };

  BundleWay way = BundleWay::kUp;
  std::string id;                     // 16 bytes, as in the header
  std::string headerHash;             // the header's checksum
  std::string sender;                 // its name in the tree
  std::vector<Recipient> recipients;  // every one, in the header's order
  std::string series;                 // 16 bytes, the same in all parts of one writing
  std::uint64_t part = 1;             // from 1; a later part begins where the one before it ended
  std::int64_t madeMs = 0;
  std::int64_t expiresMs = 0;
  // Up: the changes that it holds, behind `chainFrom` up to `chainTo`, and in `feedTo` how far the
  // leaf has the feed. Down: how far the hub has the chain (`chainTo`; see `rewinds`), and the
  // feed's entries behind `feedFrom` up to `feedTo`.
  Position chainFrom;
  Position chainTo;
  FeedCursor feedFrom;
  FeedCursor feedTo;
  // Down: the feed began anew at `feedFrom`, wherever the leaf stands before it.
  bool beginsAnew = false;
  // Down: the hub lacks what a leaf that begins behind `chainFrom` takes it to have.
  bool rewinds = false;
  std::uint64_t contentBytes = 0;
  std::uint64_t chunks = 0;  // behind the first one: the size class
  std::string contentHash;   // SHA-256 over the SHA-256 of each of them, sealed
};
std::string encodeManifest(const BundleManifest& manifest);
// Throws Failure("bundle.malformed").
BundleManifest decodeManifest(std::string_view bytes);
std::string manifestToSign(std::string_view encoded);

// How many chunks a content of so many bytes is given: 8 to 15 times a power of two.
std::uint64_t chunksFor(std::uint64_t contentBytes);

std::string keyHashOf(std::string_view publicKey);
std::string recipientHint(std::string_view bundleId, std::string_view keyHash);
// The keys that hang on the content key.
std::string bundleKeyCheck(std::string_view contentKey, std::string_view bundleId);
crypto::Secret bundleStreamKey(std::string_view contentKey, std::string_view headerChecksum);
std::string bundleChunkNonce(std::uint64_t chunk, bool isLast);
inline constexpr std::string_view kBundleKeyInfo = "waystation bundle key v1";

// The cursor of a hello by which a leaf that is not where the hub takes it to be asks for all of
// the feed: no feed ever stands there.
FeedCursor feedAskedAnew();
bool isBehind(const FeedCursor& a, const FeedCursor& b);  // whatever the epochs

// Told how many bytes are through, of how many.
using BundleProgress = std::function<void(std::uint64_t done, std::uint64_t total)>;

// Where a bundle lies: a file, or a store. `read` answers exactly `size` bytes from `at`, or
// throws.
struct BundleSource {
  std::uint64_t size = 0;
  std::function<std::string(std::uint64_t at, std::size_t size)> read;
};
// Where one is written: in order but for its first 64 KiB, which come last.
using BundleSink = std::function<void(std::uint64_t at, std::string_view bytes)>;

}  // namespace waystation::sync

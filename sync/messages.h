#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/store.h"
#include "sync/change.h"
#include "sync/record.h"

namespace waystation::sync {

inline constexpr std::uint64_t kProtocolVersion = 1;
// Of a chain's hash, as much travels where it only has to tell apart, not to prove.
inline constexpr std::size_t kHashPrefixSize = 8;

// A place in the chain of what a leaf sends up.
struct Position {
  ReplicaId incarnation = 0;
  std::uint64_t number = 0;
  std::string hashPrefix;  // 8 bytes, zeros at the very beginning

  bool operator==(const Position&) const = default;
};

// A place in a leaf's feed: all entries up to `number`, and of the next one, an ENTER that spans
// frames, the records up to `within` (empty: none).
struct FeedCursor {
  std::uint64_t epoch = 0;
  std::uint64_t number = 0;
  std::string within;  // 16 bytes or empty

  bool operator==(const FeedCursor&) const = default;
};

// What a leaf signs of its chain with each frame of links: where the chain stands after it.
inline constexpr std::size_t kChainSignatureSize = 64;  // Ed25519
std::string headToSign(ReplicaId incarnation, std::uint64_t number, std::string_view hash);

struct Hello {
  Position base;  // what the leaf takes the hub to have
  FeedCursor feed;
  std::int64_t clockMs = 0;
  std::optional<StateSum> digest;  // over all roots it holds, if nothing is left unsent after it
};
std::string encodeHello(const Hello& hello);
Hello decodeHello(std::string_view payload);

struct IncarnationNotice {
  ReplicaId incarnation = 0;
  ReplicaId parent = 0;
  std::uint64_t parentNumber = 0;
  std::string parentHash;  // 32 bytes, or empty for the first of all
  std::string saltKey;     // 16 bytes
};
std::string encodeIncarnation(const IncarnationNotice& notice);
IncarnationNotice decodeIncarnation(std::string_view payload);

// Links of the chain whose bodies went with the records they concerned: the chain goes on without.
struct GoneFrame {
  std::string signature;  // over headToSign() of the last of these links
  ReplicaId incarnation = 0;
  std::uint64_t firstNumber = 0;
  std::vector<std::string> digests;  // linkDigest() of each, 32 bytes
};
std::string encodeGone(const GoneFrame& frame);
GoneFrame decodeGone(std::string_view payload);

enum class Agreement : std::uint8_t { kNotCompared = 0, kAgree = 1, kDiffer = 2 };

struct Welcome {
  // What the hub has; nothing: all that the leaf has sent, to which its hello stands added.
  std::optional<Position> received;
  bool rewind = false;  // the leaf must send again from `received`
  // Where the feed's entries in this answer begin; nothing: where the hello said.
  std::optional<FeedCursor> feed;
  std::uint64_t feedHead = 0;
  Agreement agreement = Agreement::kNotCompared;
  std::int64_t clockMs = 0;
};
std::string encodeWelcome(const Welcome& welcome);
Welcome decodeWelcome(std::string_view payload);

// What a hub says that went back in time: its histories of the leaf's feed, newest first, each with
// how far it goes.
std::string encodeLost(const std::vector<FeedCursor>& histories);
std::vector<FeedCursor> decodeLost(std::string_view payload);

// One entry of a feed frame, or a piece of an ENTER.
struct FeedItem {
  storage::FeedType type = storage::FeedType::kChange;
  RecordId root;                // of ENTER and LEAVE
  std::vector<Change> changes;  // of ENTER (pruned) and CHANGE (one)
};

std::string encodeReceipts(const std::vector<std::string>& roots);
std::vector<std::string> decodeReceipts(std::string_view payload);

// A signature over changes of the frame that follows (seal.h): going up, over those of the frame's
// incarnation; going down, over all.
struct SealNotice {
  std::string seed;       // 16 bytes
  std::string signature;  // Ed25519
};
std::string encodeSeal(const SealNotice& notice);
SealNotice decodeSeal(std::string_view payload);

// A seal made further down, with the places of those of its changes that follow.
struct CarriedSeal {
  struct Place {
    Dot dot;
    std::uint64_t position = 0;  // from 1
    std::string salt;            // 16 bytes
  };
  std::string signer;  // the device's name
  std::string signature;
  std::string digests;  // 32 bytes each
  std::vector<Place> places;
};
std::string encodeCarriedSeal(const CarriedSeal& seal);
CarriedSeal decodeCarriedSeal(std::string_view payload);

// The phones and offices below a leaf, all of them.
std::string encodeSubtree(const std::vector<storage::DeviceRow>& devices);
std::vector<storage::DeviceRow> decodeSubtree(std::string_view payload);

}  // namespace waystation::sync

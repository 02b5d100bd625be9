#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace waystation::sync {

// A frame on the wire: varint(length of type and payload) type(1) payload.
enum class FrameType : std::uint8_t {
  kHello = 1,          // leaf: where both stand
  kIncarnation = 2,    // leaf: a new incarnation and whose continuation it is
  kChanges = 3,        // leaf: consecutive changes of one incarnation, compressed
  kReceipts = 4,       // leaf: roots that it has removed
  kGone = 5,           // leaf: consecutive links whose changes it no longer holds
  kAsideKnown = 20,    // leaf: which of its changes it knows to be kept aside
  kWelcome = 16,       // hub: what it has received
  kFeed = 17,          // hub: the next entries of the leaf's feed, compressed
  kEnd = 18,           // hub: the answer is whole
  kLost = 19,          // hub: how far it knows the leaf's feed to go, where the leaf has had more
  kAside = 21,         // hub: the leaf's changes that are kept aside, or were discarded
  kDurable = 22,       // hub: how much of the leaf's chain is in headquarters' copy
  kDurableKnown = 23,  // leaf: what it knows of that, where it waits for more
  kHeldAsked = 24,     // leaf, by itself: its own newest changes, of which the hub has others
  kHeldUpTo = 25,      // hub, by itself: up to which of these it has just these
  kCompare = 40,       // both: ranges of records with fingerprints or lists
  kWanted = 41,        // both: records that the other side is asked for
  kHealing = 42,       // both: records as pruned changes, compressed by itself
  kErasuresHeld = 43,  // leaf: the sum over the erasures that it holds
  kCertificates = 44,  // both: erasures
  kErased = 45,        // leaf: erasures that it has carried out
  kRevocations = 46,   // hub, in a bundle: the list of revoked nodes
  kRenewalAsked = 47,  // leaf, in a bundle: a certificate that it wants signed
  kRenewed = 48,       // hub, in a bundle: that certificate
  kSeal = 30,          // both: a signature over changes of the frame that follows
  kCarriedSeal = 31,   // leaf: another device's signature over changes that follow
  kSubtree = 32,       // leaf: the phones and offices below it
  kReturned = 33,      // leaf: what the hub once fed and has lost, under its own seals
  kAhead = 34,         // leaf: copies of changes that do not wait their turn
  kChunk = 50,         // both: a chunk of a file
  kOffered = 51,       // leaf: files that the hub is not known to have
  kLacking = 52,       // hub: which chunks of these it lacks
  kAsked = 53,         // leaf: files that it wants the bytes of
};

// No frame is longer: a peer that announces more is refused before a byte of it is kept.
inline constexpr std::size_t kMaxFrameBytes = 1024 * 1024;
// What one frame may grow to when it is opened.
inline constexpr std::size_t kMaxPlainBytes = 2 * 1024 * 1024;

// How large senders make their frames, in bytes of changes: small ones first, a quarter of which
// crosses a slow link in 2 s, then twice as much each time, so that a cut never costs more than
// what is kept already.
class FrameSizes {
 public:
  std::size_t next() const { return next_; }
  void advance() { next_ = std::min(2 * next_, kMost); }

 private:
  static constexpr std::size_t kFirst = 64 * 1024;
  static constexpr std::size_t kMost = 512 * 1024;  // with a change of 256 KiB still under a frame
  std::size_t next_ = kFirst;
};

struct Frame {
  FrameType type;
  std::string payload;
};

std::string encodeFrame(FrameType type, std::string_view payload);

// Cuts a stream of bytes into frames, whole ones only.
class FrameReader {
 public:
  void add(std::string_view bytes) { buffer_.append(bytes); }
  // The next whole frame. Throws Failure: "sync.frame-too-large", "sync.malformed".
  std::optional<Frame> next();
  // Whether bytes of an unfinished frame are left: the stream was cut.
  bool inMidFrame() const { return position_ < buffer_.size(); }

 private:
  std::string buffer_;
  std::size_t position_ = 0;
};

}  // namespace waystation::sync

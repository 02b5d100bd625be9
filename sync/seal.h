#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/signature.h"
#include "storage/store.h"
#include "sync/ids.h"
#include "sync/messages.h"

namespace waystation::sync {

// A seal is a device's signature over several changes at once, so that any node may carry them and
// whoever gets them can tell who made them (docs/spec/sync.md, "Seals"). Each change enters it by a
// salted digest: one can be shown, or erased, without the others.

inline constexpr std::size_t kSealSeedSize = 16;

// Of the seal of a frame: seed and signature, and the digest of each change, in order.
class SealMaker {
 public:
  explicit SealMaker(std::string seed) : seed_(std::move(seed)) {}  // 16 bytes
  void add(std::string_view body);
  // The change, and behind it, where it has several edits, each of these alone: so that one can be
  // shown to whoever may not have the others.
  void addWithParts(const Change& change);
  const std::string& seed() const { return seed_; }
  bool empty() const { return digests_.empty(); }
  std::string salt(std::uint64_t position) const;  // positions begin at 1
  const std::string& digests() const { return digests_; }
  std::string sign(const crypto::SigningKey& key) const;
  bool isSignedBy(std::string_view publicKey, std::string_view signature) const;

 private:
  std::string seed_;
  std::string digests_;
};

// How many places it takes under a seal made with its parts.
std::size_t placesWithParts(const Change& change);
// The change with this one of its edits alone.
Change partOf(const Change& change, std::size_t edit);
// Where that part stands under a seal made with its parts, given where the whole change does.
storage::SealedRow placeOfPart(const storage::SealedRow& whole, std::size_t edit);

// Whether a body is what stands at its place under the seal.
bool isUnder(const storage::SealRow& seal, std::uint64_t position, std::string_view salt,
             std::string_view body);
bool isSealedBy(const storage::SealRow& seal, std::string_view publicKey);

// Collects the seals of changes that go further, for the frames before theirs.
class SealsToCarry {
 public:
  explicit SealsToCarry(storage::Store& store) : store_(store) {}  // borrows
  // That this change is at this place of a kept seal. Answers about how many bytes that takes.
  std::size_t add(const Dot& dot, const storage::SealedRow& place);
  // Of what was added since the last time. With `once`, the digests of a seal go with its first
  // frame only.
  std::vector<CarriedSeal> take(bool once = false);

 private:
  storage::Store& store_;
  std::map<std::int64_t, CarriedSeal> seals_;  // by the seal's row
  std::set<std::int64_t> sent_;
};

// The seals that came with an exchange, by the changes that they prove.
class CarriedSeals {
 public:
  struct Proof {
    storage::SealRow seal;
    std::uint64_t position = 0;
    std::string salt;
  };
  void add(CarriedSeal seal);
  // Nothing where no seal that came holds this very body.
  std::optional<Proof> proofOf(const Dot& dot, std::string_view body) const;
  std::vector<Proof> proofsOf(const Dot& dot, std::string_view body) const;

 private:
  std::vector<CarriedSeal> seals_;
  std::map<std::string, std::size_t> bySignature_;  // the first, which has the digests
  std::multimap<Dot, std::pair<std::size_t, std::size_t>> places_;  // seal, place within
};

}  // namespace waystation::sync

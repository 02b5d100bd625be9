#include "sync/seal.h"

#include "crypto/hash.h"
#include "sync/replica.h"

namespace waystation::sync {
namespace {

constexpr std::string_view kSealHeading = "waystation seal v1\n";

std::string toSign(std::string_view digests) {
  return std::string(kSealHeading) + std::string(digests);
}

}  // namespace

void SealMaker::add(std::string_view body) {
  const std::uint64_t position = digests_.size() / crypto::kSha256Size + 1;
  digests_ += linkDigest(salt(position), body);
}

std::size_t placesWithParts(const Change& change) {
  return change.edits.size() < 2 ? 1 : 1 + change.edits.size();
}

void SealMaker::addWithParts(const Change& change) {
  add(encodeChange(change));
  if (change.edits.size() < 2) return;
  const std::size_t position = digests_.size() / crypto::kSha256Size;
  const storage::SealedRow whole{0, position, salt(position)};
  for (std::size_t edit = 0; edit < change.edits.size(); ++edit) {
    digests_ += linkDigest(placeOfPart(whole, edit).salt, encodeChange(partOf(change, edit)));
  }
}

Change partOf(const Change& change, std::size_t edit) {
  Change part{change.dot, change.time, change.author, {}};
  part.edits.push_back(change.edits[edit]);
  return part;
}

// Whoever was shown a part can not guess the others by its salt.
storage::SealedRow placeOfPart(const storage::SealedRow& whole, std::size_t edit) {
  return {whole.seal, whole.position + 1 + edit, chainSalt(whole.salt, edit + 1)};
}

std::string SealMaker::salt(std::uint64_t position) const {
  return chainSalt(seed_, position);
}

std::string SealMaker::sign(const crypto::SigningKey& key) const {
  return key.sign(toSign(digests_));
}

bool SealMaker::isSignedBy(std::string_view publicKey, std::string_view signature) const {
  return crypto::verifySignature(publicKey, toSign(digests_), signature);
}

bool isUnder(const storage::SealRow& seal, std::uint64_t position, std::string_view salt,
             std::string_view body) {
  if (position == 0 || position > seal.digests.size() / crypto::kSha256Size) return false;
  const std::string_view digest =
      std::string_view(seal.digests)
          .substr((position - 1) * crypto::kSha256Size, crypto::kSha256Size);
  return linkDigest(salt, body) == digest;
}

bool isSealedBy(const storage::SealRow& seal, std::string_view publicKey) {
  return crypto::verifySignature(publicKey, toSign(seal.digests), seal.signature);
}

std::size_t SealsToCarry::add(const Dot& dot, const storage::SealedRow& place) {
  CarriedSeal& seal = seals_[place.seal];
  std::size_t bytes = place.salt.size();
  if (seal.places.empty()) {
    const std::optional<storage::SealRow> row = store_.seal(place.seal);
    if (!row) {
      seals_.erase(place.seal);
      return 0;
    }
    seal = {row->signer, row->signature, row->digests, {}};
    bytes += row->digests.size();
  }
  seal.places.push_back({dot, place.position, place.salt});
  return bytes;
}

std::vector<CarriedSeal> SealsToCarry::take(bool once) {
  std::vector<CarriedSeal> seals;
  for (auto& [row, seal] : seals_) {
    if (once && !sent_.insert(row).second) seal.digests.clear();
    seals.push_back(std::move(seal));
  }
  seals_.clear();
  return seals;
}

void CarriedSeals::add(CarriedSeal seal) {
  const auto [first, isNew] = bySignature_.try_emplace(seal.signature, seals_.size());
  if (!isNew && seal.digests.empty()) seal.digests = seals_[first->second].digests;
  for (std::size_t i = 0; i < seal.places.size(); ++i) {
    places_.emplace(seal.places[i].dot, std::pair{seals_.size(), i});
  }
  seals_.push_back(std::move(seal));
}

std::vector<CarriedSeals::Proof> CarriedSeals::proofsOf(const Dot& dot,
                                                        std::string_view body) const {
  std::vector<Proof> proofs;
  const auto [first, last] = places_.equal_range(dot);
  for (auto at = first; at != last; ++at) {
    const CarriedSeal& seal = seals_[at->second.first];
    const CarriedSeal::Place& place = seal.places[at->second.second];
    storage::SealRow row{seal.signer, seal.signature, seal.digests};
    if (!isUnder(row, place.position, place.salt, body)) continue;
    proofs.push_back({std::move(row), place.position, place.salt});
  }
  return proofs;
}

std::optional<CarriedSeals::Proof> CarriedSeals::proofOf(const Dot& dot,
                                                         std::string_view body) const {
  std::vector<Proof> proofs = proofsOf(dot, body);
  if (proofs.empty()) return std::nullopt;
  return std::move(proofs.front());
}

}  // namespace waystation::sync

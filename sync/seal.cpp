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

void CarriedSeals::add(const CarriedSeal& seal) {
  for (std::size_t i = 0; i < seal.places.size(); ++i) {
    places_.emplace(seal.places[i].dot, std::pair{seals_.size(), i});
  }
  seals_.push_back(seal);
}

std::optional<CarriedSeals::Proof> CarriedSeals::proofOf(const Dot& dot,
                                                         std::string_view body) const {
  const auto [first, last] = places_.equal_range(dot);
  for (auto at = first; at != last; ++at) {
    const CarriedSeal& seal = seals_[at->second.first];
    const CarriedSeal::Place& place = seal.places[at->second.second];
    const storage::SealRow row{seal.signer, seal.signature, seal.digests};
    if (isUnder(row, place.position, place.salt, body))
      return Proof{row, place.position, place.salt};
  }
  return std::nullopt;
}

}  // namespace waystation::sync

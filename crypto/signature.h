#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "crypto/random.h"
#include "crypto/secret.h"

namespace waystation::crypto {

inline constexpr std::size_t kSignatureSize = 64;
inline constexpr std::size_t kSigningKeySize = 32;

// An Ed25519 key (RFC 8032). The private part is the 32-byte seed.
class SigningKey {
 public:
  static SigningKey generate(Random& random);
  explicit SigningKey(Secret seed);  // throws Failure("key.malformed") unless 32 bytes

  std::string sign(std::string_view message) const;            // 64 bytes
  const std::string& publicKey() const { return publicKey_; }  // 32 bytes
  const Secret& seed() const { return seed_; }

 private:
  Secret seed_;
  std::string publicKey_;
};

bool verifySignature(std::string_view publicKey, std::string_view message,
                     std::string_view signature);

}  // namespace waystation::crypto

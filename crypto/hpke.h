#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/random.h"
#include "crypto/secret.h"

namespace waystation::crypto {

// Sealing to a recipient: HPKE (RFC 9180), base mode, with DHKEM(X25519, HKDF-SHA256),
// HKDF-SHA256 and ChaCha20-Poly1305; checked with the RFC's vectors (A.2.1). It says nothing about
// who sealed: what has to come from somebody is signed besides.

inline constexpr std::size_t kHpkeKeySize = 32;           // private and public
inline constexpr std::size_t kHpkeEncapsulatedSize = 32;  // what the recipient needs of the sender
inline constexpr std::size_t kHpkeTagSize = 16;

// An X25519 key pair (RFC 7748) that things are sealed to.
class RecipientKey {
 public:
  static RecipientKey generate(Random& random);
  // Throws Failure("key.malformed") unless 32 bytes.
  explicit RecipientKey(Secret privateKey);

  const std::string& publicKey() const { return publicKey_; }
  const Secret& privateKey() const { return privateKey_; }

 private:
  Secret privateKey_;
  std::string publicKey_;
};

// Both ends of one sealing: message 0, 1, 2, ... each with its own nonce, so that none can be left
// out, repeated or put elsewhere. Not for two threads at once.
class HpkeContext {
 public:
  // For the sender. `info` names the purpose; both ends must give the same.
  // Throws Failure("hpke.malformed-key") when the recipient's key is none.
  static HpkeContext sender(Random& random, std::string_view recipientPublicKey,
                            std::string_view info);
  // For the recipient; nothing when `encapsulated` is no public key.
  static std::optional<HpkeContext> recipient(const RecipientKey& key,
                                              std::string_view encapsulated, std::string_view info);

  // The sender's, 32 bytes, to be sent before the messages.
  const std::string& encapsulated() const { return encapsulated_; }

  // The next message's ciphertext, followed by its tag of 16 bytes.
  std::string seal(std::string_view associatedData, std::string_view plaintext);
  // The next message; nothing, with the place in the row kept, when it is not what was sealed.
  std::optional<std::string> open(std::string_view associatedData, std::string_view sealed);

 private:
  HpkeContext(const Secret& sharedSecret, std::string encapsulated, std::string_view info);
  std::string nonce() const;

  std::string encapsulated_;
  Secret key_;
  Secret baseNonce_;
  std::uint64_t sequence_ = 0;
};

// One message: the encapsulated key and the message behind each other.
std::string hpkeSeal(Random& random, std::string_view recipientPublicKey, std::string_view info,
                     std::string_view associatedData, std::string_view plaintext);
std::optional<std::string> hpkeOpen(const RecipientKey& key, std::string_view info,
                                    std::string_view associatedData, std::string_view sealed);

}  // namespace waystation::crypto

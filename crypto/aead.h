#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/random.h"
#include "crypto/secret.h"

namespace waystation::crypto {

inline constexpr std::size_t kAeadKeySize = 32;
inline constexpr std::size_t kAeadNonceSize = 12;
inline constexpr std::size_t kAeadTagSize = 16;

// AES-256-GCM (SP 800-38D) is the product's; ChaCha20-Poly1305 (RFC 8439) is what HPKE goes by.
enum class AeadCipher { kAes256Gcm, kChaCha20Poly1305 };

// Returns ciphertext followed by the 16-byte tag. The caller answers for never using a nonce twice
// under one key.
std::string aeadSeal(std::string_view key, std::string_view nonce, std::string_view associatedData,
                     std::string_view plaintext, AeadCipher cipher = AeadCipher::kAes256Gcm);
// Nothing when key, nonce, associated data or ciphertext are not those of the sealing.
std::optional<std::string> aeadOpen(std::string_view key, std::string_view nonce,
                                    std::string_view associatedData, std::string_view sealed,
                                    AeadCipher cipher = AeadCipher::kAes256Gcm);

// Nonce drawn and put in front: nonce(12) ciphertext tag(16). At most 2^32 messages a key.
std::string sealWithRandomNonce(Random& random, std::string_view key,
                                std::string_view associatedData, std::string_view plaintext);
std::optional<std::string> openWithLeadingNonce(std::string_view key,
                                                std::string_view associatedData,
                                                std::string_view sealed);

}  // namespace waystation::crypto

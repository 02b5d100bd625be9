#include "crypto/aead.h"

#include <openssl/crypto.h>

#include <algorithm>

#include "crypto/openssl_handles.h"

namespace waystation::crypto {
namespace {

enum class Direction { kOpen = 0, kSeal = 1 };

const EVP_CIPHER* algorithmOf(AeadCipher cipher) {
  static const CipherHandle aes(EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr));
  static const CipherHandle chaCha(EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr));
  const CipherHandle& algorithm = cipher == AeadCipher::kAes256Gcm ? aes : chaCha;
  requireOpenSsl(algorithm != nullptr, "find AES-256-GCM or ChaCha20-Poly1305");
  return algorithm.get();
}

CipherContext begin(AeadCipher cipher, Direction direction, std::string_view key,
                    std::string_view nonce) {
  CipherContext context(EVP_CIPHER_CTX_new());
  requireOpenSsl(
      context != nullptr &&
          EVP_CipherInit_ex2(context.get(), algorithmOf(cipher), octets(key.data()),
                             octets(nonce.data()), static_cast<int>(direction), nullptr) == 1,
      "start the cipher");
  return context;
}

// `out` is null for associated data. In steps, because OpenSSL counts in int.
void pass(EVP_CIPHER_CTX* context, char* out, std::string_view in) {
  constexpr std::size_t kStep = std::size_t{1} << 30;
  for (std::size_t done = 0; done < in.size(); done += kStep) {
    const std::string_view part = in.substr(done, kStep);
    int written = 0;
    requireOpenSsl(
        EVP_CipherUpdate(context, out == nullptr ? nullptr : octets(out + done), &written,
                         octets(part.data()), static_cast<int>(part.size())) == 1,
        "run the cipher");
  }
}

// Appends ciphertext and tag to what `prefix` already holds.
std::string sealBehind(std::string prefix, std::string_view key, std::string_view nonce,
                       std::string_view associatedData, std::string_view plaintext,
                       AeadCipher cipher) {
  if (key.size() != kAeadKeySize || nonce.size() != kAeadNonceSize) {
    throw Failure("aead.malformed-key",
                  "Sealing needs a key of 32 bytes and a nonce of 12 bytes. Nothing was sealed.");
  }
  const std::size_t start = prefix.size();
  prefix.resize(start + plaintext.size() + kAeadTagSize);
  const CipherContext context = begin(cipher, Direction::kSeal, key, nonce);
  pass(context.get(), nullptr, associatedData);
  pass(context.get(), prefix.data() + start, plaintext);
  char* const tag = prefix.data() + start + plaintext.size();
  int written = 0;
  requireOpenSsl(EVP_CipherFinal_ex(context.get(), octets(tag), &written) == 1 &&
                     EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG,
                                         static_cast<int>(kAeadTagSize), tag) == 1,
                 "finish the cipher");
  return prefix;
}

}  // namespace

std::string aeadSeal(std::string_view key, std::string_view nonce, std::string_view associatedData,
                     std::string_view plaintext, AeadCipher cipher) {
  return sealBehind({}, key, nonce, associatedData, plaintext, cipher);
}

std::optional<std::string> aeadOpen(std::string_view key, std::string_view nonce,
                                    std::string_view associatedData, std::string_view sealed,
                                    AeadCipher cipher) {
  if (key.size() != kAeadKeySize || nonce.size() != kAeadNonceSize ||
      sealed.size() < kAeadTagSize) {
    return std::nullopt;
  }
  const std::string_view ciphertext = sealed.substr(0, sealed.size() - kAeadTagSize);
  std::string tag(sealed.substr(ciphertext.size()));
  std::string plaintext(ciphertext.size(), '\0');
  const CipherContext context = begin(cipher, Direction::kOpen, key, nonce);
  pass(context.get(), nullptr, associatedData);
  pass(context.get(), plaintext.data(), ciphertext);
  requireOpenSsl(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_SET_TAG,
                                     static_cast<int>(tag.size()), tag.data()) == 1,
                 "set the tag to check");
  int written = 0;
  unsigned char none[kAeadTagSize];
  if (EVP_CipherFinal_ex(context.get(), none, &written) != 1) {
    // Decrypted under a key that may be the right one: nobody may see it unauthenticated.
    OPENSSL_cleanse(plaintext.data(), plaintext.size());
    ERR_clear_error();
    return std::nullopt;
  }
  return plaintext;
}

std::string sealWithRandomNonce(Random& random, std::string_view key,
                                std::string_view associatedData, std::string_view plaintext) {
  std::string nonce = random.bytes(kAeadNonceSize);
  const std::string copy = nonce;
  nonce.reserve(kAeadNonceSize + plaintext.size() + kAeadTagSize);
  return sealBehind(std::move(nonce), key, copy, associatedData, plaintext, AeadCipher::kAes256Gcm);
}

std::optional<std::string> openWithLeadingNonce(std::string_view key,
                                                std::string_view associatedData,
                                                std::string_view sealed) {
  if (sealed.size() < kAeadNonceSize + kAeadTagSize) {
    return std::nullopt;
  }
  return aeadOpen(key, sealed.substr(0, kAeadNonceSize), associatedData,
                  sealed.substr(kAeadNonceSize));
}

}  // namespace waystation::crypto

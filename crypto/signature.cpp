#include "crypto/signature.h"

#include <utility>

#include "crypto/openssl_handles.h"

namespace waystation::crypto {
namespace {

constexpr std::size_t kPublicKeySize = 32;

KeyHandle privateKeyOf(const Secret& seed) {
  KeyHandle key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, octets(seed.view().data()),
                                             seed.size()));
  requireOpenSsl(key != nullptr, "load a signing key");
  return key;
}

}  // namespace

SigningKey SigningKey::generate(Random& random) {
  Secret seed(kSigningKeySize);
  random.fill(seed.data(), seed.size());
  return SigningKey(std::move(seed));
}

SigningKey::SigningKey(Secret seed) : seed_(std::move(seed)) {
  if (seed_.size() != kSigningKeySize) {
    throw Failure("key.malformed", "A signing key has 32 bytes; this one has not.");
  }
  publicKey_.resize(kPublicKeySize);
  std::size_t size = publicKey_.size();
  requireOpenSsl(EVP_PKEY_get_raw_public_key(privateKeyOf(seed_).get(), octets(publicKey_.data()),
                                             &size) == 1 &&
                     size == kPublicKeySize,
                 "derive a public key");
}

std::string SigningKey::sign(std::string_view message) const {
  const KeyHandle key = privateKeyOf(seed_);
  const DigestContext context(EVP_MD_CTX_new());
  std::string signature(kSignatureSize, '\0');
  std::size_t size = signature.size();
  requireOpenSsl(context != nullptr &&
                     EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
                     EVP_DigestSign(context.get(), octets(signature.data()), &size,
                                    octets(message.data()), message.size()) == 1 &&
                     size == kSignatureSize,
                 "sign a message");
  return signature;
}

bool verifySignature(std::string_view publicKey, std::string_view message,
                     std::string_view signature) {
  if (publicKey.size() != kPublicKeySize || signature.size() != kSignatureSize) {
    return false;
  }
  const KeyHandle key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr,
                                                  octets(publicKey.data()), publicKey.size()));
  const DigestContext context(EVP_MD_CTX_new());
  requireOpenSsl(key != nullptr && context != nullptr &&
                     EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) == 1,
                 "start checking a signature");
  const bool valid = EVP_DigestVerify(context.get(), octets(signature.data()), signature.size(),
                                      octets(message.data()), message.size()) == 1;
  ERR_clear_error();
  return valid;
}

}  // namespace waystation::crypto

#include "crypto/hash.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include "crypto/openssl_handles.h"

namespace waystation::crypto {
namespace {

// Fetched once: a lookup by name costs more than hashing a page.
const EVP_MD* sha256Algorithm() {
  static const DigestHandle algorithm(EVP_MD_fetch(nullptr, "SHA256", nullptr));
  requireOpenSsl(algorithm != nullptr, "find SHA-256");
  return algorithm.get();
}

EVP_MAC* hmacAlgorithm() {
  static const MacHandle algorithm(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
  requireOpenSsl(algorithm != nullptr, "find HMAC");
  return algorithm.get();
}

}  // namespace

struct Sha256::State {
  DigestContext context;

  void restart() {
    requireOpenSsl(EVP_DigestInit_ex2(context.get(), sha256Algorithm(), nullptr) == 1,
                   "start a hash");
  }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  state_->context.reset(EVP_MD_CTX_new());
  requireOpenSsl(state_->context != nullptr, "start a hash");
  state_->restart();
}

Sha256::~Sha256() = default;

Sha256& Sha256::update(std::string_view part) {
  requireOpenSsl(EVP_DigestUpdate(state_->context.get(), part.data(), part.size()) == 1,
                 "hash some bytes");
  return *this;
}

Sha256Digest Sha256::finish() {
  Sha256Digest result;
  requireOpenSsl(EVP_DigestFinal_ex(state_->context.get(), result.data(), nullptr) == 1,
                 "finish a hash");
  state_->restart();
  return result;
}

Sha256Digest sha256(std::string_view data) {
  Sha256Digest result;
  requireOpenSsl(
      EVP_Digest(data.data(), data.size(), result.data(), nullptr, sha256Algorithm(), nullptr) == 1,
      "hash some bytes");
  return result;
}

Sha256Digest hmacSha256(std::string_view key, std::string_view data) {
  const MacContext context(EVP_MAC_CTX_new(hmacAlgorithm()));
  requireOpenSsl(context != nullptr, "start an authentication code");
  char digestName[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digestName, 0),
      OSSL_PARAM_construct_end()};
  // A null pointer would mean "the key of last time" and not "the empty key".
  const char* const keyBytes = key.empty() ? "" : key.data();
  requireOpenSsl(EVP_MAC_init(context.get(), octets(keyBytes), key.size(), parameters) == 1,
                 "start an authentication code");
  Sha256Digest result;
  std::size_t size = 0;
  requireOpenSsl(EVP_MAC_update(context.get(), octets(data.data()), data.size()) == 1 &&
                     EVP_MAC_final(context.get(), result.data(), &size, result.size()) == 1 &&
                     size == result.size(),
                 "compute an authentication code");
  return result;
}

bool equalConstantTime(std::string_view a, std::string_view b) {
  return a.size() == b.size() && (a.empty() || CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0);
}

}  // namespace waystation::crypto

#include "crypto/hpke.h"

#include <utility>

#include "crypto/aead.h"
#include "crypto/kdf.h"
#include "crypto/openssl_handles.h"

namespace waystation::crypto {
namespace {

using namespace std::string_view_literals;

// RFC 9180, section 7: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305; mode base.
constexpr std::string_view kKemSuite = "KEM\x00\x20"sv;
constexpr std::string_view kHpkeSuite = "HPKE\x00\x20\x00\x01\x00\x03"sv;
constexpr char kModeBase = 0;
constexpr std::size_t kSharedSecretSize = 32;

using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreeWith<EVP_PKEY_CTX_free>>;

// Labels and secrets behind each other, in memory that is wiped.
Secret joined(std::initializer_list<std::string_view> parts) {
  std::size_t size = 0;
  for (const std::string_view part : parts) size += part.size();
  Secret result(size);
  char* out = result.data();
  for (const std::string_view part : parts) out += part.copy(out, part.size());
  return result;
}

// Section 4: LabeledExtract and LabeledExpand.
Secret labeledExtract(std::string_view suite, std::string_view salt, std::string_view label,
                      std::string_view inputKey) {
  return hkdfExtractSha256(salt, joined({"HPKE-v1", suite, label, inputKey}).view());
}

Secret labeledExpand(std::string_view suite, const Secret& key, std::string_view label,
                     std::string_view info, std::size_t size) {
  const char length[] = {static_cast<char>(size >> 8), static_cast<char>(size)};
  const std::string_view lengthBytes(length, sizeof length);
  return hkdfExpandSha256(key.view(), joined({lengthBytes, "HPKE-v1", suite, label, info}).view(),
                          size);
}

// Nothing when the public key is none: of another size, or one that leads to a secret of zeros
// (RFC 7748, section 6.1), which OpenSSL refuses.
std::optional<Secret> sharedPoint(const Secret& privateKey, std::string_view publicKey) {
  if (publicKey.size() != kHpkeKeySize) return std::nullopt;
  const KeyHandle mine(EVP_PKEY_new_raw_private_key(
      EVP_PKEY_X25519, nullptr, octets(privateKey.view().data()), privateKey.size()));
  const KeyHandle theirs(EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr,
                                                     octets(publicKey.data()), publicKey.size()));
  requireOpenSsl(mine != nullptr && theirs != nullptr, "load an X25519 key");
  const KeyContext context(EVP_PKEY_CTX_new(mine.get(), nullptr));
  requireOpenSsl(context != nullptr && EVP_PKEY_derive_init(context.get()) == 1 &&
                     EVP_PKEY_derive_set_peer(context.get(), theirs.get()) == 1,
                 "start a key agreement");
  Secret point(kHpkeKeySize);
  std::size_t size = point.size();
  if (EVP_PKEY_derive(context.get(), octets(point.data()), &size) != 1 || size != point.size()) {
    ERR_clear_error();
    return std::nullopt;
  }
  return point;
}

// Section 4.1, ExtractAndExpand.
Secret sharedSecretOf(const Secret& point, std::string_view encapsulated,
                      std::string_view recipientPublicKey) {
  const Secret key = labeledExtract(kKemSuite, {}, "eae_prk", point.view());
  const std::string context = std::string(encapsulated) + std::string(recipientPublicKey);
  return labeledExpand(kKemSuite, key, "shared_secret", context, kSharedSecretSize);
}

}  // namespace

RecipientKey RecipientKey::generate(Random& random) {
  Secret key(kHpkeKeySize);
  random.fill(key.data(), key.size());
  return RecipientKey(std::move(key));
}

RecipientKey::RecipientKey(Secret privateKey) : privateKey_(std::move(privateKey)) {
  if (privateKey_.size() != kHpkeKeySize) {
    throw Failure("key.malformed", "An X25519 key has 32 bytes; this one has not.");
  }
  const KeyHandle key(EVP_PKEY_new_raw_private_key(
      EVP_PKEY_X25519, nullptr, octets(privateKey_.view().data()), privateKey_.size()));
  publicKey_.resize(kHpkeKeySize);
  std::size_t size = publicKey_.size();
  requireOpenSsl(
      key != nullptr &&
          EVP_PKEY_get_raw_public_key(key.get(), octets(publicKey_.data()), &size) == 1 &&
          size == kHpkeKeySize,
      "derive a public key");
}

// Section 5.1, KeySchedule, with neither a shared key nor its name.
HpkeContext::HpkeContext(const Secret& sharedSecret, std::string encapsulated,
                         std::string_view info)
    : encapsulated_(std::move(encapsulated)) {
  const Secret noName = labeledExtract(kHpkeSuite, {}, "psk_id_hash", {});
  const Secret purpose = labeledExtract(kHpkeSuite, {}, "info_hash", info);
  std::string context(1, kModeBase);
  context += noName.view();
  context += purpose.view();
  const Secret secret = labeledExtract(kHpkeSuite, sharedSecret.view(), "secret", {});
  key_ = labeledExpand(kHpkeSuite, secret, "key", context, kAeadKeySize);
  baseNonce_ = labeledExpand(kHpkeSuite, secret, "base_nonce", context, kAeadNonceSize);
}

HpkeContext HpkeContext::sender(Random& random, std::string_view recipientPublicKey,
                                std::string_view info) {
  const RecipientKey ephemeral = RecipientKey::generate(random);
  const std::optional<Secret> point = sharedPoint(ephemeral.privateKey(), recipientPublicKey);
  if (!point) {
    throw Failure("hpke.malformed-key",
                  "The recipient's public key is none, so nothing can be sealed to it. Nothing was "
                  "changed; ask for the key again.");
  }
  const Secret shared = sharedSecretOf(*point, ephemeral.publicKey(), recipientPublicKey);
  return HpkeContext(shared, ephemeral.publicKey(), info);
}

std::optional<HpkeContext> HpkeContext::recipient(const RecipientKey& key,
                                                  std::string_view encapsulated,
                                                  std::string_view info) {
  const std::optional<Secret> point = sharedPoint(key.privateKey(), encapsulated);
  if (!point) return std::nullopt;
  const Secret shared = sharedSecretOf(*point, encapsulated, key.publicKey());
  return HpkeContext(shared, std::string(encapsulated), info);
}

// Section 5.2, ComputeNonce. 64 bits of counting do not overflow.
std::string HpkeContext::nonce() const {
  std::string nonce(baseNonce_.view());
  for (std::size_t i = 0; i < sizeof sequence_; ++i) {
    char& byte = nonce[nonce.size() - 1 - i];
    byte = static_cast<char>(byte ^ static_cast<char>(sequence_ >> (8 * i)));
  }
  return nonce;
}

std::string HpkeContext::seal(std::string_view associatedData, std::string_view plaintext) {
  std::string sealed =
      aeadSeal(key_.view(), nonce(), associatedData, plaintext, AeadCipher::kChaCha20Poly1305);
  ++sequence_;
  return sealed;
}

std::optional<std::string> HpkeContext::open(std::string_view associatedData,
                                             std::string_view sealed) {
  std::optional<std::string> plaintext =
      aeadOpen(key_.view(), nonce(), associatedData, sealed, AeadCipher::kChaCha20Poly1305);
  if (plaintext) ++sequence_;
  return plaintext;
}

std::string hpkeSeal(Random& random, std::string_view recipientPublicKey, std::string_view info,
                     std::string_view associatedData, std::string_view plaintext) {
  HpkeContext context = HpkeContext::sender(random, recipientPublicKey, info);
  return context.encapsulated() + context.seal(associatedData, plaintext);
}

std::optional<std::string> hpkeOpen(const RecipientKey& key, std::string_view info,
                                    std::string_view associatedData, std::string_view sealed) {
  if (sealed.size() < kHpkeEncapsulatedSize + kHpkeTagSize) return std::nullopt;
  std::optional<HpkeContext> context =
      HpkeContext::recipient(key, sealed.substr(0, kHpkeEncapsulatedSize), info);
  if (!context) return std::nullopt;
  return context->open(associatedData, sealed.substr(kHpkeEncapsulatedSize));
}

}  // namespace waystation::crypto

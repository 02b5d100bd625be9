#include "crypto/key_slot_wrapping.h"

#include <openssl/crypto.h>

#include "crypto/aead.h"
#include "crypto/hpke.h"
#include "crypto/kdf.h"
#include "crypto/recovery_key.h"

namespace waystation::crypto {
namespace {

constexpr std::string_view kCheckPurpose = "waystation master check v1";
constexpr std::string_view kKeyFilePurpose = "waystation key file v1";
constexpr std::string_view kCredentialPurpose = "waystation credential v1";
constexpr std::string_view kHubSharePurpose = "waystation hq share v1";
constexpr std::string_view kRecoveryPurpose = "waystation recovery slot v1";

std::string_view purposeOf(SlotKind kind) {
  if (kind == SlotKind::kKeyFile) return kKeyFilePurpose;
  return kind == SlotKind::kHubShare ? kHubSharePurpose : kCredentialPurpose;
}

Secret wrappingKeyOf(const KeySlotRecord& slot, std::string_view secret) {
  if (slot.kind == SlotKind::kPassphrase) {
    return argon2id(secret, slot.salt, slot.cost, kAeadKeySize);
  }
  return hkdfSha256(secret, slot.salt, purposeOf(slot.kind), kAeadKeySize);
}

std::optional<std::string> openWrapping(const KeySlotRecord& slot, std::string_view storeId,
                                        std::string_view secret) {
  const std::string bound = associatedDataOf(storeId, slot);
  if (slot.kind != SlotKind::kRecovery) {
    return openWithLeadingNonce(wrappingKeyOf(slot, secret).view(), bound, slot.wrapped);
  }
  if (secret.size() != kHpkeKeySize) return std::nullopt;
  const RecipientKey key(Secret::copyOf(secret));
  if (recoveryKeyId(key.publicKey()) != slot.salt) return std::nullopt;
  return hpkeOpen(key, kRecoveryPurpose, bound, slot.wrapped);
}

}  // namespace

std::string masterCheckOf(const Secret& master, std::string_view storeId) {
  return std::string(hkdfSha256(master.view(), storeId, kCheckPurpose, kMasterCheckSize).view());
}

void wrapMaster(KeySlotRecord& slot, std::string_view storeId, Random& random, const Secret& master,
                std::string_view secret) {
  if (slot.kind == SlotKind::kRecovery) {
    slot.salt = recoveryKeyId(secret);
    slot.wrapped =
        hpkeSeal(random, secret, kRecoveryPurpose, associatedDataOf(storeId, slot), master.view());
    return;
  }
  slot.salt = random.bytes(kSlotSaltSize);
  const Secret key = wrappingKeyOf(slot, secret);
  slot.wrapped =
      sealWithRandomNonce(random, key.view(), associatedDataOf(storeId, slot), master.view());
}

std::optional<Secret> unwrapMaster(const KeySlotRecord& slot, std::string_view storeId,
                                   std::string_view secret) {
  std::optional<std::string> bytes = openWrapping(slot, storeId, secret);
  if (!bytes) return std::nullopt;
  Secret master = Secret::copyOf(*bytes);
  OPENSSL_cleanse(bytes->data(), bytes->size());
  return master;
}

}  // namespace waystation::crypto

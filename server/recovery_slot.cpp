#include "server/recovery_slot.h"

#include <algorithm>

#include "crypto/key_slot_codec.h"
#include "crypto/recovery_key.h"

namespace waystation::server {
namespace {

constexpr std::string_view kRecoveryKey = "recovery.public-key";

}  // namespace

std::optional<std::string> recoveryKeyOf(storage::Store& store) {
  return store.meta(kRecoveryKey);
}

void setRecoveryKey(storage::Store& store, std::string_view publicKey) {
  store.setMeta(kRecoveryKey, publicKey);
}

void keepRecoverySlot(crypto::KeySlots& slots, const crypto::Secret& master, crypto::Random& random,
                      std::string_view publicKey) {
  const std::string id = crypto::recoveryKeyId(publicKey);
  const std::vector<crypto::SlotInfo> list = slots.list();
  const bool isThere = std::any_of(list.begin(), list.end(), [&](const crypto::SlotInfo& slot) {
    return slot.recoveryKeyId == id;
  });
  if (isThere || list.size() >= crypto::kMostSlots) return;
  slots.add(master, random, crypto::SlotKind::kRecovery, publicKey, "headquarters' recovery key");
}

}  // namespace waystation::server

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "crypto/key_slots.h"
#include "crypto/random.h"
#include "crypto/secret.h"
#include "storage/store.h"

namespace waystation::server {

// Headquarters' recovery key as a node knows it, and the slot sealed to it.

// The public part of headquarters' recovery key, 32 bytes; at an office it came with the token.
std::optional<std::string> recoveryKeyOf(storage::Store& store);
void setRecoveryKey(storage::Store& store, std::string_view publicKey);

// Seals the master key to the recovery key in a slot of its own, unless there is one, or no slot is
// free. Throws what KeySlots::add does of writing.
void keepRecoverySlot(crypto::KeySlots& slots, const crypto::Secret& master, crypto::Random& random,
                      std::string_view publicKey);

}  // namespace waystation::server

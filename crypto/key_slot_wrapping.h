#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "crypto/key_slot_codec.h"
#include "crypto/random.h"
#include "crypto/secret.h"

namespace waystation::crypto {

// How a slot keeps the master key (docs/spec/key-slots.md, "Wrapping").

// Names the master key without telling it: 256 random bits can't be guessed back.
std::string masterCheckOf(const Secret& master, std::string_view storeId);

// Draws the slot's salt and fills its wrapping. `secret`: what will open it; for a recovery slot
// the recipient's public key. Throws Failure("hpke.malformed-key").
void wrapMaster(KeySlotRecord& slot, std::string_view storeId, Random& random, const Secret& master,
                std::string_view secret);

// The master key, if `secret` is of the slot's kind and opens it; for a recovery slot it is the
// private key.
std::optional<Secret> unwrapMaster(const KeySlotRecord& slot, std::string_view storeId,
                                   std::string_view secret);

}  // namespace waystation::crypto

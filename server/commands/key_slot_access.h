#pragma once

#include <string>

#include "crypto/key_slots.h"
#include "server/commands/command.h"
#include "server/commands/secret_input.h"

namespace waystation::commands {

// The key commands work on the key file itself, whether or not a server runs: a running one holds
// the keys of its store and reads the file at its next start.

// The slots of the node that --data names. Throws as Node::readConfig and KeySlots do.
crypto::KeySlots slotsOf(const Options& options);
// Opened with what readNodeSecret finds.
crypto::KeySlots::Opened openSlots(const crypto::KeySlots& slots, const Options& options);

// "passphrase", "key-file", "credential", "recovery": as --kind takes them.
std::string kindName(crypto::SlotKind kind);
// "slot 2 (key-file, token of Ana)".
std::string shownSlot(const crypto::SlotInfo& slot);
crypto::SlotInfo slotNumbered(const crypto::KeySlots& slots, int number);

}  // namespace waystation::commands

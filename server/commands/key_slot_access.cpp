#include "server/commands/key_slot_access.h"

#include "server/node.h"

namespace waystation::commands {

crypto::KeySlots slotsOf(const Options& options) {
  const std::filesystem::path directory = options.text("data");
  server::Node::readConfig(directory);
  return crypto::KeySlots(server::Node::keyFile(directory));
}

crypto::KeySlots::Opened openSlots(const crypto::KeySlots& slots, const Options& options) {
  return slots.open(readNodeSecret(options, "Passphrase of " + options.text("data")));
}

std::string kindName(crypto::SlotKind kind) {
  switch (kind) {
    case crypto::SlotKind::kPassphrase:
      return "passphrase";
    case crypto::SlotKind::kKeyFile:
      return "key-file";
    case crypto::SlotKind::kCredential:
      return "credential";
    case crypto::SlotKind::kHubShare:
      return "hq-share";
    case crypto::SlotKind::kRecovery:
      break;
  }
  return "recovery";
}

std::string shownSlot(const crypto::SlotInfo& slot) {
  const std::string label = slot.label.empty() ? "" : ", " + slot.label;
  return "slot " + std::to_string(slot.number) + " (" + kindName(slot.kind) + label + ")";
}

crypto::SlotInfo slotNumbered(const crypto::KeySlots& slots, int number) {
  for (const crypto::SlotInfo& slot : slots.list()) {
    if (slot.number == number) return slot;
  }
  throw Failure("key.no-such-slot",
                "The key file has no slot " + std::to_string(number) + ". Nothing was changed.");
}

}  // namespace waystation::commands

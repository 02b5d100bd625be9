#include "server/commands/key_slot_access.h"

namespace waystation::commands {
namespace {

constexpr int kMostSlots = 16;

// Wants a secret of a slot that stays: so somebody is sure to have one.
int remove(const Options& options, Output& output) {
  const int number = static_cast<int>(options.number("slot", 1, kMostSlots).value_or(0));
  crypto::KeySlots slots = slotsOf(options);
  const crypto::SlotInfo slot = slotNumbered(slots, number);
  const crypto::KeySlots::Opened opened = openSlots(slots, options);
  if (opened.slot == number && slots.list().size() > 1) {
    throw Failure("key.own-slot",
                  "The secret given is the one of the slot to be removed. Nothing was changed; "
                  "give the secret of a slot that stays, so that it is sure that somebody has it.");
  }
  slots.remove(number);
  output.tell("Removed: " + shownSlot(slot) + ". The data was not touched.",
              {{"removed", number}, {"kind", kindName(slot.kind)}, {"label", slot.label}});
  output.say(
      "Older copies of the key file still open with it: destroy those you can reach. Whoever took "
      "one, and has the secret, can open the store.");
  return 0;
}

}  // namespace

Command keyRemoveCommand() {
  Command command;
  command.form = {.words = "key remove",
                  .summary = "takes away a way to open the node's store",
                  .options = {{.name = "slot",
                               .value = "N",
                               .help = "its number, as `key list` says",
                               .isRequired = true}},
                  .arguments = {},
                  .notes = "Wants a secret that opens another slot. The last slot stays."};
  command.alone = remove;
  return command;
}

}  // namespace waystation::commands

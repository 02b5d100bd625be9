#include "server/commands/key_slot_access.h"

namespace waystation::commands {
namespace {

int test(const Options& options, Output& output) {
  const crypto::KeySlots slots = slotsOf(options);
  const crypto::SlotInfo slot = slotNumbered(slots, openSlots(slots, options).slot);
  output.tell("It opens " + shownSlot(slot) + ".",
              {{"slot", slot.number}, {"kind", kindName(slot.kind)}, {"label", slot.label}});
  return 0;
}

}  // namespace

Command keyTestCommand() {
  Command command;
  command.form = {.words = "key test",
                  .summary = "says which slot a secret opens, if any",
                  .options = {},
                  .arguments = {},
                  .notes = "Ends with 1 if it opens none. Changes nothing."};
  command.alone = test;
  return command;
}

}  // namespace waystation::commands

#include "crypto/recovery_key.h"
#include "server/commands/key_slot_access.h"

namespace waystation::commands {
namespace {

int list(const Options& options, Output& output) {
  for (const crypto::SlotInfo& slot : slotsOf(options).list()) {
    http::Json object = {
        {"slot", slot.number}, {"kind", kindName(slot.kind)}, {"label", slot.label}};
    std::string line = shownSlot(slot);
    if (!slot.recoveryKeyId.empty()) {
      const std::string id = crypto::shownRecoveryKeyId(slot.recoveryKeyId);
      object["recoveryKey"] = id;
      line += ", opened by the recovery key " + id;
    }
    output.tell(line, object);
  }
  return 0;
}

}  // namespace

Command keyListCommand() {
  Command command;
  command.form = {.words = "key list",
                  .summary = "the ways in which the node's store can be opened",
                  .options = {},
                  .arguments = {},
                  .notes = "Needs no secret: numbers, kinds and labels are in the clear."};
  command.alone = list;
  command.opensNode = false;
  return command;
}

}  // namespace waystation::commands

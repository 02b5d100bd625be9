#include "crypto/recovery_key.h"
#include "server/commands/key_slot_access.h"

namespace waystation::commands {
namespace {

int recover(const Options& options, Output& output) {
  crypto::KeySlots slots = slotsOf(options);
  const crypto::Secret text = readSecretFile(options.text("recovery-key-file"));
  const crypto::RecipientKey key = crypto::parseRecoveryKey(text.view());
  const crypto::Secret master =
      slots.open(crypto::SlotKind::kRecovery, key.privateKey().view()).master;
  const crypto::Secret passphrase =
      readSecret(options, "new-passphrase-file", "New passphrase", true);
  crypto::Argon2Cost cost;
  if (const auto memory = options.number("kdf-memory-kib", 8, 1024 * 1024)) {
    cost = {1, static_cast<std::uint32_t>(*memory), 1};
  }
  crypto::SystemRandom random;
  const int number = slots.add(master, random, crypto::SlotKind::kPassphrase, passphrase.view(),
                               "after recovery", cost);
  output.tell("The store opens with the new passphrase: " + shownSlot(slotNumbered(slots, number)) +
                  ". The data was not touched.",
              {{"slot", number}});
  output.say(
      "Take the recovery key off this machine now, and remove the slots whose secrets are lost: "
      "waystation key list, waystation key remove.");
  return 0;
}

}  // namespace

Command keyRecoverCommand() {
  Command command;
  command.form = {.words = "key recover",
                  .summary = "opens a node whose secrets are lost with headquarters' recovery key",
                  .options = {{.name = "recovery-key-file",
                               .value = "F",
                               .help = "the private part, from headquarters' safe",
                               .isRequired = true,
                               .isPath = true},
                              {.name = "new-passphrase-file",
                               .value = "F",
                               .help = "reads the new passphrase from F instead of asking",
                               .isPath = true},
                              {.name = "kdf-memory-kib", .value = "N", .help = ""}},
                  .arguments = {},
                  .notes = "Makes a slot with a new passphrase; the slots that are there stay."};
  command.alone = recover;
  command.opensNode = false;
  return command;
}

}  // namespace waystation::commands

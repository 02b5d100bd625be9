#include "crypto/hash.h"
#include "server/commands/key_slot_access.h"
#include "server/node_databases.h"
#include "server/node_keys.h"

namespace waystation::commands {
namespace {

// Hexadecimal without a copy in memory that is not wiped.
crypto::Secret hexOf(const crypto::Secret& key) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  crypto::Secret text(2 * key.size() + 1);
  char* out = text.data();
  for (const char c : key.view()) {
    const auto byte = static_cast<unsigned char>(c);
    *out++ = kDigits[byte >> 4];
    *out++ = kDigits[byte & 15];
  }
  *out = '\n';
  return text;
}

int exportKey(const Options& options, Output& output) {
  const crypto::KeySlots slots = slotsOf(options);
  const crypto::KeySlots::Opened opened = openSlots(slots, options);
  const std::string file = options.text("out");
  const server::NodeKeys keys(opened.master, slots.storeId());
  const bool isOfFiles = options.has("attachments");
  const std::string database = isOfFiles ? server::kAttachmentsFile : server::kRecordsFile;
  writeSecretFile(file, hexOf(isOfFiles ? keys.files : keys.database).view());
  output.tell("The key of " + database + " is in " + file + ", in the clear.", {{"out", file}});
  output.say(
      "WARNING: whoever has this file and the database reads everything, without any passphrase, "
      "also after slots are changed. Use it on this machine only, and destroy it when you are "
      "done: shred -u " +
      file);
  return 0;
}

}  // namespace

Command keyExportCommand() {
  Command command;
  command.form = {.words = "key export",
                  .summary = "the database's own key, for the stock sqlite3 shell",
                  .options = {{.name = "out",
                               .value = "F",
                               .help = "the file to make; WAYSTATION_KEY_FILE names it",
                               .isRequired = true,
                               .isPath = true},
                              {.name = "attachments", .help = "the key of files.db, not node.db"}},
                  .arguments = {},
                  .notes =
                      "For support and forensics, with waystation_vfs.so and a stopped server. "
                      "Dangerous: the file opens the data by itself."};
  command.alone = exportKey;
  return command;
}

}  // namespace waystation::commands

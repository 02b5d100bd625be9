#include "server/commands/command.h"
#include "server/node.h"
#include "server/node_backup.h"

namespace waystation::commands {
namespace {

constexpr std::int64_t kMostKept = 1'000;
constexpr std::uint64_t kPageBytes = 4'096;

std::string megabytes(std::uint64_t bytes) {
  return cases::groupedNumber((bytes + 999'999) / 1'000'000) + " MB";
}

int backup(CommandContext& context) {
  server::Node& node = context.node;
  server::BackupOrder order;
  order.target = context.options.text("target");
  order.isWhole = context.options.has("whole");
  if (const auto keep = context.options.number("keep", 1, kMostKept)) {
    order.keep = static_cast<int>(*keep);
  }
  const server::BackupResult made =
      server::makeBackup(node.backupSource(), order, [&](std::uint64_t done, std::uint64_t total) {
        context.output.throwIfCancelled();
        if (total != 0) context.output.progress(done * kPageBytes, total * kPageBytes, done);
      });
  if (!made.note.empty()) context.output.warn(made.note);
  std::string sentence = std::string(made.isWhole ? "A whole backup" : "A backup of what changed") +
                         " is in " + made.file.string() + " (" + megabytes(made.bytes) +
                         "), read back and whole.";
  if (!made.isWhole) sentence += " It needs the whole one that lies beside it.";
  if (!made.removed.empty()) {
    sentence += " Older ones removed: " + cases::groupedNumber(made.removed.size()) + ".";
  }
  context.output.tell(sentence, {{"file", made.file.string()},
                                 {"whole", made.isWhole},
                                 {"bytes", made.bytes},
                                 {"pages", made.pages},
                                 {"changed", made.changed},
                                 {"removed", made.removed.size()}});
  return 0;
}

}  // namespace

Command backupCommand() {
  Command command;
  command.form = {
      .words = "backup",
      .summary = "copies all that is kept, encrypted, to a folder or a file",
      .options = {{.name = "keep", .value = "N", .help = "how many to keep in a folder; 14"},
                  {.name = "whole", .help = "not only what changed since the last whole one"}},
      .arguments = {{.name = "target", .value = "FOLDER|FILE", .isPath = true}},
      .notes =
          "The server may run. The copy is read back before it counts. It opens with the "
          "node's passphrase, on any machine: `waystation restore`."};
  command.run = backup;
  return command;
}

}  // namespace waystation::commands

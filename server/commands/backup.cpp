#include "server/backup_place.h"
#include "server/commands/command.h"
#include "server/daily_backup.h"

namespace waystation::commands {
namespace {

constexpr std::int64_t kMostKept = 1'000;
constexpr std::uint64_t kPageBytes = 4'096;

Option keepOption() {
  return {.name = "keep", .value = "N", .help = "how many to keep in the folder; 14"};
}

std::string megabytes(std::uint64_t bytes) {
  return cases::groupedNumber((bytes + 999'999) / 1'000'000) + " MB";
}

server::BackupProgress progressOf(Output& output) {
  return [&output](std::uint64_t done, std::uint64_t total) {
    output.throwIfCancelled();
    if (total != 0) output.progress(done * kPageBytes, total * kPageBytes, done);
  };
}

void tell(Output& output, const server::BackupResult& made) {
  if (!made.note.empty()) output.warn(made.note);
  std::string sentence = std::string(made.isWhole ? "A whole backup" : "A backup of what changed") +
                         " is in " + made.file.string() + " (" + megabytes(made.bytes) +
                         "), read back and whole.";
  if (!made.isWhole) sentence += " It needs the whole one that lies beside it.";
  if (!made.removed.empty()) {
    sentence += " Older ones removed: " + cases::groupedNumber(made.removed.size()) + ".";
  }
  output.tell(sentence, {{"file", made.file.string()},
                         {"whole", made.isWhole},
                         {"bytes", made.bytes},
                         {"pages", made.pages},
                         {"changed", made.changed},
                         {"removed", made.removed.size()}});
}

// A label stays as it was typed; a path is made absolute where it was.
void keepPlace(Options& options, const std::string& name) {
  const std::string typed = options.text(name);
  if (typed.empty() || server::BackupPlace::isLabel(typed)) return;
  options.set(name, std::filesystem::absolute(typed).lexically_normal().string());
}

int backup(CommandContext& context) {
  server::BackupOrder order;
  order.target = server::BackupPlace(context.options.text("target")).find();
  order.isWhole = context.options.has("whole");
  if (const auto keep = context.options.number("keep", 1, kMostKept)) {
    order.keep = static_cast<int>(*keep);
  }
  tell(context.output, server::makeBackupOf(context.node, order, progressOf(context.output)));
  return 0;
}

int daily(CommandContext& context) {
  server::BackupPlan plan;
  plan.place = context.options.text("folder");
  if (const auto keep = context.options.number("keep", 1, kMostKept)) {
    plan.keep = static_cast<int>(*keep);
  }
  server::planDailyBackups(context.node, plan);
  context.output.say("From now on the server makes a backup every day in " + plan.place +
                     ". The first one is made now.");
  tell(context.output, server::makePlannedBackup(context.node, plan, progressOf(context.output)));
  return 0;
}

int endDaily(CommandContext& context) {
  server::endDailyBackups(context.node);
  context.output.tell("No more backups are made by themselves. Those that there are stay.",
                      {{"daily", false}});
  return 0;
}

}  // namespace

Command backupCommand() {
  Command command;
  command.form = {
      .words = "backup",
      .summary = "copies all that is kept, encrypted, to a folder or a file",
      .options = {keepOption(),
                  {.name = "whole", .help = "not only what changed since the last whole one"}},
      .arguments = {{.name = "target", .value = "FOLDER|FILE|label:NAME"}},
      .notes =
          "The server may run. The copy is read back before it counts. It opens with the "
          "node's passphrase, on any machine: `waystation restore`. label:NAME is the disk with "
          "that "
          "label, wherever it is mounted, label:NAME/FOLDER a folder on it."};
  command.prepare = [](Options& options) { keepPlace(options, "target"); };
  command.run = backup;
  return command;
}

Command backupDailyCommand() {
  Command command;
  command.form = {
      .words = "backup daily",
      .summary = "makes a backup now, and lets the server make one there every day",
      .options = {keepOption()},
      .arguments = {{.name = "folder", .value = "FOLDER|label:NAME"}},
      .notes =
          "It leaves a mark in the folder; label:NAME, the disk with that label wherever it is "
          "mounted, needs none. Where the disk is not there, no backup is made, it is looked for "
          "again every ten minutes, and `waystation status` says so."};
  command.prepare = [](Options& options) { keepPlace(options, "folder"); };
  command.run = daily;
  return command;
}

Command backupEndDailyCommand() {
  Command command;
  command.form = {.words = "backup end-daily",
                  .summary = "ends the backups that the server makes every day",
                  .options = {},
                  .arguments = {},
                  .notes = "Backups that there are stay."};
  command.run = endDaily;
  return command;
}

}  // namespace waystation::commands

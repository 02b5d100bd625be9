#include <ctime>

#include "server/commands/command.h"
#include "server/commands/secret_input.h"
#include "server/node_restore.h"

namespace waystation::commands {
namespace {

constexpr std::uint64_t kPageBytes = 4'096;

std::string utcText(std::int64_t ms) {
  const std::time_t seconds = ms / 1000;
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  char text[64];
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &parts);
  return text;
}

// What the technician can count on, and what not.
std::string whatComesBack(const server::RestoreResult& result, const std::string& made) {
  const std::string rest = result.aside.empty() ? "is lost unless the old disk can be read."
                                                : "is only in the old data, which is kept in " +
                                                      result.aside.string() +
                                                      " until `waystation restore discard-old`.";
  if (result.isHeadquarters) {
    return "After the next start the offices send again what they had brought here after " + made +
           ", and give back what they had heard of headquarters' own doing. Until all have called "
           "it "
           "hands no case over, erases nothing and takes no revocation back; `waystation status` "
           "names those that are awaited. What no office had heard of, tokens among it, " +
           rest;
  }
  return "After the next start, what was saved here and had gone up to headquarters after " + made +
         " comes back from there. What had not gone up " + rest;
}

int restore(const Options& options, Output& output) {
  server::RestoreOrder order;
  order.directory = options.text("data");
  order.file = options.text("file");
  order.dryRun = options.has("dry-run");
  order.setAside = options.has("set-aside");
  const auto secret = [&] { return readNodeSecret(options, "Passphrase of the backup"); };
  const server::RestoreResult result =
      server::restoreBackup(order, secret, [&](std::uint64_t done, std::uint64_t total) {
        output.throwIfCancelled();
        if (total != 0) output.progress(done * kPageBytes, total * kPageBytes, done);
      });
  const std::string made = utcText(result.madeMs);
  const std::string what = std::string(result.isHeadquarters ? "headquarters " : "the office ") +
                           result.name + " as of " + made + ", " +
                           cases::groupedNumber(static_cast<std::uint64_t>(result.records)) +
                           " records";
  output.tell(order.dryRun ? "The backup is whole: " + what + ". Nothing was changed."
                           : "Restored: " + what + ".",
              {{"restored", !order.dryRun},
               {"name", result.name},
               {"made", made},
               {"records", result.records},
               {"aside", result.aside.string()}});
  if (order.dryRun && result.hadData) {
    output.say("There is data in " + order.directory.string() +
               " now; --set-aside would keep it in a folder beside the restored data.");
  }
  if (!order.dryRun) output.say(whatComesBack(result, made));
  return 0;
}

int discardOld(const Options& options, Output& output) {
  const std::filesystem::path directory = options.text("data");
  const std::vector<std::filesystem::path> folders = server::dataSetAside(directory);
  for (const std::filesystem::path& folder : folders) std::filesystem::remove_all(folder);
  output.tell(
      folders.empty()
          ? "There is no old data that a restore has set aside."
          : "Removed what restores had set aside: " + cases::groupedNumber(folders.size()) + ".",
      {{"removed", folders.size()}});
  return 0;
}

}  // namespace

Command restoreCommand() {
  Command command;
  command.form = {
      .words = "restore",
      .summary = "puts a backup in place, on this machine or a bare one",
      .options = {{.name = "dry-run", .help = "reads and verifies it, and changes nothing"},
                  {.name = "set-aside",
                   .help = "keeps the data that is there, in a folder of its "
                           "own"}},
      .arguments = {{.name = "file", .value = "FILE", .isPath = true}},
      .notes = "All of it is verified before anything is put in place. The server must not run."};
  command.alone = restore;
  return command;
}

Command restoreDiscardOldCommand() {
  Command command;
  command.form = {.words = "restore discard-old",
                  .summary = "removes the data that restores have set aside",
                  .options = {},
                  .arguments = {},
                  .notes = "Only when nothing of it is needed any more."};
  command.alone = discardOld;
  return command;
}

}  // namespace waystation::commands

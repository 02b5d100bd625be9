#include "server/access/revocation.h"
#include "server/commands/command.h"
#include "sync/clock.h"

namespace waystation::commands {
namespace {

using http::Json;

std::string sentenceOf(const access::RevocationForesight& sight, bool isDryRun) {
  std::string text = std::string(sight.isPhone ? "The phone " : "The office ") + sight.name;
  if (sight.isRevoked) return text + " is revoked already.";
  text += isDryRun ? " would be refused from its next request on, also on connections that are open"
                   : " is refused from its next request on, also on connections that are open";
  text += ", here at once and at the offices when they next exchange. Tokens for it are void.";
  if (!sight.isPhone || sight.lastContactMs != 0) {
    text += sight.lastContactMs == 0
                ? " It has never called."
                : " It last called at " + sync::formatTime(sight.lastContactMs) + ".";
    text += " " + cases::groupedNumber(static_cast<std::uint64_t>(sight.backlogDown)) +
            (sight.backlogDown == 1 ? " entry" : " entries") + " that wait for it" +
            (isDryRun ? " would not go down." : " do not go down.");
  }
  if (!sight.phones.empty()) {
    text += " Phones that call at it, and are not revoked with it:";
    for (const std::string& phone : sight.phones) text += " " + phone;
    text += ".";
  }
  if (!sight.isPhone) text += " Its people's work that has not come here stays on its own disk.";
  return text;
}

Json jsonOf(const access::RevocationForesight& sight, bool isDryRun) {
  return {{"node", sight.name},
          {"kind", sight.isPhone ? "phone" : "office"},
          {"wasRevoked", sight.isRevoked},
          {"lastContact",
           sight.lastContactMs == 0 ? Json(nullptr) : Json(sync::formatTime(sight.lastContactMs))},
          {"backlogDown", sight.backlogDown},
          {"phones", sight.phones},
          {"dryRun", isDryRun}};
}

int revoke(CommandContext& context) {
  const std::string name = context.options.text("node");
  const std::string by = context.options.text("by");
  const bool isDryRun = context.options.has("dry-run");
  const access::RevocationForesight sight = access::foreseeRevocation(context.node, name);
  if (!context.options.has("undo")) {
    if (!isDryRun) access::revoke(context.node, name, by);
    context.output.tell(sentenceOf(sight, isDryRun), jsonOf(sight, isDryRun));
    return 0;
  }
  if (!isDryRun) access::takeBack(context.node, name, by);
  Json told = jsonOf(sight, isDryRun);
  told["undo"] = true;
  context.output.tell(!sight.isRevoked ? name + " is not revoked."
                      : isDryRun       ? name + " would be let in again, with what it holds."
                                       : name + " is let in again, with what it holds.",
                      told);
  return 0;
}

}  // namespace

Command revokeCommand() {
  Command command;
  command.form = {
      .words = "revoke",
      .summary = "headquarters: refuses a lost or stolen office or phone",
      .options = {{.name = "node",
                   .value = "NAME",
                   .help = "the office's code, or the phone's name",
                   .isRequired = true},
                  {.name = "by", .value = "N", .help = "who orders it", .isRequired = true},
                  {.name = "undo", .help = "lets a box that was found in again"},
                  {.name = "dry-run", .help = "only says what would happen"}},
      .arguments = {},
      .notes =
          "A new box in the place of a lost one joins with a new token: `waystation hq "
          "issue-token`. What a revoked box holds stays on it; erase or lock it there."};
  command.run = revoke;
  return command;
}

}  // namespace waystation::commands

#include "server/access/hub_share.h"
#include "server/commands/command.h"

namespace waystation::commands {
namespace {

int flag(CommandContext& context) {
  const std::string office = context.options.text("office");
  const std::string by = context.options.text("by");
  const bool isUndo = context.options.has("undo");
  (isUndo ? access::unflag : access::flag)(context.node, office, by);
  context.output.tell(
      isUndo ? "Headquarters releases its share of " + office + "'s key again."
             : "Headquarters does not release its share of " + office +
                   "'s key any more: once it is off, it opens by hand alone. It is not refused "
                   "anything else; a lost or stolen box is: `waystation revoke`.",
      {{"office", office}, {"flagged", !isUndo}});
  return 0;
}

}  // namespace

Command flagCommand() {
  Command command;
  command.form = {
      .words = "hq flag",
      .summary = "at HQ: an office's store does not open by HQ's share any more",
      .options =
          {{.name = "office", .value = "CODE", .help = "the office's code", .isRequired = true},
           {.name = "by", .value = "N", .help = "who orders it", .isRequired = true},
           {.name = "undo", .help = "releases it again"}},
      .arguments = {},
      .notes =
          "For an office where something is not right. `waystation status` lists what was "
          "released when. A revoked office gets no share either."};
  command.run = flag;
  return command;
}

}  // namespace waystation::commands

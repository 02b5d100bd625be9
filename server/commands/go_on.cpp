#include "server/audit.h"
#include "server/cases/handover.h"
#include "server/commands/command.h"
#include "sync/reports.h"

namespace waystation::commands {
namespace {

std::string sentenceOf(bool waited, const std::vector<std::string>& silent) {
  if (!waited) return "Headquarters holds no decision back. Nothing was changed.";
  std::string names;
  for (const std::string& name : silent) names += (names.empty() ? "" : ", ") + name;
  return "Headquarters hands over, erases and takes revocations back again. Not heard from since "
         "the restore: " +
         names + ". What they bring of decisions since the copy still counts when they call.";
}

int goOn(CommandContext& context) {
  server::Node& node = context.node;
  if (!node.isHeadquarters()) {
    throw Failure("node.not-headquarters",
                  "Only a headquarters that was restored waits for its offices. Nothing was "
                  "changed.");
  }
  bool waited = false;
  std::vector<std::string> silent;
  node.write([&](sync::Work& work) {
    waited = sync::isHeldBack(work.store());
    silent = sync::unreported(work.store());
    if (!waited) return;
    sync::stopWaiting(work.store());
    server::noteDeed(work.store(), node.clock(),
                     {context.options.text("by"), "reports-not-awaited", {}, {{"nodes", silent}}});
  });
  cases::decideHeldBack(node);
  context.output.tell(sentenceOf(waited, silent), {{"waited", waited}, {"unreported", silent}});
  return 0;
}

}  // namespace

Command goOnCommand() {
  Command command;
  command.form = {
      .words = "hq go-on",
      .summary = "at a restored HQ: decides again, though not all offices have called",
      .options = {{.name = "by", .value = "N", .help = "who orders it", .isRequired = true}},
      .arguments = {},
      .notes =
          "A restored headquarters hands no case over, erases nothing and takes no revocation "
          "back until every office has called, since they know what was decided after the copy "
          "was made. `waystation status` names those that are awaited."};
  command.run = goOn;
  return command;
}

}  // namespace waystation::commands

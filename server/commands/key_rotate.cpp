#include "server/commands/command.h"
#include "server/node.h"
#include "server/page_key_rotation.h"

namespace waystation::commands {
namespace {

int rotate(CommandContext& context) {
  if (server::isPageKeyRotationUnfinished(context.node)) {
    context.output.say("An earlier change of the page key was not finished: it goes on.");
  }
  std::uint64_t pages = 0;
  const auto end =
      server::rotatePageKeys(context.node, [&](const storage::RotationProgress& progress) {
        pages = progress.pages;
        context.output.progress(progress.pagesDone, progress.pages, progress.pagesDone);
        return !context.output.isCancelled();
      });
  if (end == storage::RotationEnd::kStopped) context.output.throwIfCancelled();
  const std::uint32_t number = server::pageKeyNumber(context.node);
  context.output.tell("All " + cases::groupedNumber(pages) + " pages are under page key number " +
                          std::to_string(number) + "; the one before is destroyed.",
                      {{"pages", pages}, {"pageKey", number}});
  return 0;
}

}  // namespace

Command keyRotateCommand() {
  Command command;
  command.form = {.words = "key rotate",
                  .summary = "brings the whole database under a new page key",
                  .options = {},
                  .arguments = {},
                  .notes =
                      "People work on meanwhile. Stopped or cut off, it goes on when it is "
                      "given again, or the server starts. The slots stay as they are."};
  command.run = rotate;
  return command;
}

}  // namespace waystation::commands

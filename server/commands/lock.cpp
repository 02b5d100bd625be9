#include <chrono>
#include <thread>

#include "server/audit.h"
#include "server/commands/control_socket.h"
#include "server/commands/secret_input.h"
#include "server/commands/serving.h"

namespace waystation::commands {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{30};
constexpr std::chrono::milliseconds kBetween{50};

// Nothing on the box may open it again by itself, whatever comes of the rest.
int lock(CommandContext& context) {
  const std::string name = context.node.config().name;
  if (context.application == nullptr) {
    server::forgetBoxHalf(context.node.directory());
    context.output.tell(
        name + " is locked: its server is not running, and will not open by itself.",
        {{"name", name}, {"state", "locked"}, {"up", false}});
    return 0;
  }
  context.node.write([&](sync::Work& work) {
    server::noteDeed(work.store(), context.node.clock(), {"", "locked"});
  });
  context.application->lock();
  return kLocking;
}

// No server runs, and no secret was given.
int lockWithoutServer(const Options& options, Output& output) {
  const std::filesystem::path directory = options.text("data");
  const std::string name = server::Node::readConfig(directory).name;
  server::forgetBoxHalf(directory);
  output.tell(name + " is locked: its server is not running, and will not open by itself.",
              {{"name", name}, {"state", "locked"}, {"up", false}});
  return 0;
}

void readSecretForServer(Options& options) {
  putSecret(options, readNodeSecret(options, "Passphrase of " + options.text("data")));
}

// Of a server that is locked, serving.cpp does it.
int unlock(CommandContext& context) {
  const server::NodeConfig config = context.node.config();
  if (context.application == nullptr) {
    throw Failure("control.no-server", "No server runs in " + context.node.directory().string() +
                                           ". Start it with `waystation serve`.");
  }
  context.output.tell(config.name + " is open already.",
                      {{"name", config.name}, {"state", "open"}});
  return 0;
}

}  // namespace

// In between it can be asked nothing.
int waitUntilLocked(const Options& options, Output& output) {
  const std::filesystem::path directory = options.text("data");
  const Command& command = *findCommand("lock");
  const Clock::time_point end = Clock::now() + kPatience;
  while (Clock::now() < end) {
    std::this_thread::sleep_for(kBetween);
    try {
      const std::optional<int> answer = runInServer(directory, command, options, output);
      if (answer && *answer != kLocking) return *answer;
    } catch (const Failure& failure) {
      if (failure.code() != "control.ended") throw;
    }
  }
  throw Failure("lock.not-yet",
                "The server has not said within 30 seconds that it is locked. Switch the machine "
                "off if that must be sure.");
}

Command lockCommand() {
  Command command;
  command.form = {
      .words = "lock",
      .summary = "closes the store at once; the server goes on, and says that it is locked",
      .options = {},
      .arguments = {},
      .notes =
          "Ends all sessions and the link, and forgets the keys. Nothing that was saved is "
          "lost. It does not open again by itself, not after a new start either: that takes "
          "`waystation unlock` with the passphrase or the token. Wants no secret."};
  command.run = lock;
  command.alone = lockWithoutServer;
  return command;
}

Command unlockCommand() {
  Command command;
  command.form = {.words = "unlock",
                  .summary = "opens the store of a server that is locked",
                  .options = {},
                  .arguments = {},
                  .notes =
                      "Ends when people can work again. After `waystation lock` also make "
                      "headquarters' share anew, where there was one: `waystation key add "
                      "--kind hq-share`."};
  command.prepare = readSecretForServer;
  command.run = unlock;
  return command;
}

}  // namespace waystation::commands

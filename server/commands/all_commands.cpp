#include <algorithm>
#include <atomic>

#include "server/commands/command.h"

namespace waystation::commands {

const std::vector<Command>& allCommands() {
  static const std::vector<Command> commands = [] {
    std::vector<Command> all = {
        initCommand(),
        issueTokenCommand(),
        enrolCommand(),
        admitCommand(),
        userAddCommand(),
        serveCommand(),
        statusCommand(),
        syncNowCommand(),
        syncPauseCommand(),
        syncResumeCommand(),
        syncBudgetCommand(),
        bundleWriteCommand(),
        bundleReadCommand(),
        importCommand(),
        checkCommand(),
        reindexCommand(),
        keyListCommand(),
        keyAddCommand(),
        keyRemoveCommand(),
        keyTestCommand(),
        keyRecoverCommand(),
        keyExportCommand(),
        recoveryKeyCommand(),
        backupCommand(),
        backupDailyCommand(),
        backupEndDailyCommand(),
        restoreCommand(),
        restoreDiscardOldCommand(),
        eraseCommand(),
        erasuresCommand(),
        keyRotateCommand(),
        revokeCommand(),
        lockCommand(),
        unlockCommand(),
        flagCommand(),
        certificateHostsCommand(),
        certificateAuthorityCommand(),
        phoneTokenCommand(),
        goOnCommand(),
    };
    for (Command& command : all) {
      std::vector<Option>& options = command.form.options;
      options.insert(options.begin(), dataOption());
      if (command.opensNode) {
        options.push_back(passphraseFileOption());
        options.push_back(keyFileOption());
      }
      options.push_back(jsonOption());
      options.push_back({"help", "", "this text"});
    }
    return all;
  }();
  return commands;
}

const Command* findCommand(std::string_view words) {
  const std::vector<Command>& commands = allCommands();
  const auto found = std::find_if(commands.begin(), commands.end(), [&](const Command& command) {
    return command.form.words == words;
  });
  return found == commands.end() ? nullptr : &*found;
}

Option dataOption() {
  return {.name = "data",
          .value = "DIR",
          .help = "the node's data directory",
          .isRequired = true,
          .isPath = true};
}

Option passphraseFileOption() {
  return {.name = "passphrase-file",
          .value = "F",
          .help = "reads the passphrase from F instead of asking; not needed while the server runs",
          .isPath = true};
}

Option keyFileOption() {
  return {.name = "key-file",
          .value = "F",
          .help = "opens with the token's file F instead of a passphrase",
          .isPath = true};
}

Option jsonOption() {
  return {.name = "json", .help = "prints one JSON object per line"};
}

std::atomic<bool>& cancelRequested() {
  // A signal handler can reach nothing but a global.
  static std::atomic<bool> requested = false;
  return requested;
}

}  // namespace waystation::commands

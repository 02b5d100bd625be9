#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/commands/command_line.h"
#include "server/commands/output.h"

namespace waystation::server {
class Application;
class Node;
}  // namespace waystation::server

namespace waystation::commands {

// What a command works on: the same whether the server's process runs it, asked through the
// control socket, or a process of its own.
struct CommandContext {
  server::Node& node;
  server::Application* application;  // null when no server runs
  const Options& options;
  Output& output;
};

struct Command {
  CommandForm form;
  // Made before anything else, where the command was typed: asks for secrets and reads their files,
  // and puts them among the options. May be empty.
  std::function<void(Options&)> prepare;
  // The work on an open node; answers the exit code. Failures are thrown. Empty: `alone` instead.
  std::function<int(CommandContext&)> run;
  // For commands that make or hold the node themselves.
  std::function<int(const Options&, Output&)> alone;
  bool opensNode = true;  // takes --passphrase-file and --key-file
};

// Every command of the program, in the order of the help.
const std::vector<Command>& allCommands();
// nullptr if there is none.
const Command* findCommand(std::string_view words);

// Each in the file of its name.
Command initCommand();
Command issueTokenCommand();
Command enrolCommand();
Command admitCommand();
Command userAddCommand();
Command serveCommand();
Command statusCommand();
Command lockCommand();
Command unlockCommand();
Command flagCommand();
Command certificateHostsCommand();
Command certificateAuthorityCommand();
Command phoneTokenCommand();
Command syncNowCommand();
Command syncPauseCommand();
Command syncResumeCommand();
Command syncBudgetCommand();
Command importCommand();
Command backupCommand();
Command backupDailyCommand();
Command backupEndDailyCommand();
Command restoreCommand();
Command restoreDiscardOldCommand();
Command checkCommand();
Command reindexCommand();
Command eraseCommand();
Command erasuresCommand();
Command revokeCommand();
Command goOnCommand();
Command keyAddCommand();
Command keyListCommand();
Command keyRemoveCommand();
Command keyRotateCommand();
Command keyTestCommand();
Command keyRecoverCommand();
Command keyExportCommand();
Command recoveryKeyCommand();
Command bundleWriteCommand();
Command bundleReadCommand();

// Options that several commands take.
Option dataOption();
Option passphraseFileOption();
Option keyFileOption();
Option jsonOption();

// Opens the node that --data names, with what readNodeSecret finds.
std::unique_ptr<server::Node> openNode(const Options& options, const std::string& prompt);

// When this process began its work.
std::chrono::steady_clock::time_point programStart();

// Set by SIGINT and SIGTERM in commands other than serve, which waits for them itself.
std::atomic<bool>& cancelRequested();

}  // namespace waystation::commands

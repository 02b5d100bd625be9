#include "server/commands/program.h"

#include <csignal>
#include <iostream>

#include "server/commands/command.h"
#include "server/commands/control_socket.h"
#include "server/commands/secret_input.h"
#include "server/commands/serving.h"
#include "server/node.h"

namespace waystation::commands {
namespace {

std::string overview() {
  std::size_t width = 0;
  for (const Command& command : allCommands()) width = std::max(width, command.form.words.size());
  std::string text = "usage: waystation COMMAND --data DIR [OPTIONS]\n\n";
  for (const Command& command : allCommands()) {
    const std::string& words = command.form.words;
    text += "  " + words + std::string(width + 2 - words.size(), ' ') + command.form.summary + "\n";
  }
  return text + "\n`waystation COMMAND --help` says what a command takes.\n";
}

bool isHelp(const std::string& word) {
  return word == "--help" || word == "-h" || word == "help";
}

// The command that the first words name; they are taken off.
const Command* takeCommand(std::vector<std::string>& words) {
  if (words.size() >= 2) {
    if (const Command* command = findCommand(words[0] + " " + words[1])) {
      words.erase(words.begin(), words.begin() + 2);
      return command;
    }
  }
  const Command* command = findCommand(words[0]);
  if (command != nullptr) words.erase(words.begin());
  return command;
}

// "user --help", "sync": the commands that begin so, as a list.
std::string commandsBeginning(const std::string& word) {
  std::string text;
  for (const Command& command : allCommands()) {
    if (command.form.words.starts_with(word + " ")) {
      text += "  waystation " + command.form.words + "\n";
    }
  }
  return text;
}

int unknownCommand(const std::vector<std::string>& words) {
  const std::string family = commandsBeginning(words[0]);
  if (family.empty()) {
    std::cerr << "waystation: There is no command \"" << words[0] << "\". [usage]\n" << overview();
    return 2;
  }
  const bool wantsHelp = words.size() > 1 && isHelp(words[1]);
  (wantsHelp ? std::cout : std::cerr) << "usage:\n" << family;
  return wantsHelp ? 0 : 2;
}

void onSignal(int) {
  cancelRequested() = true;
}

// Commands end at the next safe point; reads and prompts end at once.
void listenForSignals() {
  struct sigaction action {};
  action.sa_handler = onSignal;
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  ::sigaction(SIGHUP, &action, nullptr);
}

int runCommand(const Command& command, Options& options) {
  TerminalOutput output(options.has("json"), cancelRequested());
  if (!command.run) return command.alone(options, output);
  listenForSignals();
  const std::filesystem::path directory = options.text("data");
  server::Node::readConfig(directory);  // a wrong --data is told before anything is asked
  if (command.prepare) command.prepare(options);
  if (const std::optional<int> exit = runInServer(directory, command, options, output)) {
    return *exit == kLocking ? waitUntilLocked(options, output) : *exit;
  }
  if (command.alone && !hasNodeSecret(options)) return command.alone(options, output);
  const std::unique_ptr<server::Node> node =
      openNode(options, "Passphrase of " + directory.string());
  CommandContext context{*node, nullptr, options, output};
  return command.run(context);
}

}  // namespace

std::unique_ptr<server::Node> openNode(const Options& options, const std::string& prompt) {
  return std::make_unique<server::Node>(options.text("data"), readNodeSecret(options, prompt),
                                        server::shareDirectory() / "programmes");
}

std::chrono::steady_clock::time_point programStart() {
  static const auto start = std::chrono::steady_clock::now();
  return start;
}

int runProgram(const std::vector<std::string>& given) {
  programStart();
  if (given.empty()) {
    std::cerr << overview();
    return 2;
  }
  if (isHelp(given[0])) {
    std::cout << overview();
    return 0;
  }
  std::vector<std::string> words = given;
  const Command* command = takeCommand(words);
  if (command == nullptr) return unknownCommand(words);
  try {
    Options options = parseOptions(command->form, words);
    if (options.has("help")) {
      std::cout << usageOf(command->form);
      return 0;
    }
    return runCommand(*command, options);
  } catch (const WrongUsage& wrong) {
    std::cerr << "waystation: " << wrong.what() << " [" << wrong.code() << "]\n"
              << "`waystation " << command->form.words << " --help` says what it takes.\n";
    return 2;
  } catch (const Failure& failure) {
    std::cerr << "waystation: " << failure.what() << " [" << failure.code() << "]\n";
  } catch (const std::exception& error) {
    std::cerr << "waystation: Something unforeseen went wrong: " << error.what() << " [internal]\n";
  }
  return 1;
}

}  // namespace waystation::commands

#include <signal.h>
#include <unistd.h>

#include "server/commands/control_socket.h"
#include "server/commands/secret_input.h"
#include "server/commands/serving.h"

namespace waystation::commands {
namespace {

constexpr std::int64_t kLastPort = 65'535;

// The signals that the server waits for, taken from all threads that are started from here on.
class Signals {
 public:
  Signals() {
    ::sigemptyset(&signals_);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP, kAsked}) ::sigaddset(&signals_, signal);
    ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }

  // False: one that ends the server.
  bool waitUntilAsked() const {
    int signal = 0;
    while (::sigwait(&signals_, &signal) != 0) {
    }
    return signal == kAsked;
  }

  // From any thread.
  static void ask() { ::kill(::getpid(), kAsked); }

 private:
  static constexpr int kAsked = SIGUSR1;
  sigset_t signals_{};
};

std::optional<std::uint16_t> portFrom(const Options& options, std::string_view name) {
  const std::optional<std::int64_t> port = options.number(name, 0, kLastPort);
  if (!port) return std::nullopt;
  return static_cast<std::uint16_t>(*port);
}

server::LogLevel logLevelFrom(const Options& options) {
  const auto level = server::logLevelNamed(options.find("log-level").value_or("info"));
  if (!level) throw WrongUsage("The option --log-level wants error, warning, info or debug.");
  return *level;
}

server::ApplicationSettings settingsFrom(const Options& options) {
  server::ApplicationSettings settings;
  settings.port = portFrom(options, "port");
  settings.syncPort = portFrom(options, "sync-port");
  settings.address = options.find("address");
  const std::filesystem::path web = server::shareDirectory() / "web";
  if (std::filesystem::exists(web)) settings.web = web;
  return settings;
}

// Connections to 127.0.0.1 reach it unless it listens on one address only.
std::string hostOf(const server::NodeConfig& config, const Options& options) {
  const std::string address = options.find("address").value_or(config.address);
  return address.empty() || address == "0.0.0.0" ? "127.0.0.1" : address;
}

// Where nobody is there to type the passphrase, or headquarters may open it, it starts locked.
std::optional<crypto::SlotSecret> secretToBeginWith(const Options& options,
                                                    const server::NodeConfig& config) {
  const auto file = server::readLockedFile(options.text("data"));
  const bool mayHubOpen = file && server::HubUnlock::isPossible(config, *file);
  const bool mayAsk = ::isatty(STDIN_FILENO) == 1 && !mayHubOpen;
  if (options.has("locked") || (!hasNodeSecret(options) && !mayAsk)) return std::nullopt;
  return readNodeSecret(options, "Passphrase of " + config.name);
}

// The same program from its beginning, locked: all that this process had in memory is gone.
[[noreturn]] void startLocked(const Options& options, std::uint16_t port, std::uint16_t syncPort) {
  std::vector<std::string> words = {"waystation", "serve", "--locked"};
  const auto add = [&](const std::string& name, const std::string& value) {
    words.push_back("--" + name);
    if (!value.empty()) words.push_back(value);
  };
  for (const char* name : {"data", "address", "log-level", "json"}) {
    if (options.has(name)) add(name, options.text(name));
  }
  add("port", std::to_string(port));
  if (syncPort != 0) add("sync-port", std::to_string(syncPort));
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  ::execv("/proc/self/exe", arguments.data());
  throw Failure("serve.not-restarted",
                "The server is locked and has ended: it can't be started again by itself. Start "
                "it by hand.");
}

int serve(const Options& options, Output& output) {
  const std::filesystem::path directory = options.text("data");
  // What was typed wrongly is told before anything else.
  server::ApplicationSettings application = settingsFrom(options);
  const server::LogLevel logLevel = logLevelFrom(options);
  const server::NodeConfig config = server::Node::readConfig(directory);
  const sync::SystemClock clock;
  const server::Log log(STDERR_FILENO, logLevel, clock);
  const Signals signals;
  Serving::Settings settings;
  settings.directory = directory;
  settings.application = std::move(application);
  settings.application.log = &log;
  settings.host = hostOf(config, options);
  settings.asksHub = !options.has("locked");
  settings.wake = Signals::ask;
  std::optional<Serving> serving(std::in_place, std::move(settings), output);
  serving->begin(secretToBeginWith(options, config));
  ControlServer control(directory, [&](const Command& command, const Options& asked, Output& to) {
    return serving->run(command, asked, to);
  });
  serving->tell();
  while (signals.waitUntilAsked() && !serving->isToLock()) serving->doWhatWasAsked();
  control.cancel();
  serving->stop();
  control.join();
  if (!serving->isToLock()) return 0;
  const std::uint16_t port = serving->port();
  const std::uint16_t syncPort = serving->syncPort();
  serving.reset();
  startLocked(options, port, syncPort);
}

}  // namespace

Command serveCommand() {
  Command command;
  command.form = {
      .words = "serve",
      .summary = "runs the node until SIGTERM or Ctrl-C",
      .options = {{.name = "port", .value = "P", .help = "instead of init's; 0: any free one"},
                  {.name = "sync-port", .value = "Q", .help = "at HQ, instead of init's"},
                  {.name = "address", .value = "A", .help = "to listen on, instead of init's"},
                  {.name = "log-level", .value = "L", .help = "error, warning, info or debug"},
                  {.name = "locked", .help = "starts locked, whatever could open it"}},
      .arguments = {},
      .notes =
          "Prints `ready https://...` when it answers; at HQ `sync https://...` before that. "
          "Without a secret it starts locked, says `locked https://...`, and opens by "
          "`waystation unlock` or by headquarters' share (`waystation key add --kind "
          "hq-share`). The log goes to stderr, one JSON object a line."};
  command.alone = serve;
  return command;
}

}  // namespace waystation::commands

#include <signal.h>
#include <unistd.h>

#include "server/application.h"
#include "server/commands/command.h"
#include "server/commands/control_socket.h"
#include "server/commands/secret_input.h"

namespace waystation::commands {
namespace {

constexpr std::int64_t kLastPort = 65'535;

// Signals that end the server, taken from all threads that are started from here on.
class EndSignals {
 public:
  EndSignals() {
    ::sigemptyset(&signals_);
    for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&signals_, signal);
    ::pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  }

  void wait() const {
    int signal = 0;
    while (::sigwait(&signals_, &signal) != 0) {
    }
  }

 private:
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
std::string hostOf(const server::Node& node, const Options& options) {
  const std::string address = options.find("address").value_or(node.config().address);
  return address.empty() || address == "0.0.0.0" ? "127.0.0.1" : address;
}

int serve(const Options& options, Output& output) {
  const std::filesystem::path directory = options.text("data");
  server::ApplicationSettings settings = settingsFrom(options);
  const server::LogLevel logLevel = logLevelFrom(options);
  const std::string name = server::Node::readConfig(directory).name;
  const EndSignals signals;
  const std::unique_ptr<server::Node> node = openNode(options, "Passphrase of " + name);
  const server::Log log(STDERR_FILENO, logLevel, node->clock());
  settings.log = &log;
  server::Application application(*node, settings);
  application.start();
  ControlServer control(directory, [&](const Command& command, const Options& asked, Output& to) {
    CommandContext context{*node, &application, asked, to};
    return command.run(context);
  });
  const std::string host = "https://" + hostOf(*node, options) + ":";
  if (node->isHeadquarters()) {
    const std::string sync = host + std::to_string(application.syncPort());
    output.tell("sync " + sync, {{"sync", sync}});
  }
  const std::string ready = host + std::to_string(application.port());
  output.tell("ready " + ready, {{"ready", ready}});
  signals.wait();
  control.cancel();
  application.stop();
  control.join();
  return 0;
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
                  {.name = "log-level", .value = "L", .help = "error, warning, info or debug"}},
      .arguments = {},
      .notes =
          "Prints `ready https://...` when it answers; at HQ `sync https://...` before that. "
          "The log goes to stderr, one JSON object a line."};
  command.alone = serve;
  return command;
}

}  // namespace waystation::commands

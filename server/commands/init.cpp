#include "server/commands/command.h"
#include "server/commands/secret_input.h"
#include "server/node.h"

namespace waystation::commands {
namespace {

constexpr std::int64_t kLastPort = 65'535;

server::NodeConfig configFrom(const Options& options) {
  server::NodeConfig config;
  const std::string role = options.text("role");
  if (role != "hq" && role != "office") throw WrongUsage("The option --role wants hq or office.");
  config.role = role == "hq" ? server::Role::kHeadquarters : server::Role::kOffice;
  config.name = options.text("name");
  if (const auto port = options.number("port", 0, kLastPort)) {
    config.port = static_cast<std::uint16_t>(*port);
  }
  if (const auto port = options.number("sync-port", 0, kLastPort)) {
    config.syncPort = static_cast<std::uint16_t>(*port);
  }
  if (options.has("address")) config.address = options.text("address");
  return config;
}

void tellWhatToKeep(const std::filesystem::path& directory, const server::NodeConfig& config,
                    Output& output) {
  const bool isHq = config.role == server::Role::kHeadquarters;
  const std::string keys = (directory / "keys.slots").string();
  output.tell((isHq ? "Headquarters " : "Office ") + config.name + " is made in " +
                  directory.string() + ".",
              {{"made", config.name},
               {"role", isHq ? "hq" : "office"},
               {"data", directory.string()},
               {"keys", keys}});
  output.say("Keep safe, and not beside this machine:");
  output.say(
      "  - the passphrase: without it nobody can open what is kept here, and it cannot be "
      "recovered;");
  output.say("  - a copy of " + keys + ": it is of use only together with the passphrase.");
  if (isHq) {
    output.say("This machine also holds the certificate authority of all offices.");
    output.say(
        "Next: waystation user add, waystation serve, and waystation hq issue-token for "
        "each office.");
  } else {
    output.say(
        "Next: waystation enrol with the token from headquarters, waystation user add, "
        "waystation serve.");
  }
}

int init(const Options& options, Output& output) {
  const server::NodeConfig config = configFrom(options);
  const std::filesystem::path directory = options.text("data");
  crypto::Argon2Cost cost;
  if (const auto memory = options.number("kdf-memory-kib", 8, 1024 * 1024)) {
    cost.memoryKiB = static_cast<std::uint32_t>(*memory);
    cost.passes = 1;
    cost.lanes = 1;
  }
  const crypto::Secret passphrase =
      readSecret(options, "passphrase-file", "New passphrase for " + config.name, true);
  server::Node::create(directory, config, passphrase.view(), cost);
  tellWhatToKeep(directory, config, output);
  return 0;
}

}  // namespace

Command initCommand() {
  Command command;
  command.form = {
      .words = "init",
      .summary = "makes a node: its keys and an empty encrypted store",
      .options =
          {{.name = "role", .value = "hq|office", .help = "what the node is", .isRequired = true},
           {.name = "name", .value = "CODE", .help = "its code: NBO, HQ", .isRequired = true},
           {.name = "port", .value = "P", .help = "for browsers and the API; 8443 if not given"},
           {.name = "sync-port", .value = "Q", .help = "at HQ, for offices; 8444 if not given"},
           {.name = "address", .value = "A", .help = "to listen on; 0.0.0.0 if not given"},
           passphraseFileOption(),
           // For tests only: a passphrase slot that opens quickly is as quickly guessed.
           {.name = "kdf-memory-kib", .value = "N", .help = ""}},
      .arguments = {},
      .notes = "Without --passphrase-file it asks for the new passphrase, twice."};
  command.alone = init;
  command.opensNode = false;
  return command;
}

}  // namespace waystation::commands

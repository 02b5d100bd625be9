#include "server/access/accounts.h"
#include "server/commands/command.h"
#include "server/commands/secret_input.h"
#include "server/node.h"

namespace waystation::commands {
namespace {

constexpr const char* kPassword = "password";  // where the prepared password travels

void readPassword(Options& options) {
  const crypto::Secret password =
      readSecret(options, "password-file", "Password for " + options.text("name"), true);
  options.set(kPassword, std::string(password.view()));
}

int addUser(CommandContext& context) {
  const std::string name = context.options.text("name");
  const std::string role = context.options.text("role");
  const std::vector<std::string> programmes = context.options.list("programme");
  access::addAccount(context.node, name, role, programmes, context.options.text(kPassword));
  context.output.tell("The account " + name + " is made, as " + role + ".",
                      {{"added", name}, {"role", role}, {"programmes", programmes}});
  return 0;
}

std::string roleNames() {
  std::string names;
  for (const std::string& role : access::roles()) names += (names.empty() ? "" : ", ") + role;
  return names;
}

}  // namespace

Command userAddCommand() {
  Command command;
  command.form = {
      .words = "user add",
      .summary = "makes an account",
      .options =
          {{.name = "name", .value = "N", .help = "what the person logs in as", .isRequired = true},
           {.name = "role", .value = "ROLE", .help = roleNames(), .isRequired = true},
           {.name = "programme", .value = "P,...", .help = "the programmes the person works in"},
           {.name = "password-file",
            .value = "F",
            .help = "reads the password from F instead of asking",
            .isPath = true}},
      .arguments = {},
      .notes = "Without --password-file it asks for the password, twice."};
  command.prepare = readPassword;
  command.run = addUser;
  return command;
}

}  // namespace waystation::commands

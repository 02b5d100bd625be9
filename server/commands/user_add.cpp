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
  access::Account account{context.options.text("name"), context.options.text("role")};
  for (const std::string& programme : context.options.list("programme")) {
    const std::size_t equals = programme.find('=');
    account.programmes[programme.substr(0, equals)] =
        equals == std::string::npos ? account.role : programme.substr(equals + 1);
  }
  access::addAccount(context.node, account, context.options.text(kPassword));
  context.output.tell(
      "The account " + account.name + " is made, as " + account.role + ".",
      {{"added", account.name}, {"role", account.role}, {"programmes", account.programmes}});
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
           {.name = "programme",
            .value = "P[=ROLE],...",
            .help = "programmes in which the person has a role, ROLE or the same"},
           {.name = "password-file",
            .value = "F",
            .help = "reads the password from F instead of asking",
            .isPath = true}},
      .arguments = {},
      .notes =
          "A sealed programme is seen by those alone who have a role in it. Without "
          "--password-file it asks for the password, twice."};
  command.prepare = readPassword;
  command.run = addUser;
  return command;
}

}  // namespace waystation::commands

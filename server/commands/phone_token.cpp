#include "server/access/enrolment.h"
#include "server/application.h"
#include "server/commands/command.h"

namespace waystation::commands {
namespace {

constexpr std::int64_t kMostMinutes = 1440;

int issueToken(CommandContext& context) {
  const std::string phone = context.options.text("name");
  const int minutes = static_cast<int>(
      context.options.number("minutes", 1, kMostMinutes).value_or(access::kPhoneTokenMinutes));
  const std::string token = access::issuePhoneToken(context.node, phone, minutes);
  if (context.application != nullptr) context.application->listenForPhones();
  if (context.output.isJson()) {
    context.output.tell("", {{"token", token}, {"phone", phone}, {"minutes", minutes}});
    return 0;
  }
  context.output.line(token);
  // Beside the token, so that the token alone can go to a program that draws it.
  context.output.warn("The phone " + phone + " joins with it once, within " +
                      std::to_string(minutes) + " minutes, while the server runs.");
  return 0;
}

}  // namespace

Command phoneTokenCommand() {
  Command command;
  command.form = {.words = "phone issue-token",
                  .summary = "at an office: makes a token with which a phone joins",
                  .options = {{.name = "name",
                               .value = "NAME",
                               .help = "the phone's, after the office's: KRT-P1",
                               .isRequired = true},
                              {.name = "minutes",
                               .value = "N",
                               .help = "how long it is good; 10 if not given"}},
                  .arguments = {},
                  .notes =
                      "The web client makes one, too, as a QR code, for technicians. A token works "
                      "once. `waystation revoke` at headquarters refuses a lost phone. As a QR "
                      "code on the terminal: ... | qrencode -t ANSIUTF8"};
  command.run = issueToken;
  return command;
}

}  // namespace waystation::commands

#include "crypto/recovery_key.h"

#include "crypto/hash.h"
#include "server/commands/command.h"
#include "server/commands/secret_input.h"
#include "server/node.h"
#include "server/recovery_slot.h"

namespace waystation::commands {
namespace {

constexpr const char* kPublicText = "public-text";  // where the prepared public part travels

std::string withTitle(const std::string& title, std::string_view text) {
  return title + "\n" + std::string(text) + "\n";
}

crypto::Secret privateFile(const std::string& name, const crypto::RecipientKey& key) {
  const crypto::Secret text = crypto::recoveryKeyText(key);
  const std::string title =
      "PRIVATE recovery key of " + name + ", " +
      crypto::shownRecoveryKeyId(crypto::recoveryKeyId(key.publicKey())) +
      ".\nIt opens the store of every office. For the safe only; never leave it on a machine.\n";
  crypto::Secret content(title.size() + text.size() + 1);
  title.copy(content.data(), title.size());
  text.view().copy(content.data() + title.size(), text.size());
  content.data()[content.size() - 1] = '\n';
  return content;
}

// The private part is made where the command was typed and never reaches the server.
void makeOrRead(Options& options) {
  const server::NodeConfig config = server::Node::readConfig(options.text("data"));
  if (config.role != server::Role::kHeadquarters) {
    throw Failure("node.not-headquarters",
                  "Only headquarters has a recovery key; this node is an "
                  "office. Nothing was made.");
  }
  if (options.has("public") == options.has("private-out")) {
    throw WrongUsage("Wants --private-out F (to make a key) or --public F (made elsewhere).");
  }
  if (const auto file = options.find("public")) {
    const crypto::Secret text = readSecretFile(*file);
    options.set(kPublicText, crypto::toBase64Url(crypto::parseRecoveryPublicKey(text.view())));
    return;
  }
  crypto::SystemRandom random;
  const crypto::RecipientKey key = crypto::RecipientKey::generate(random);
  writeSecretFile(options.text("private-out"), privateFile(config.name, key).view());
  if (const auto file = options.find("public-out")) {
    writeSecretFile(*file, withTitle("Public recovery key of " + config.name + ", for offices.",
                                     crypto::recoveryPublicKeyText(key.publicKey())));
  }
  options.set(kPublicText, crypto::toBase64Url(key.publicKey()));
}

int setKey(CommandContext& context) {
  const std::string publicKey = crypto::fromBase64Url(context.options.text(kPublicText));
  context.node.write([&](sync::Work& work) { server::setRecoveryKey(work.store(), publicKey); });
  const std::string id = crypto::shownRecoveryKeyId(crypto::recoveryKeyId(publicKey));
  context.output.tell("The recovery key is " + id + ".", {{"recoveryKey", id}});
  if (const auto file = context.options.find("private-out")) {
    context.output.say("Bring " + *file +
                       " into the safe, on paper or on a stick, and then: shred -u " + *file);
  }
  context.output.say(
      "Offices get its public part with their tokens from now on, and this node and they seal "
      "their keys to it when they start the next time. Offices that have joined already: "
      "waystation key add --kind recovery.");
  return 0;
}

}  // namespace

Command recoveryKeyCommand() {
  Command command;
  command.form = {
      .words = "hq recovery-key",
      .summary = "at HQ: makes the key for the safe that opens offices whose own are lost",
      .options = {{.name = "private-out",
                   .value = "F",
                   .help = "makes the key; its private part goes to F",
                   .isPath = true},
                  {.name = "public-out",
                   .value = "F",
                   .help = "a copy of its public part, for offices that have joined",
                   .isPath = true},
                  {.name = "public",
                   .value = "F",
                   .help = "takes the public part of a key made on another machine",
                   .isPath = true}},
      .arguments = {},
      .notes =
          "The private part is never kept here. A key made before goes on opening "
          "the slots that were sealed to it."};
  command.prepare = makeOrRead;
  command.run = setKey;
  return command;
}

}  // namespace waystation::commands

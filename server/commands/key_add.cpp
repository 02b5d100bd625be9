#include <unistd.h>

#include "crypto/recovery_key.h"
#include "server/access/hub_share.h"
#include "server/commands/key_slot_access.h"
#include "server/locked_file.h"

namespace waystation::commands {
namespace {

constexpr std::size_t kNewSecretSize = 32;

// A new file with a new secret; gone again unless the slot was made.
class NewSecretFile {
 public:
  NewSecretFile(const std::string& path, crypto::Random& random)
      : path_(path), secret_(kNewSecretSize) {
    random.fill(secret_.data(), secret_.size());
    writeSecretFile(path_, secret_.view());
  }
  ~NewSecretFile() {
    if (!isKept_) ::unlink(path_.c_str());
  }
  NewSecretFile(const NewSecretFile&) = delete;
  NewSecretFile& operator=(const NewSecretFile&) = delete;

  const crypto::Secret& secret() const { return secret_; }
  void keep() { isKept_ = true; }

 private:
  std::string path_;
  crypto::Secret secret_;
  bool isKept_ = false;
};

crypto::SlotKind kindFrom(const Options& options) {
  for (const crypto::SlotKind kind :
       {crypto::SlotKind::kPassphrase, crypto::SlotKind::kKeyFile, crypto::SlotKind::kCredential,
        crypto::SlotKind::kRecovery, crypto::SlotKind::kHubShare}) {
    if (kindName(kind) == options.text("kind")) return kind;
  }
  throw WrongUsage(
      "The option --kind wants passphrase, key-file, credential, recovery or hq-share.");
}

// What the new slot is made of, and its making.
class Adding {
 public:
  explicit Adding(const Options& options) : options_(options), kind_(kindFrom(options)) {
    const bool fromFile =
        kind_ == crypto::SlotKind::kKeyFile || kind_ == crypto::SlotKind::kCredential;
    if (fromFile && options.has("from") == options.has("new-file")) {
      throw WrongUsage("A slot of this kind wants --new-file F (to make F) or --from F.");
    }
    if (kind_ == crypto::SlotKind::kRecovery && !options.has("recovery-key")) {
      throw WrongUsage("A slot of this kind wants --recovery-key F: the key's public part.");
    }
  }

  int run(crypto::KeySlots& slots, const crypto::Secret& master) {
    if (kind_ == crypto::SlotKind::kPassphrase) {
      const crypto::Secret secret =
          readSecret(options_, "new-passphrase-file", "New passphrase", true);
      return add(slots, master, secret.view());
    }
    if (kind_ == crypto::SlotKind::kRecovery) {
      const crypto::Secret text = readSecretFile(options_.text("recovery-key"));
      return add(slots, master, crypto::parseRecoveryPublicKey(text.view()));
    }
    if (kind_ == crypto::SlotKind::kHubShare) return addShare(slots, master);
    if (options_.has("from")) {
      return add(slots, master, readSecretFile(options_.text("from")).view());
    }
    NewSecretFile file(options_.text("new-file"), random_);
    const int number = add(slots, master, file.secret().view());
    file.keep();
    return number;
  }

 private:
  // Two halves: one stays on this box, the other one goes to headquarters at the next exchange. The
  // slots before it have nothing left that would open them.
  int addShare(crypto::KeySlots& slots, const crypto::Secret& master) {
    const std::filesystem::path directory = options_.text("data");
    const auto known = server::readLockedFile(directory);
    if (!known || known->hubSealingKey.empty() || known->door.certificatePem.empty()) {
      throw Failure("key.no-headquarters",
                    "This node has not yet exchanged with a headquarters that could keep a share. "
                    "Nothing was changed; enrol, let `waystation sync now` end well, and repeat "
                    "this.");
    }
    const std::string boxHalf = random_.bytes(access::kHalfSize);
    const std::string hubHalf = random_.bytes(access::kHalfSize);
    const int number = add(slots, master, boxHalf + hubHalf);
    const std::string office = server::Node::readConfig(directory).name;
    server::changeLockedFile(directory, [&](server::LockedFile& file) {
      file.boxHalf = boxHalf;
      file.forHub = access::sealHalf(random_, file.hubSealingKey, office, hubHalf);
    });
    for (const crypto::SlotInfo& slot : slots.list()) {
      if (slot.kind == kind_ && slot.number != number) slots.remove(slot.number);
    }
    return number;
  }

  int add(crypto::KeySlots& slots, const crypto::Secret& master, std::string_view secret) {
    crypto::Argon2Cost cost;
    if (const auto memory = options_.number("kdf-memory-kib", 8, 1024 * 1024)) {
      cost = {1, static_cast<std::uint32_t>(*memory), 1};
    }
    return slots.add(master, random_, kind_, secret, options_.text("label"), cost);
  }

  const Options& options_;
  crypto::SlotKind kind_;
  crypto::SystemRandom random_;
};

void tellWhatNext(const Options& options, Output& output) {
  if (options.text("kind") == "hq-share") {
    output.say(
        "Headquarters gets its half at the next exchange (`waystation sync now`); from then on the "
        "server opens by itself at a start where headquarters can be reached. Whoever steals the "
        "box and starts it at a line can do so too, until headquarters revokes or flags it.");
  }
  const std::string file = options.text("new-file");
  if (file.empty()) return;
  if (options.text("kind") == "key-file") {
    output.say("Move " + file +
               " to the token and keep it apart from this machine: with the disk it opens all.");
    return;
  }
  output.say("Next: systemd-creds encrypt --name=waystation-key " + file +
             " /etc/credstore.encrypted/waystation-key, then shred -u " + file +
             "; the unit wants LoadCredentialEncrypted=waystation-key.");
}

int add(const Options& options, Output& output) {
  Adding adding(options);
  crypto::KeySlots slots = slotsOf(options);
  const crypto::KeySlots::Opened opened = openSlots(slots, options);
  const crypto::SlotInfo slot = slotNumbered(slots, adding.run(slots, opened.master));
  output.tell("Made: " + shownSlot(slot) + ". The data was not touched.",
              {{"slot", slot.number}, {"kind", kindName(slot.kind)}, {"label", slot.label}});
  tellWhatNext(options, output);
  output.say("Copies of the key file made before do not have this slot: copy " +
             (std::filesystem::path(options.text("data")) / "keys.slots").string() + " again.");
  return 0;
}

}  // namespace

Command keyAddCommand() {
  Command command;
  command.form = {
      .words = "key add",
      .summary = "one more way to open the node's store",
      .options = {{.name = "kind",
                   .value = "KIND",
                   .help = "passphrase, key-file, credential, recovery or hq-share",
                   .isRequired = true},
                  {.name = "label", .value = "L", .help = "for people; names nobody in danger"},
                  {.name = "new-passphrase-file",
                   .value = "F",
                   .help = "passphrase: reads the new one from F instead of asking",
                   .isPath = true},
                  {.name = "new-file",
                   .value = "F",
                   .help = "key-file, credential: makes F with a new random secret",
                   .isPath = true},
                  {.name = "from",
                   .value = "F",
                   .help = "key-file, credential: takes F, at least 32 random bytes",
                   .isPath = true},
                  {.name = "recovery-key",
                   .value = "F",
                   .help = "recovery: the public part of headquarters' recovery key",
                   .isPath = true},
                  {.name = "kdf-memory-kib", .value = "N", .help = ""}},
      .arguments = {},
      .notes = "Wants a secret that opens the store now; the data is not touched."};
  command.alone = add;
  return command;
}

}  // namespace waystation::commands

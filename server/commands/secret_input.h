#pragma once

#include <string>
#include <string_view>

#include "crypto/key_slots.h"
#include "crypto/secret.h"
#include "server/commands/command_line.h"

namespace waystation::commands {

// Secrets come from a file or from a prompt that does not echo, never from the command line.

// The file named by `option`, else a prompt on the terminal. The line end behind the secret does
// not count. Warns on standard error when others may read the file. `twice`: a new secret, asked
// for two times. Throws Failure("secret.unreadable"), ("secret.empty"), ("secret.missing") without
// a terminal, ("secret.differs").
crypto::Secret readSecret(const Options& options, const std::string& option,
                          const std::string& prompt, bool twice);

// The content of a file as it is, at most 4,096 bytes. Warns as readSecret.
// Throws Failure("secret.unreadable"), ("secret.empty").
crypto::Secret readSecretFile(const std::string& file);

// A new file that only this user can read, on the disk when it returns.
// Throws Failure("secret.unwritable"), also when the file is there already.
void writeSecretFile(const std::string& file, std::string_view content);

// What opens a node: --passphrase-file, else --key-file, else the service's credential where there
// is one (docs/spec/key-slots.md, section 9), else the passphrase as typed at the prompt.
crypto::SlotSecret readNodeSecret(const Options& options, const std::string& prompt);
// Whether one of them is there without asking.
bool hasNodeSecret(const Options& options);

}  // namespace waystation::commands

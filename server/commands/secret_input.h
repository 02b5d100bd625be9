#pragma once

#include <string>

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

}  // namespace waystation::commands

#include "server/commands/secret_input.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iostream>

namespace waystation::commands {
namespace {

constexpr std::size_t kLongestSecret = 4096;

// The terminal without echo, for as long as this lives.
class SilentTerminal {
 public:
  SilentTerminal() {
    ::tcgetattr(STDIN_FILENO, &before_);
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  ~SilentTerminal() {
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
    std::cerr << std::endl;
  }
  SilentTerminal(const SilentTerminal&) = delete;
  SilentTerminal& operator=(const SilentTerminal&) = delete;

 private:
  termios before_{};
};

enum class Reading { kLine, kWhole, kWholeButLineEnd };

// Never more than kLongestSecret.
crypto::Secret readFrom(int descriptor, Reading reading, const std::string& source) {
  const bool isLine = reading == Reading::kLine;
  crypto::Secret buffer(kLongestSecret + 1);
  std::size_t size = 0;
  while (size < buffer.size()) {
    const ssize_t got = ::read(descriptor, buffer.data() + size, isLine ? 1 : buffer.size() - size);
    if (got < 0) {
      throw Failure(errno == EINTR ? "command.cancelled" : "secret.unreadable",
                    source + " can't be read: " + std::strerror(errno) + ".");
    }
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
    if (isLine && buffer.data()[size - 1] == '\n') break;
  }
  if (size > kLongestSecret) {
    throw Failure("secret.unreadable",
                  source + " is longer than 4,096 bytes: is it the right one?");
  }
  if (reading != Reading::kWhole) {
    if (size > 0 && buffer.data()[size - 1] == '\n') --size;
    if (size > 0 && buffer.data()[size - 1] == '\r') --size;
  }
  if (size == 0) throw Failure("secret.empty", source + " is empty.");
  return crypto::Secret::copyOf(buffer.view().substr(0, size));
}

crypto::Secret readFile(const std::string& file, Reading reading) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) {
    throw Failure("secret.unreadable",
                  "The file " + file + " can't be read: " + std::strerror(errno) + ".");
  }
  struct stat facts {};
  if (::fstat(descriptor, &facts) == 0 && S_ISREG(facts.st_mode) && (facts.st_mode & 0077U) != 0) {
    std::cerr << "waystation: other users of this machine can read " << file
              << "; run `chmod 600` on it.\n";
  }
  try {
    crypto::Secret secret = readFrom(descriptor, reading, "The file " + file);
    ::close(descriptor);
    return secret;
  } catch (...) {
    ::close(descriptor);
    throw;
  }
}

crypto::Secret ask(const std::string& prompt) {
  std::cerr << prompt << ": " << std::flush;
  const SilentTerminal silent;
  return readFrom(STDIN_FILENO, Reading::kLine, "What was typed");
}

// systemd's directory of the service's credentials.
std::optional<std::string> credentialFile() {
  const char* directory = std::getenv("CREDENTIALS_DIRECTORY");
  if (directory == nullptr || *directory == '\0') return std::nullopt;
  const std::filesystem::path file = std::filesystem::path(directory) / "waystation-key";
  if (!std::filesystem::exists(file)) return std::nullopt;
  return file.string();
}

}  // namespace

crypto::Secret readSecret(const Options& options, const std::string& option,
                          const std::string& prompt, bool twice) {
  if (const std::optional<std::string> file = options.find(option))
    return readFile(*file, Reading::kWholeButLineEnd);
  if (::isatty(STDIN_FILENO) != 1) {
    throw Failure("secret.missing", "There is no terminal to ask for it: give --" + option + ".");
  }
  crypto::Secret secret = ask(prompt);
  if (twice && ask(prompt + ", once more").view() != secret.view()) {
    throw Failure("secret.differs", "The two were not the same. Nothing was changed.");
  }
  return secret;
}

crypto::Secret readSecretFile(const std::string& file) {
  return readFile(file, Reading::kWhole);
}

void writeSecretFile(const std::string& file, std::string_view content) {
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  const auto size = static_cast<ssize_t>(content.size());
  const bool isWritten = descriptor >= 0 &&
                         ::write(descriptor, content.data(), content.size()) == size &&
                         ::fsync(descriptor) == 0;
  const int error = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (isWritten) return;
  if (descriptor >= 0) ::unlink(file.c_str());
  throw Failure("secret.unwritable", "The file " + file + " can't be made: " +
                                         std::strerror(error) + ". Nothing was changed.");
}

crypto::SlotSecret readNodeSecret(const Options& options, const std::string& prompt) {
  const std::optional<std::string> credential = credentialFile();
  if (!options.has("passphrase-file")) {
    if (const std::optional<std::string> file = options.find("key-file")) {
      return {crypto::SlotKind::kKeyFile, readSecretFile(*file)};
    }
    if (credential) return {crypto::SlotKind::kCredential, readSecretFile(*credential)};
  }
  return {crypto::SlotKind::kPassphrase, readSecret(options, "passphrase-file", prompt, false)};
}

bool hasNodeSecret(const Options& options) {
  return options.has("passphrase-file") || options.has("key-file") || credentialFile().has_value();
}

}  // namespace waystation::commands

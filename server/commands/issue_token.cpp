#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "server/access/enrolment.h"
#include "server/commands/command.h"
#include "server/node.h"

namespace waystation::commands {
namespace {

constexpr std::int64_t kHours = 72;
constexpr std::int64_t kMostHours = 720;

// A new file that only this user can read; made before the token is, so that none is lost.
class TokenFile {
 public:
  explicit TokenFile(const std::string& path)
      : path_(path),
        descriptor_(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)) {
    if (descriptor_ < 0) {
      throw Failure("token.unwritable", "The file " + path + " can't be made: " +
                                            std::strerror(errno) + ". No token was issued.");
    }
  }
  ~TokenFile() {
    ::close(descriptor_);
    if (!isWritten_) ::unlink(path_.c_str());
  }
  TokenFile(const TokenFile&) = delete;
  TokenFile& operator=(const TokenFile&) = delete;

  void write(const std::string& text) {
    if (::write(descriptor_, text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
        ::fsync(descriptor_) != 0) {
      throw Failure("token.unwritable", "The file " + path_ + " can't be written: " +
                                            std::strerror(errno) + ". Issue another token.");
    }
    isWritten_ = true;
  }

 private:
  std::string path_;
  int descriptor_;
  bool isWritten_ = false;
};

int issueToken(CommandContext& context) {
  const std::string office = context.options.text("office");
  const int hours =
      static_cast<int>(context.options.number("hours", 1, kMostHours).value_or(kHours));
  const std::optional<std::string> path = context.options.find("out");
  if (!path) {
    const std::string token = access::issueToken(context.node, office, hours);
    context.output.tell(token, {{"token", token}, {"office", office}, {"hours", hours}});
    return 0;
  }
  TokenFile file(*path);
  file.write(access::issueToken(context.node, office, hours));
  context.output.tell("The token for " + office + " is in " + *path + ". It works once, within " +
                          std::to_string(hours) +
                          " hours. Carry it as you would carry a key: whoever has it can pose as "
                          "this office until it is used.",
                      {{"office", office}, {"out", *path}, {"hours", hours}});
  return 0;
}

}  // namespace

Command issueTokenCommand() {
  Command command;
  command.form = {
      .words = "hq issue-token",
      .summary = "at HQ: makes a token with which an office joins",
      .options =
          {{.name = "office", .value = "CODE", .help = "the office's code", .isRequired = true},
           {.name = "out",
            .value = "F",
            .help = "the file to make; else it is printed",
            .isPath = true},
           {.name = "hours", .value = "N", .help = "how long it is good; 72 if not given"}},
      .arguments = {},
      .notes = "A token works once."};
  command.run = issueToken;
  return command;
}

}  // namespace waystation::commands

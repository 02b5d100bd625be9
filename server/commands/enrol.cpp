#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>

#include "server/access/enrolment.h"
#include "server/access/enrolment_by_stick.h"
#include "server/access/leaf_certificates.h"
#include "server/application.h"
#include "server/bundles.h"
#include "server/commands/command.h"

namespace waystation::commands {
namespace {

constexpr const char* kTokenText = "token-text";  // where the prepared token travels
constexpr std::uint16_t kUsualPort = 8443;
constexpr std::size_t kLongestToken = 64 * 1024;

struct HqAddress {
  std::string host;
  std::uint16_t port = kUsualPort;
};

// "https://hq.example.org:8443", the scheme and the port may be missing.
HqAddress addressFrom(const std::string& url) {
  const WrongUsage wrong("The option --hq wants an address such as https://hq.example.org:8443.");
  std::string_view rest = url;
  if (rest.starts_with("https://")) rest.remove_prefix(8);
  if (rest.ends_with('/')) rest.remove_suffix(1);
  HqAddress address;
  const std::size_t colon = rest.rfind(':');
  if (colon != std::string_view::npos) {
    const std::string_view port = rest.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
    if (error != std::errc{} || end != port.data() + port.size() || address.port == 0) throw wrong;
    rest = rest.substr(0, colon);
  }
  if (rest.empty() || rest.find_first_of("/@?#: ") != std::string_view::npos) throw wrong;
  address.host = rest;
  return address;
}

void readToken(Options& options) {
  const bool isByStick = options.has("request") || options.has("answer");
  if (options.has("request") && (options.has("answer") || options.has("hq"))) {
    throw WrongUsage("A request to join is made first, and alone; its answer is read later.");
  }
  if (options.has("hq")) {
    addressFrom(options.text("hq"));
  } else if (!isByStick) {
    throw WrongUsage("Say where headquarters is with --hq, or join by stick: --request FILE.");
  }
  const std::string path = options.text("token");
  std::ifstream file(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file.is_open() || file.bad()) {
    throw Failure("token.unreadable",
                  "The file " + path + " can't be read: " + std::strerror(errno) + ".");
  }
  if (text.size() > kLongestToken) {
    throw Failure("enrolment.token-malformed", "The file " + path + " is no token.");
  }
  options.set(kTokenText, std::move(text));
}

// The request to join, for the stick to headquarters.
int writeRequest(CommandContext& context) {
  const std::string path = context.options.text("request");
  server::BundleFile file(path);
  file.write(0, access::fileToJoin(context.node, context.options.text(kTokenText)));
  file.keep();
  context.output.tell(path +
                          " is written. At headquarters `waystation hq admit` reads it and writes "
                          "the answer, with which `waystation enrol --answer` joins here.",
                      {{"request", path}, {"office", context.node.config().name}});
  return 0;
}

int enrol(CommandContext& context) {
  if (context.options.has("host")) {
    access::setOwnHosts(context.node, context.options.list("host"));
  }
  if (context.options.has("request")) return writeRequest(context);
  const std::string token = context.options.text(kTokenText);
  const HqAddress hq =
      context.options.has("hq") ? addressFrom(context.options.text("hq")) : HqAddress{};
  if (context.options.has("answer")) {
    access::joinByFile(context.node, token, server::readSmallFile(context.options.text("answer")),
                       hq.host);
  } else {
    access::enrol(context.node, token, hq.host, hq.port);
  }
  const std::string name = access::hubName(context.node);
  context.output.tell(context.node.config().name + " has joined " + name + ". The token is spent.",
                      {{"joined", name}, {"office", context.node.config().name}});
  if (context.application != nullptr && context.application->syncClient() != nullptr) {
    context.application->certificateChanged();
    context.application->syncClient()->enrolled();
    context.output.say(hq.host.empty()
                           ? "Browsers get the new certificate. What there is travels by stick: "
                             "`waystation bundle write`."
                           : "The link is up from now on, and browsers get the new certificate.");
  }
  return 0;
}

int admit(CommandContext& context) {
  const std::string request = context.options.text("request");
  const std::string out = context.options.text("out");
  server::BundleFile file(out);
  const access::JoiningAnswered answered =
      access::answerFile(context.node, server::readSmallFile(request),
                         context.application != nullptr ? context.application->syncPort()
                                                        : context.node.config().syncPort);
  file.write(0, answered.file);
  file.keep();
  context.output.tell("The office " + answered.office + " is admitted, and its token spent. " +
                          out + " is the answer, which only that office can read.",
                      {{"office", answered.office}, {"out", out}});
  return 0;
}

}  // namespace

Command admitCommand() {
  Command command;
  command.form = {.words = "hq admit",
                  .summary = "at HQ: answers an office that joins by stick",
                  .options = {{.name = "request",
                               .value = "F",
                               .help = "the file that `enrol --request` made",
                               .isRequired = true,
                               .isPath = true},
                              {.name = "out",
                               .value = "F",
                               .help = "the answer's file, for the stick back",
                               .isRequired = true,
                               .isPath = true}},
                  .arguments = {},
                  .notes = "May be repeated: the same request is answered the same."};
  command.run = admit;
  return command;
}

Command enrolCommand() {
  Command command;
  command.form = {
      .words = "enrol",
      .summary = "at an office: joins headquarters with its token",
      .options = {{.name = "token",
                   .value = "F",
                   .help = "the file with the token",
                   .isRequired = true,
                   .isPath = true},
                  {.name = "hq", .value = "URL", .help = "where HQ's own page is reached"},
                  {.name = "request",
                   .value = "F",
                   .help = "without a line: the file to make for headquarters",
                   .isPath = true},
                  {.name = "answer",
                   .value = "F",
                   .help = "without a line: the file that headquarters made of it",
                   .isPath = true},
                  {.name = "host",
                   .value = "H,...",
                   .help = "where browsers reach this office: nbo.example.org,192.168.1.10"}},
      .arguments = {},
      .notes = "May be repeated after a failure; a token that was spent has to be replaced by HQ."};
  command.prepare = readToken;
  command.run = enrol;
  return command;
}

}  // namespace waystation::commands

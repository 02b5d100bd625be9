#include "server/http/request_reader.h"

#include <algorithm>
#include <array>

#include "crypto/failure.h"
#include "server/http/target.h"

namespace waystation::http {
namespace {

constexpr std::array<std::string_view, 5> kMethods = {"GET", "HEAD", "POST", "PUT", "DELETE"};

// Fields that are lists, which may therefore come on several lines. Every other one may come once.
constexpr std::array<std::string_view, 10> kListFields = {
    "accept",     "accept-charset", "accept-encoding", "accept-language", "cache-control",
    "connection", "if-match",       "if-none-match",   "pragma",          "via"};

[[noreturn]] void refuse(const char* code, const std::string& sentence) {
  throw Failure(code, sentence);
}

[[noreturn]] void refuseHead(const std::string& what) {
  refuse("http.head-malformed", "The request is not valid HTTP/1.1: " + what + ".");
}

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = std::min(text.find_first_not_of(" \t"), text.size());
  text.remove_prefix(begin);
  return text.substr(0, text.find_last_not_of(" \t") + 1);
}

std::string lowered(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
  }
  return lower;
}

bool isHost(std::string_view value) {
  if (value.empty() || value.size() > 255) return false;
  return std::all_of(value.begin(), value.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("-._~:[]").find(c) != std::string_view::npos;
  });
}

bool listHas(const std::string& list, std::string_view wanted) {
  std::string_view rest = list;
  while (!rest.empty()) {
    const std::string_view element = rest.substr(0, rest.find(','));
    if (lowered(trimmed(element)) == wanted) return true;
    rest.remove_prefix(std::min(element.size() + 1, rest.size()));
  }
  return false;
}

}  // namespace

bool isToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
  });
}

std::optional<std::uint64_t> parseDigits(std::string_view text) {
  if (text.empty() || text.size() > 18) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

std::size_t RequestReader::feed(std::string_view bytes) {
  std::size_t consumed = 0;
  while (!complete_ && consumed < bytes.size()) {
    const std::string_view rest = bytes.substr(consumed);
    const std::size_t feedAt = rest.find('\n');
    const std::size_t count = std::min(
        {feedAt == std::string_view::npos ? rest.size() : feedAt + 1, limits_.headBytes + 1});
    line_.append(rest.substr(0, count));
    consumed += count;
    taken_ += count;
    checkSizes();
    if (line_.back() != '\n') continue;
    if (line_.size() < 2 || line_[line_.size() - 2] != '\r') {
      refuseHead("a line ends without a carriage return");
    }
    takeLine(std::string_view(line_).substr(0, line_.size() - 2));
    line_.clear();
  }
  return consumed;
}

void RequestReader::checkSizes() const {
  if (head_.method.empty()) {
    if (line_.size() > limits_.targetBytes + 32) {
      refuse("http.target-too-long", "The address of the request is too long.");
    }
    return;
  }
  if (taken_ > limits_.headBytes || line_.size() > limits_.fieldBytes) {
    refuse("http.head-too-large", "The header fields of the request are too large.");
  }
}

void RequestReader::takeLine(std::string_view line) {
  for (const char c : line) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\t') || byte == 0x7f) refuseHead("it holds a control character");
  }
  if (head_.method.empty()) {
    takeRequestLine(line);
  } else if (line.empty()) {
    finish();
  } else {
    takeField(line);
  }
}

void RequestReader::takeRequestLine(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) refuseHead("the first line is incomplete");
  const std::string_view method = line.substr(0, first);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!isToken(method)) refuseHead("its method is not a word");
  if (std::find(kMethods.begin(), kMethods.end(), method) == kMethods.end()) {
    refuse("http.method-unknown", "This server takes GET, HEAD, POST, PUT and DELETE only.");
  }
  if (version != "HTTP/1.1") {
    refuse(version.substr(0, 5) == "HTTP/" ? "http.version" : "http.head-malformed",
           "This server speaks HTTP/1.1 only.");
  }
  if (target.size() > limits_.targetBytes) {
    refuse("http.target-too-long", "The address of the request is too long.");
  }
  Target parsed = parseTarget(target);
  head_.target = target;
  head_.path = std::move(parsed.path);
  head_.query = std::move(parsed.query);
  head_.method = method;
}

void RequestReader::takeField(std::string_view line) {
  if (++fields_ > limits_.fields) {
    refuse("http.head-too-large", "The request has too many header fields.");
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) refuseHead("a header line has no colon");
  // A folded line begins with a space, and so fails here as well.
  if (!isToken(line.substr(0, colon))) refuseHead("a header field's name is not a word");
  addField(lowered(line.substr(0, colon)), trimmed(line.substr(colon + 1)));
}

void RequestReader::addField(std::string name, std::string_view value) {
  const auto found = head_.headers.find(name);
  if (found == head_.headers.end()) {
    head_.headers.emplace(std::move(name), value);
    return;
  }
  if (std::find(kListFields.begin(), kListFields.end(), name) == kListFields.end()) {
    refuseHead("the header field " + name + " comes twice");
  }
  found->second.append(", ").append(value);
}

void RequestReader::finish() {
  const auto host = head_.headers.find("host");
  if (host == head_.headers.end() || !isHost(host->second)) {
    refuse("http.host-malformed", "The request does not say which host it is for.");
  }
  readFraming();
  if (const auto field = head_.headers.find("connection"); field != head_.headers.end()) {
    head_.keepAlive = !listHas(field->second, "close");
  }
  if (const auto field = head_.headers.find("expect"); field != head_.headers.end()) {
    if (lowered(field->second) != "100-continue") {
      refuse("http.expectation", "The request expects something that this server does not know.");
    }
    head_.expectsContinue = true;
  }
  complete_ = true;
}

void RequestReader::readFraming() {
  const auto length = head_.headers.find("content-length");
  const auto coding = head_.headers.find("transfer-encoding");
  const bool hasLength = length != head_.headers.end();
  const bool hasCoding = coding != head_.headers.end();
  if (hasLength && hasCoding) refuseHead("it gives its length in two ways");
  if (hasCoding) {
    if (lowered(coding->second) != "chunked") {
      refuse("http.transfer-coding-unknown", "The only transfer coding taken is chunked.");
    }
    head_.chunked = true;
  }
  if (hasLength) {
    head_.contentLength = parseDigits(length->second);
    if (!head_.contentLength) refuseHead("its Content-Length is not a number of bytes");
    if (*head_.contentLength > limits_.bodyBytes) {
      refuse("http.body-too-large", "What was to be sent is larger than the " +
                                        std::to_string(limits_.bodyBytes) +
                                        " bytes that this server takes; nothing was kept.");
    }
  }
  const bool mustHaveBody = head_.method == "POST" || head_.method == "PUT";
  if (mustHaveBody && !hasLength && !hasCoding) {
    refuse("http.length-required", "The request does not say how long its body is.");
  }
  const bool mayHaveBody = mustHaveBody || head_.method == "DELETE";
  if (!mayHaveBody && (head_.chunked || head_.contentLength.value_or(0) > 0)) {
    refuse("http.body-unexpected", "A request that only reads has no body.");
  }
}

RequestHead RequestReader::take() {
  RequestHead head = std::move(head_);
  *this = RequestReader(limits_);
  return head;
}

}  // namespace waystation::http

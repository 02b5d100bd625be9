#include "server/http/response_reader.h"

#include <algorithm>

#include "crypto/failure.h"
#include "server/http/request_reader.h"

namespace waystation::http {
namespace {

[[noreturn]] void refuse() {
  throw Failure("net.answer-malformed", "The other side's answer is not valid HTTP/1.1.");
}

std::string_view takeLine(std::string_view& rest) {
  const std::size_t end = rest.find("\r\n");
  if (end == std::string_view::npos) refuse();
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 2);
  if (line.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) refuse();
  return line;
}

int parseStatus(std::string_view line) {
  // "HTTP/1.1 200 OK"; the phrase may be empty.
  if (line.size() < 13 || line.substr(0, 9) != "HTTP/1.1 " || line[12] != ' ') refuse();
  const auto status = parseDigits(line.substr(9, 3));
  if (!status || *status < 100 || *status > 599) refuse();
  return static_cast<int>(*status);
}

void addField(ResponseHead& head, std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || !isToken(line.substr(0, colon))) refuse();
  std::string name(line.substr(0, colon));
  for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  std::string_view value = line.substr(colon + 1);
  value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
  value = value.substr(0, value.find_last_not_of(" \t") + 1);
  const auto [field, isNew] = head.headers.emplace(name, value);
  if (isNew) return;
  if (name == "content-length" || name == "transfer-encoding") refuse();
  field->second.append(", ").append(value);
}

}  // namespace

ResponseHead parseResponseHead(std::string_view text) {
  ResponseHead head;
  head.status = parseStatus(takeLine(text));
  while (!text.empty()) addField(head, takeLine(text));

  const auto length = head.headers.find("content-length");
  const auto coding = head.headers.find("transfer-encoding");
  head.chunked = coding != head.headers.end();
  if (head.chunked && (coding->second != "chunked" || length != head.headers.end())) refuse();
  if (length != head.headers.end()) {
    head.contentLength = parseDigits(length->second);
    if (!head.contentLength) refuse();
  }
  const auto connection = head.headers.find("connection");
  head.keepAlive = connection == head.headers.end() || connection->second != "close";
  return head;
}

}  // namespace waystation::http

#include "server/http/message.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "crypto/failure.h"

namespace waystation::http {
namespace {

Failure bodyTooLarge(std::size_t limit) {
  return Failure("http.body-too-large", "What was sent is larger than the " +
                                            std::to_string(limit) +
                                            " bytes that this address takes; nothing was kept.");
}

}  // namespace

std::string BodyReader::readAll(std::size_t limit) {
  if (length().value_or(0) > limit) throw bodyTooLarge(limit);
  std::string all;
  std::array<char, 16384> buffer;
  while (const std::size_t count = read(buffer.data(), buffer.size())) {
    if (count > limit - all.size()) throw bodyTooLarge(limit);
    all.append(buffer.data(), count);
  }
  return all;
}

std::size_t StringBodyReader::read(char* buffer, std::size_t size) {
  const std::size_t count = std::min(size, body_.size() - offset_);
  std::memcpy(buffer, body_.data() + offset_, count);
  offset_ += count;
  return count;
}

std::optional<std::string> Request::header(const std::string& lowerCaseName) const {
  const auto found = headers.find(lowerCaseName);
  if (found == headers.end()) return std::nullopt;
  return found->second;
}

Response json(int status, const Json& value) {
  Response response;
  response.status = status;
  response.headers["Content-Type"] = "application/json";
  response.body = canonicalJson(value);
  return response;
}

Response problem(int status, const std::string& code, const std::string& detail) {
  Response response = json(status, Json{{"type", "about:blank"},
                                        {"title", reasonPhrase(status)},
                                        {"status", status},
                                        {"detail", detail},
                                        {"code", code}});
  response.headers["Content-Type"] = "application/problem+json";
  response.code = code;
  return response;
}

std::string_view reasonPhrase(int status) {
  static constexpr std::array<std::pair<int, std::string_view>, 37> kPhrases = {{
      {200, "OK"},
      {201, "Created"},
      {202, "Accepted"},
      {204, "No Content"},
      {206, "Partial Content"},
      {301, "Moved Permanently"},
      {302, "Found"},
      {303, "See Other"},
      {304, "Not Modified"},
      {307, "Temporary Redirect"},
      {308, "Permanent Redirect"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {406, "Not Acceptable"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {410, "Gone"},
      {411, "Length Required"},
      {412, "Precondition Failed"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {416, "Range Not Satisfiable"},
      {417, "Expectation Failed"},
      {421, "Misdirected Request"},
      {422, "Unprocessable Content"},
      {423, "Locked"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {503, "Service Unavailable"},
      {505, "HTTP Version Not Supported"},
      {507, "Insufficient Storage"},
  }};
  for (const auto& [code, phrase] : kPhrases) {
    if (code == status) return phrase;
  }
  return {};
}

}  // namespace waystation::http

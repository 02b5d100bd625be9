#include "server/http/response_head.h"

#include <strings.h>

#include <algorithm>
#include <array>
#include <utility>

#include "crypto/failure.h"
#include "server/http/request_reader.h"

namespace waystation::http {
namespace {

constexpr std::array<std::pair<const char*, const char*>, 7> kHouseFields = {{
    {"Strict-Transport-Security", "max-age=63072000"},
    {"Content-Security-Policy",
     "default-src 'none'; base-uri 'none'; form-action 'none'; "
     "frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cache-Control", "no-store"},
}};

// The framing is the server's alone.
constexpr std::array kFramingFields = {"content-length", "transfer-encoding", "connection"};

bool sameName(const std::string& left, const char* right) {
  return strcasecmp(left.c_str(), right) == 0;
}

void append(std::string& head, const std::string& name, const std::string& value) {
  head += name;
  head += ": ";
  head += value;
  head += "\r\n";
}

void appendOwnFields(std::string& head, const Response& response) {
  for (const auto& header : response.headers) {
    const auto& name = header.first;
    const auto& value = header.second;
    const bool framing = std::any_of(kFramingFields.begin(), kFramingFields.end(),
                                     [&](const char* field) { return sameName(name, field); });
    const bool breaks = std::any_of(value.begin(), value.end(), [](char c) {
      return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == '\x7f';
    });
    if (framing || breaks || !isToken(name)) {
      throw Failure("internal.header", "The server's answer could not be written.");
    }
    if (!value.empty()) append(head, name, value);
  }
}

void appendHouseFields(std::string& head, const Response& response) {
  for (const auto& [name, value] : kHouseFields) {
    const bool given = std::any_of(
        response.headers.begin(), response.headers.end(),
        [&, field = name](const auto& header) { return sameName(header.first, field); });
    if (!given) append(head, name, value);
  }
}

}  // namespace

bool mayHaveBody(int status) {
  return status >= 200 && status != 204 && status != 304;
}

std::string responseHead(const Response& response, bool keepAlive) {
  std::string head = "HTTP/1.1 " + std::to_string(response.status) + ' ';
  // The phrase may be empty, the space before it may not (RFC 9112 section 4).
  if (!response.bare) head += reasonPhrase(response.status);
  head += "\r\n";
  appendOwnFields(head, response);
  if (!response.bare) appendHouseFields(head, response);
  if (!keepAlive) append(head, "Connection", "close");
  if (response.stream) {
    append(head, "Transfer-Encoding", "chunked");
  } else if (mayHaveBody(response.status)) {
    append(head, "Content-Length", std::to_string(response.body.size()));
  }
  return head + "\r\n";
}

}  // namespace waystation::http

#include "server/http/target.h"

#include "crypto/failure.h"

namespace waystation::http {
namespace {

[[noreturn]] void refuse(const char* sentence) {
  throw Failure("http.target-malformed", sentence);
}

bool isAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// What RFC 3986 lets stand in a path, the percent sign and the slash included.
bool mayStandInPath(char c) {
  return isAlphanumeric(c) || std::string_view("-._~!$&'()*+,;=:@/%").find(c) != std::string::npos;
}

// Browsers leave more than RFC 3986 allows unescaped in a query.
bool mayStandInQuery(char c) {
  return c > ' ' && c < '\x7f' && std::string_view("\"<>#\\").find(c) == std::string::npos;
}

int hexValue(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  refuse("The address of the request holds a percent sign without two hexadecimal digits.");
}

std::string decode(std::string_view text, bool plusIsSpace) {
  std::string decoded;
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+' && plusIsSpace) {
      c = ' ';
    } else if (c == '%') {
      if (text.size() - i < 3) {
        refuse("The address of the request holds a percent sign without two hexadecimal digits.");
      }
      c = static_cast<char>(hexValue(text[i + 1]) * 16 + hexValue(text[i + 2]));
      i += 2;
    }
    decoded += c;
  }
  if (!isUtf8(decoded)) refuse("The address of the request is not UTF-8.");
  return decoded;
}

std::string decodeSegment(std::string_view text) {
  std::string segment = decode(text, false);
  if (segment == "." || segment == "..") refuse("The address of the request holds dot segments.");
  for (const char c : segment) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || c == '/' || c == '\\') {
      refuse("The address of the request holds a character that no address needs.");
    }
  }
  return segment;
}

std::string decodePath(std::string_view text) {
  std::string path;
  std::size_t begin = 1;
  while (begin <= text.size()) {
    const std::size_t end = std::min(text.find('/', begin), text.size());
    if (end == begin && end < text.size()) {
      refuse("The address of the request holds an empty segment.");
    }
    path += '/';
    path += decodeSegment(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return path;
}

std::map<std::string, std::string> decodeQuery(std::string_view text) {
  std::map<std::string, std::string> query;
  while (!text.empty()) {
    const std::string_view pair = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(pair.size() + 1, text.size()));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    std::string name = decode(pair.substr(0, equals), true);
    std::string value = decode(pair.substr(std::min(equals + 1, pair.size())), true);
    if ((name + value).find('\0') != std::string::npos) {
      refuse("The query of the request holds a NUL.");
    }
    if (!query.emplace(std::move(name), std::move(value)).second) {
      refuse("The query of the request gives one name twice.");
    }
  }
  return query;
}

}  // namespace

Target parseTarget(std::string_view target) {
  if (target.empty() || target.front() != '/') {
    refuse("The address of the request must be a path that begins with a slash.");
  }
  const std::size_t mark = std::min(target.find('?'), target.size());
  const std::string_view path = target.substr(0, mark);
  const std::string_view query = target.substr(std::min(mark + 1, target.size()));
  for (const char c : path) {
    if (!mayStandInPath(c)) refuse("The address of the request holds a character to be escaped.");
  }
  for (const char c : query) {
    if (!mayStandInQuery(c)) refuse("The query of the request holds a character to be escaped.");
  }
  return {decodePath(path), decodeQuery(query)};
}

bool isUtf8(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size();) {
    const auto lead = static_cast<unsigned char>(bytes[i]);
    const std::size_t length = lead < 0x80            ? 1
                               : lead >> 5 == 0b110   ? 2
                               : lead >> 4 == 0b1110  ? 3
                               : lead >> 3 == 0b11110 ? 4
                                                      : 0;
    if (length == 0 || bytes.size() - i < length) return false;
    std::uint32_t point = length == 1 ? lead : lead & (0xffU >> (length + 1));
    for (std::size_t k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(bytes[i + k]);
      if (next >> 6 != 0b10) return false;
      point = point << 6 | (next & 0x3fU);
    }
    static constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (point < kSmallest[length] || point > 0x10ffff) return false;
    if (point >= 0xd800 && point <= 0xdfff) return false;
    i += length;
  }
  return true;
}

}  // namespace waystation::http

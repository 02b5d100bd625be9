// Hexadecimal and base64url, as declared in crypto/hash.h.
#include <array>

#include "crypto/failure.h"
#include "crypto/hash.h"

namespace waystation::crypto {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kBase64UrlDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

[[noreturn]] void throwMalformedHex() {
  throw Failure("hex.malformed",
                "The text is not hexadecimal: it needs pairs of the digits 0-9 and a-f.");
}

[[noreturn]] void throwMalformedBase64() {
  throw Failure("base64.malformed",
                "The text is not base64url: it needs letters, digits, '-' and '_', no padding, and "
                "no stray bits at its end.");
}

std::uint32_t hexValue(char digit) {
  if (digit >= '0' && digit <= '9') {
    return static_cast<std::uint32_t>(digit - '0');
  }
  if (digit >= 'a' && digit <= 'f') {
    return static_cast<std::uint32_t>(digit - 'a') + 10;
  }
  if (digit >= 'A' && digit <= 'F') {
    return static_cast<std::uint32_t>(digit - 'A') + 10;
  }
  throwMalformedHex();
}

std::uint32_t base64UrlValue(char digit) {
  constexpr std::uint8_t kNone = 0xff;
  static constexpr auto values = [] {
    std::array<std::uint8_t, 256> table{};
    for (auto& entry : table) {
      entry = kNone;
    }
    for (std::size_t i = 0; i < kBase64UrlDigits.size(); ++i) {
      table[static_cast<unsigned char>(kBase64UrlDigits[i])] = static_cast<std::uint8_t>(i);
    }
    return table;
  }();
  const std::uint8_t value = values[static_cast<unsigned char>(digit)];
  if (value == kNone) {
    throwMalformedBase64();
  }
  return value;
}

std::uint32_t octet(char byte) {
  return static_cast<unsigned char>(byte);
}

}  // namespace

std::string toHex(std::string_view bytes) {
  std::string result;
  result.reserve(bytes.size() * 2);
  for (const char byte : bytes) {
    result.push_back(kHexDigits[octet(byte) >> 4]);
    result.push_back(kHexDigits[octet(byte) & 15]);
  }
  return result;
}

std::string fromHex(std::string_view text) {
  if (text.size() % 2 != 0) {
    throwMalformedHex();
  }
  std::string result;
  result.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    result.push_back(static_cast<char>(hexValue(text[i]) << 4 | hexValue(text[i + 1])));
  }
  return result;
}

std::string toBase64Url(std::string_view bytes) {
  std::string result;
  result.reserve((bytes.size() * 4 + 2) / 3);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char byte : bytes) {
    bits = (bits << 8 | octet(byte)) & 0xffff;
    held += 8;
    while (held >= 6) {
      held -= 6;
      result.push_back(kBase64UrlDigits[bits >> held & 63]);
    }
  }
  if (held > 0) {
    result.push_back(kBase64UrlDigits[bits << (6 - held) & 63]);
  }
  return result;
}

std::string fromBase64Url(std::string_view text) {
  if (text.size() % 4 == 1) {
    throwMalformedBase64();
  }
  std::string result;
  result.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  int held = 0;
  for (const char digit : text) {
    bits = (bits << 6 | base64UrlValue(digit)) & 0xffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      result.push_back(static_cast<char>(bits >> held & 255));
    }
  }
  // The last digit's spare bits: were they free, one value would have several spellings.
  if ((bits & ((1U << held) - 1)) != 0) {
    throwMalformedBase64();
  }
  return result;
}

}  // namespace waystation::crypto

#include "server/cases/text_check.h"

#include <cstdint>

namespace waystation::cases {

namespace {

constexpr char32_t kBroken = 0xFFFFFFFF;

// Reads one character at `at` and moves past it; past one byte if it is broken.
char32_t nextCharacter(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(at++);
  if (lead < 0x80) return lead;
  std::size_t more = 0;
  char32_t value = 0;
  char32_t least = 0;
  if ((lead & 0xE0) == 0xC0) {
    more = 1, value = lead & 0x1F, least = 0x80;
  } else if ((lead & 0xF0) == 0xE0) {
    more = 2, value = lead & 0x0F, least = 0x800;
  } else if ((lead & 0xF8) == 0xF0) {
    more = 3, value = lead & 0x07, least = 0x10000;
  } else {
    return kBroken;
  }
  if (text.size() - at < more) return kBroken;
  for (std::size_t i = 0; i < more; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return kBroken;
    value = (value << 6) | (byte(at + i) & 0x3F);
  }
  if (value < least || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF)) return kBroken;
  at += more;
  return value;
}

bool isControl(char32_t character, bool isMultiline) {
  if (isMultiline && (character == '\n' || character == '\t')) return false;
  return character < 0x20 || (character >= 0x7F && character < 0xA0);
}

}  // namespace

TextCheck checkText(std::string_view text, bool isMultiline) {
  TextCheck result;
  for (std::size_t at = 0; at < text.size(); ++result.characters) {
    const char32_t character = nextCharacter(text, at);
    if (character == kBroken) {
      result.fault = TextFault::kNotUtf8;
      return result;
    }
    if (isControl(character, isMultiline) && !result.fault) {
      result.fault = TextFault::kControlCharacter;
    }
  }
  return result;
}

std::string showable(std::string_view text) {
  std::string shown;
  shown.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t from = at;
    const char32_t character = nextCharacter(text, at);
    if (character == kBroken || isControl(character, true)) {
      shown += "\xEF\xBF\xBD";
    } else {
      shown.append(text.substr(from, at - from));
    }
  }
  return shown;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t from = text.find_first_not_of(kBlank);
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(kBlank) - from + 1);
}

}  // namespace waystation::cases

#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace waystation::cases {

// What is wrong with a text that came from outside.
enum class TextFault { kNotUtf8, kControlCharacter };

// The number of characters (code points), or what is wrong: bytes that are not UTF-8 (RFC 3629:
// overlong forms, surrogates and values above U+10FFFF are not), or control characters (C0, DEL,
// C1). Line feeds and tabs count as text if `isMultiline`.
struct TextCheck {
  std::size_t characters = 0;
  std::optional<TextFault> fault;
};
TextCheck checkText(std::string_view text, bool isMultiline);

// The text with every byte that is not UTF-8, and every control character but line feed and tab,
// replaced by U+FFFD; for showing what was refused.
std::string showable(std::string_view text);

// Without spaces, tabs and line ends around it.
std::string_view trimmed(std::string_view text);

}  // namespace waystation::cases

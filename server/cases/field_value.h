#pragma once

#include <string_view>

namespace waystation::cases {

// A day of the Gregorian calendar as YYYY-MM-DD, of the years 1800 to 2200: what lies outside is a
// slip of the keyboard.
bool isRealDate(std::string_view text);

// A place code as the common operational datasets write them: 2 to 20 capital letters and digits.
// Most begin with the country's letters; those of some countries are digits alone.
bool isPlaceCode(std::string_view text);

// "urn:uuid:" and a UUID in lower case (RFC 9562).
bool isRecordReference(std::string_view text);

// 1 to 64 letters, digits, '_', '-' or '.', the first a letter or digit.
bool isCodeText(std::string_view text);

}  // namespace waystation::cases

#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace waystation::http {

using Json = nlohmann::json;

// How deep arrays and objects may lie within each other.
inline constexpr std::size_t kMaxJsonDepth = 64;

// Reads one JSON text (RFC 8259), stricter than the RFC asks: UTF-8 without a byte order mark, no
// key twice in an object, no U+0000 in a string, no integer beyond 64 bits (it would be rounded
// silently), nothing but white space after the text.
// Throws Failure("json.malformed"), ("json.duplicate-key") or ("json.too-deep"); the sentence names
// the byte or the key.
Json parseJson(std::string_view text);

// The one way of writing a value: keys sorted by their bytes, no white space, UTF-8 unescaped.
// Throws Failure("json.unwritable") for NaN, infinities and strings that are not UTF-8.
std::string canonicalJson(const Json& value);

}  // namespace waystation::http

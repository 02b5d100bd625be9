#pragma once

#include <map>
#include <string>
#include <string_view>

namespace waystation::http {

// A request's target (RFC 9112, origin form), decoded.
struct Target {
  std::string path;                          // begins with '/'
  std::map<std::string, std::string> query;  // '+' and %20 are both a space
};

// Decodes strictly, so that nobody behind this door has to: refuses everything but origin form,
// malformed or overlong escapes, control characters, encoded slashes and backslashes, empty
// segments and "." or ".." (however written), text that is not UTF-8, and a query name given twice.
// Throws Failure("http.target-malformed").
Target parseTarget(std::string_view target);

// Whether these bytes are UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing past
// U+10FFFF.
bool isUtf8(std::string_view bytes);

}  // namespace waystation::http

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace waystation::http {

// The head of an answer, as far as a client needs it.
struct ResponseHead {
  int status = 0;
  std::map<std::string, std::string> headers;  // lower-case names; repeated ones joined by ", "
  std::optional<std::uint64_t> contentLength;
  bool chunked = false;
  bool keepAlive = true;
};

// Reads an answer's head from its lines without the final empty one, each ended by CR LF: as
// strictly as RequestReader reads requests. Throws Failure("net.answer-malformed").
ResponseHead parseResponseHead(std::string_view head);

}  // namespace waystation::http

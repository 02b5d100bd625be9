#pragma once

#include <string>

#include "server/http/message.h"

namespace waystation::http {

// Everything of an answer before its body, the empty line included. The server's own fields
// (security, caching) are there unless the response gives that name itself; giving it an empty
// value leaves the field out. Throws Failure("internal.header") for a field that would break the
// framing.
std::string responseHead(const Response& response, bool keepAlive);

// Whether an answer of this status has a body at all (RFC 9110 section 6.4.1).
bool mayHaveBody(int status);

}  // namespace waystation::http

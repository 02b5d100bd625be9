#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "server/node.h"

namespace waystation::access {

// Joining where there is no line (docs/spec/bundle.md, section 9): the office's request and
// headquarters' answer as two small files. The token goes to the office another way than the
// answer, as it does for the link; a finder of either file reads nothing of it.

// At the office: the request's file, sealed to headquarters; the same joining at each call. Throws
// as enrol, and Failure("enrolment.token-older") when the token does not hold headquarters' keys.
std::string fileToJoin(server::Node& office, const std::string& tokenText);

// At headquarters: opens a request, admits the office as POST /api/v1/enrolment does, and answers
// with the answer's file, sealed to the office and signed; the same request again is answered the
// same. Throws as admit, and Failure("enrolment.file-malformed"): none, damaged, or for others.
struct JoiningAnswered {
  std::string office;
  std::string file;
};
JoiningAnswered answerFile(server::Node& hq, std::string_view requestFile, std::uint16_t syncPort);

// At the office: joins by the answer, with the token that the request was made with. `hqHost`:
// where a link may be had later, or empty. Throws as enrol and join, and
// Failure("enrolment.file-malformed"): no answer, damaged, for others, or not signed by
// headquarters.
void joinByFile(server::Node& office, const std::string& tokenText, std::string_view answer,
                const std::string& hqHost);

}  // namespace waystation::access

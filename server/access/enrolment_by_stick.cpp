#include "server/access/enrolment_by_stick.h"

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "server/access/enrolment.h"

namespace waystation::access {
namespace {

using http::Json;

// file := mark(16) kind(1) sealed; HPKE's single message with the 17 bytes as associated data.
constexpr std::string_view kMark = "waystation-join1";
constexpr char kRequest = 1;
constexpr char kAnswer = 2;
constexpr std::string_view kInfo = "waystation enrolment file v1";
constexpr std::string_view kSigned = "waystation enrolment answer v1\n";

std::string headOf(char kind) {
  return std::string(kMark) + kind;
}

std::string sealedFile(server::Node& node, char kind, const std::string& to, const Json& content) {
  return headOf(kind) +
         crypto::hpkeSeal(node.random(), to, kInfo, headOf(kind), http::canonicalJson(content));
}

Json openedFile(server::Node& node, char kind, std::string_view file) {
  const std::string head = headOf(kind);
  if (!file.starts_with(head)) {
    throw Failure("enrolment.file-malformed",
                  kind == kRequest ? "This file is no office's request to join. Nothing was "
                                     "changed; copy it again from the office's stick."
                                   : "This file is no answer of headquarters. Nothing was "
                                     "changed; copy it again from headquarters' stick.");
  }
  const auto content = crypto::hpkeOpen(node.sealingKey(), kInfo, head, file.substr(head.size()));
  if (!content) {
    throw Failure("enrolment.file-malformed",
                  "This file is damaged, or not for this node. Nothing was changed; copy it again, "
                  "or have it made again.");
  }
  return http::parseJson(*content);
}

std::string keyIn(const Json& token, const char* name) {
  if (!token.contains(name)) {
    throw Failure("enrolment.token-older",
                  "This token was given out before offices could join by stick. Ask headquarters "
                  "for a new one. Nothing was changed.");
  }
  return crypto::fromBase64Url(token.at(name).get<std::string>());
}

// {"answer": object, "signature": base64url}
bool isSignedAnswer(const Json& file, const std::string& key) {
  if (!file.is_object() || !file.contains("answer") || !file.contains("signature") ||
      !file.at("answer").is_object() || !file.at("signature").is_string()) {
    return false;
  }
  try {
    const std::string proof = crypto::fromBase64Url(file.at("signature").get<std::string>());
    return crypto::verifySignature(
        key, std::string(kSigned) + http::canonicalJson(file.at("answer")), proof);
  } catch (const Failure&) {
    return false;
  }
}

}  // namespace

std::string fileToJoin(server::Node& office, const std::string& tokenText) {
  const Json token = tokenFor(office, tokenText);
  const std::string sealingKey = keyIn(token, "sealingKey");
  return sealedFile(office, kRequest, sealingKey, requestToJoin(office, token));
}

JoiningAnswered answerFile(server::Node& hq, std::string_view requestFile, std::uint16_t syncPort) {
  if (!hq.isHeadquarters()) {
    throw Failure("node.not-headquarters", "Only headquarters answers an office that joins.");
  }
  const Json request = openedFile(hq, kRequest, requestFile);
  const Json answer = admit(hq, request, syncPort);
  const std::string proof =
      hq.signingKey().sign(std::string(kSigned) + http::canonicalJson(answer));
  // admit has looked at both.
  const std::string office = request.at("office").get<std::string>();
  const std::string to = crypto::fromBase64Url(request.at("sealingKey").get<std::string>());
  return {office, sealedFile(hq, kAnswer, to,
                             {{"answer", answer}, {"signature", crypto::toBase64Url(proof)}})};
}

void joinByFile(server::Node& office, const std::string& tokenText, std::string_view answer,
                const std::string& hqHost) {
  const Json token = tokenFor(office, tokenText);
  const std::string key = keyIn(token, "publicKey");
  const Json file = openedFile(office, kAnswer, answer);
  if (!isSignedAnswer(file, key)) {
    throw Failure("enrolment.file-malformed",
                  "This answer is not signed by the headquarters that gave out the token. This "
                  "office has not joined; tell headquarters.");
  }
  join(office, token, file.at("answer"), hqHost);
}

}  // namespace waystation::access

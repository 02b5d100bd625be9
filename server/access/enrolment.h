#pragma once

#include <cstdint>
#include <string>

#include "server/http/json.h"
#include "server/node.h"

namespace waystation::access {

// How an office joins: HQ gives out a token, good once and for a time, which carries HQ's
// certificate, so that the office knows from the first byte whom it talks to; the office makes its
// keys itself and sends only their public halves.
//
//   token text   a line for people, then
//   token        "wst1." base64url(JSON) "." base64url(first 8 bytes of SHA-256(JSON))
//   JSON         {"authority": PEM, "expires": seconds, "hq": name, "office": name,
//                 "secret": base64url of 32 bytes,
//                 "publicKey", "sealingKey": headquarters' Ed25519 and X25519 keys, base64url,
//                 "recovery": base64url of headquarters' recovery key's public part, if it has one}

// At HQ: the token's text, for a file. HQ keeps only the secret's hash. Throws Failure:
// "node.not-headquarters", "enrolment.office-malformed", "enrolment.hours-malformed" (1 to 720).
std::string issueToken(server::Node& hq, const std::string& office, int validHours = 72);

// At an office: the token of one of its phones, to be read with its camera or typed: as above, but
// with "pin", the SHA-256 of the authority's certificate, in its place, and the office's "hosts"
// and "port"; "hq" is the office, "office" the phone. Throws Failure: "enrolment.not-an-office",
// "enrolment.phone-malformed", "enrolment.minutes-malformed" (1 to 1440).
inline constexpr int kPhoneTokenMinutes = 10;
std::string issuePhoneToken(server::Node& office, const std::string& phone,
                            int validMinutes = kPhoneTokenMinutes);

// The answer of HQ to an office's, or of an office to its phone's POST /api/v1/enrolment {"secret",
// "office", "request", "publicKey", "sealingKey", "proof"}: {"certificate", "authority", "hq",
// "syncPort", "publicKey", "sealingKey"}. Spends the token and makes the office known in one
// transaction; the same request sent again (its answer was lost) is answered the same. Throws
// Failure: "enrolment.token-unknown", "enrolment.token-expired", "enrolment.token-spent",
// "enrolment.request-malformed".
http::Json admit(server::Node& hq, const http::Json& request, std::uint16_t syncPort);

// At the office: joins the HQ that answers at that address. May be called again after a failure.
// Throws Failure: "enrolment.token-malformed" (cut or mistyped), "enrolment.other-office",
// "node.is-headquarters", what HQ answers, and "net.*" ("net.certificate" where somebody else
// answers).
void enrol(server::Node& office, const std::string& tokenText, const std::string& hqHost,
           std::uint16_t hqPort);

// The steps of it, whatever carries them (enrolment_by_stick.h is the other way). The token of this
// office; throws as enrol.
http::Json tokenFor(server::Node& office, const std::string& tokenText);
// What the office asks: the same after a failure, so that an answer that was lost can be had again.
http::Json requestToJoin(server::Node& office, const http::Json& token);
// Takes the answer over. `hqHost` empty: no link is known. Throws
// Failure("enrolment.answer-malformed"): the office has not joined.
void join(server::Node& office, const http::Json& token, const http::Json& answer,
          const std::string& hqHost);

// HQ's Ed25519 and X25519 keys, which the office learnt when it joined; empty: not enrolled, or
// before there were bundles.
struct HubKeys {
  std::string signingKey;
  std::string sealingKey;
};
HubKeys hubKeys(server::Node& office);

// What an office remembers of HQ's name, which HQ's certificate bears; empty: not enrolled.
std::string hubName(server::Node& office);

}  // namespace waystation::access

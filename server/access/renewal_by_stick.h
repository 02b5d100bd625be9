#pragma once

#include <string>
#include <string_view>

#include "server/node.h"

namespace waystation::access {

// The certificate of an office without a line, renewed by the bundles that go anyway
// (docs/spec/bundle.md, section 5): asked for on the way up, signed at headquarters, and taken over
// when it comes down. Either may be lost, late or come twice; the one before counts until then.

// At an office: what a bundle to headquarters asks for, {"hosts": [..], "request": PEM, "shows":
// fingerprint of its certificate} as JSON; the same until it is answered. Empty: nothing is due.
std::string renewalAsked(server::Node& office);

// At headquarters: signs what this office asks for and keeps it for the bundles that go there; what
// was signed before, for the same request, is not signed again. Throws as renewCertificate.
void signRenewal(server::Node& hq, const std::string& office, std::string_view asked);

// At headquarters: the certificate that a bundle to this office takes along, PEM; empty: none, or
// one that the office has shown already.
std::string renewedFor(server::Node& hq, const std::string& office);

// At an office: takes the certificate over if it is the answer to what is asked for now, and says
// whether it was. Throws Failure("certificate.request-malformed") when headquarters did not sign
// it.
bool takeRenewal(server::Node& office, std::string_view certificatePem);

}  // namespace waystation::access

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/node.h"

namespace waystation::access {

// The certificates of an office without a line, its own and the one that it shows while it is
// locked, renewed by the bundles that go anyway (docs/spec/bundle.md, section 5): asked for on the
// way up, signed at headquarters, and taken over when they come down. Either may be lost, late or
// come twice; the one before counts until then.

// At an office: what a bundle to headquarters asks for, as JSON, each the same until it is
// answered: {"hosts": [..], "request": PEM, "shows": fingerprint of its certificate}; {"hosts",
// "request", "use": "locked"}. None: nothing is due.
std::vector<std::string> renewalsAsked(server::Node& office);

// At headquarters: signs what this office asks for and keeps it for the bundles that go there; what
// was signed before, for the same request, is not signed again. Throws as renewCertificate.
void signRenewal(server::Node& hq, const std::string& office, std::string_view asked);

// At headquarters: the certificates that a bundle to this office takes along, PEM: its own until
// it was shown, the other for a month after it was asked for.
std::vector<std::string> renewedFor(server::Node& hq, const std::string& office);

// At an office.
enum class Renewed { kNothing, kOwn, kDoor };

// Takes the certificate over if it is the answer to what is asked for now, and says which it was.
// Throws Failure("certificate.request-malformed") when headquarters did not sign it.
Renewed takeRenewal(server::Node& office, std::string_view certificatePem);

}  // namespace waystation::access

#pragma once

#include <string>

#include "crypto/certificate.h"
#include "server/node.h"

namespace waystation::access {

// The phones of an office. The office signs their certificates itself, so that one can join where
// headquarters is not at hand: by an authority of its own, which nobody else takes.

inline constexpr std::int64_t kPhoneCertificateDays = 30;

// Whether there ever was a token for one.
bool hasPhones(storage::Store& store);

// The office's authority; made when it is asked for the first time.
crypto::KeyAndCertificate phoneAuthority(server::Node& office);
// Its certificate, or empty.
std::string phoneAuthorityPem(storage::Store& store);

// What headquarters' authority is known by to a phone that has no more than its token: the SHA-256
// of its certificate.
std::string authorityPin(const std::string& authorityPem);

}  // namespace waystation::access

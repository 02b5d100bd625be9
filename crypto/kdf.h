#pragma once

#include <cstddef>
#include <string_view>

#include "crypto/secret.h"

namespace waystation::crypto {

// HKDF-SHA-256 (RFC 5869), extract and expand. `info` names the purpose ("waystation page key v1").
Secret hkdfSha256(std::string_view inputKey, std::string_view salt, std::string_view info,
                  std::size_t size);

// Its two halves apart, as HPKE wants them: the 32-byte pseudo-random key, and what is made of it.
Secret hkdfExtractSha256(std::string_view salt, std::string_view inputKey);
Secret hkdfExpandSha256(std::string_view pseudoRandomKey, std::string_view info, std::size_t size);

}  // namespace waystation::crypto

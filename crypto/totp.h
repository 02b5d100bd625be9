#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace waystation::crypto {

// One-time codes by time (RFC 6238 over RFC 4226, HMAC-SHA-1), as the apps on people's phones make
// them.
inline constexpr std::size_t kTotpSecretSize = 20;
inline constexpr std::uint64_t kTotpStepSeconds = 30;

// The code of a step of time (seconds since 1970 / 30). `digits`: 6 to 8.
std::string totpCode(std::string_view secret, std::uint64_t step, int digits = 6);

// Unpadded base32 (RFC 4648, section 6), in which a secret is typed into such an app.
std::string toBase32(std::string_view bytes);

}  // namespace waystation::crypto

#pragma once

#include <cstdint>
#include <string_view>

#include "crypto/password_hash.h"
#include "crypto/secret.h"

namespace waystation::crypto {

// What a stored cost may ask of the machine that reads it: a hostile key file or account must not
// bring the node down. 1 GiB at once; and 4 GiB written in all, some seconds on an office's box.
inline constexpr std::uint32_t kMostArgon2MemoryKiB = 1024 * 1024;
inline constexpr std::uint32_t kMostArgon2Passes = 64;
inline constexpr std::uint32_t kMostArgon2Lanes = 16;
inline constexpr std::uint64_t kMostArgon2MemoryTimesPasses = 4ULL * 1024 * 1024;
inline constexpr std::uint32_t kLeastArgon2MemoryKiBPerLane = 8;  // RFC 9106, section 3.1

bool isWithinLimits(const Argon2Cost& cost);

// All inputs of Argon2id. The product leaves secretKey and associatedData empty; they are here
// because the RFC's own vector (9106, section 5.3) has both.
struct Argon2Inputs {
  std::string_view password;
  std::string_view salt;
  std::string_view secretKey;
  std::string_view associatedData;
};

// Throws as argon2id().
Secret argon2idOf(const Argon2Inputs& inputs, const Argon2Cost& cost, std::size_t size);

}  // namespace waystation::crypto

#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "crypto/random.h"
#include "crypto/secret.h"

namespace waystation::crypto {

// Argon2id (RFC 9106, libargon2). Costs of the product: t=3, 64 MiB, one lane.
struct Argon2Cost {
  std::uint32_t passes = 3;
  std::uint32_t memoryKiB = 64 * 1024;
  std::uint32_t lanes = 1;
};

// The bare derivation, for key slots. `salt` at least 16 bytes.
// Throws Failure("password.out-of-memory") when the memory can't be had.
Secret argon2id(std::string_view password, std::string_view salt, const Argon2Cost& cost,
                std::size_t size);

// For accounts: "$argon2id$v=19$m=65536,t=3,p=1$salt$hash" (PHC string), and its check in constant
// time. verifyPassword is false for a string that it cannot read.
std::string hashPassword(Random& random, std::string_view password, const Argon2Cost& cost = {});
bool verifyPassword(std::string_view encoded, std::string_view password);

}  // namespace waystation::crypto

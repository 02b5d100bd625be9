#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace waystation::crypto {

inline constexpr std::size_t kSha256Size = 32;
using Sha256Digest = std::array<std::uint8_t, kSha256Size>;

// SHA-256 (FIPS 180-4) of `data`.
Sha256Digest sha256(std::string_view data);

// The same over several parts, without joining them first.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  Sha256& update(std::string_view part);
  // Ends the computation; the object may then be reused from an empty state.
  Sha256Digest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// HMAC-SHA-256 (RFC 2104).
Sha256Digest hmacSha256(std::string_view key, std::string_view data);

inline std::string_view view(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// Lower-case hexadecimal, and back; fromHex throws Failure("hex.malformed").
std::string toHex(std::string_view bytes);
std::string fromHex(std::string_view text);

// Unpadded base64url (RFC 4648, section 5); fromBase64Url throws Failure("base64.malformed") and
// refuses non-canonical endings.
std::string toBase64Url(std::string_view bytes);
std::string fromBase64Url(std::string_view text);

// Compares in time that depends only on the lengths.
bool equalConstantTime(std::string_view a, std::string_view b);

}  // namespace waystation::crypto

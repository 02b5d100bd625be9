#include "crypto/totp.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

#include "crypto/openssl_handles.h"

namespace waystation::crypto {

std::string totpCode(std::string_view secret, std::uint64_t step, int digits) {
  std::array<unsigned char, 8> counter{};
  for (std::size_t i = 0; i < counter.size(); ++i) {
    counter[7 - i] = static_cast<unsigned char>((step >> (8 * i)) & 0xff);
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac{};
  unsigned int size = 0;
  requireOpenSsl(HMAC(EVP_sha1(), secret.data(), static_cast<int>(secret.size()), counter.data(),
                      counter.size(), mac.data(), &size) != nullptr,
                 "make a one-time code");
  const std::size_t offset = mac[size - 1] & 0x0fU;
  const std::uint32_t number = ((mac[offset] & 0x7fU) << 24U) |
                               (std::uint32_t{mac[offset + 1]} << 16U) |
                               (std::uint32_t{mac[offset + 2]} << 8U) | mac[offset + 3];
  std::uint32_t modulus = 1;
  for (int i = 0; i < digits; ++i) modulus *= 10;
  const std::string text = std::to_string(number % modulus);
  return std::string(static_cast<std::size_t>(digits) - text.size(), '0') + text;
}

std::string toBase32(std::string_view bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string text;
  std::uint32_t held = 0;
  int bits = 0;
  for (const char byte : bytes) {
    held = (held << 8U) | static_cast<unsigned char>(byte);
    for (bits += 8; bits >= 5; bits -= 5) text += kAlphabet[(held >> (bits - 5)) & 31U];
  }
  if (bits > 0) text += kAlphabet[(held << (5 - bits)) & 31U];
  return text;
}

}  // namespace waystation::crypto

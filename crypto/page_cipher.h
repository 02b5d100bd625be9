#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "crypto/random.h"

namespace waystation::crypto {

inline constexpr std::size_t kPageCipherKeySize = 32;
inline constexpr std::size_t kPageNonceSize = 24;
inline constexpr std::size_t kPageNoncePrefixSize = 12;
inline constexpr std::size_t kPageTagSize = 16;

// XAES-256-GCM (C2SP, https://c2sp.org/XAES-256-GCM) for many messages under one key: the first 12
// bytes of a nonce choose a subkey, and the subkeys' contexts are kept. Works in the caller's
// buffers and allocates nothing per message. Not for two threads at once; `random` must outlive it.
class PageCipher {
 public:
  PageCipher(std::string_view key, Random& random);
  ~PageCipher();
  PageCipher(const PageCipher&) = delete;
  PageCipher& operator=(const PageCipher&) = delete;

  // Draws a nonce (its prefix once per object and 2^30 messages), and writes plain.size() bytes of
  // ciphertext, 24 of nonce and 16 of tag. `sealed` must not overlap `plain`.
  // Throws Failure("random.unavailable") without writing anything.
  void seal(std::string_view associatedData, std::string_view plain, char* sealed, char* nonce,
            char* tag);
  // The same with a given nonce: for test vectors. Never twice with one nonce.
  void sealWithNonce(std::string_view nonce, std::string_view associatedData,
                     std::string_view plain, char* sealed, char* tag);
  // False, with `plain` wiped, unless everything is as it was sealed.
  bool open(std::string_view nonce, std::string_view associatedData, std::string_view sealed,
            std::string_view tag, char* plain);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

using MacBlock = std::array<char, 16>;

// AES-256-CMAC (SP 800-38B) and AES-256-CTR with their contexts kept: for short headers. Not for
// two threads at once.
class HeaderCipher {
 public:
  HeaderCipher(std::string_view macKey, std::string_view maskKey);
  ~HeaderCipher();
  HeaderCipher(const HeaderCipher&) = delete;
  HeaderCipher& operator=(const HeaderCipher&) = delete;

  MacBlock mac(std::string_view message);
  // XORs the key stream that starts at counter block `start` into `bytes`.
  void mask(const MacBlock& start, char* bytes, std::size_t size);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace waystation::crypto

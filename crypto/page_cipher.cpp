#include "crypto/page_cipher.h"

#include <gcrypt.h>
#include <openssl/crypto.h>

#include <cstring>
#include <string>

#include "crypto/failure.h"

namespace waystation::crypto {

namespace {

// libgcrypt, not OpenSSL: docs/decisions/0007-pages-by-libgcrypt.md.

// One for each first byte of a prefix. Every opening of a file to write brings a prefix or two.
constexpr std::size_t kKeptSubkeys = 256;
constexpr std::uint32_t kMessagesPerPrefix = 1U << 30;

struct CloseCipher {
  void operator()(gcry_cipher_hd_t cipher) const noexcept { gcry_cipher_close(cipher); }
};
struct CloseMac {
  void operator()(gcry_mac_hd_t mac) const noexcept { gcry_mac_close(mac); }
};
using Cipher = std::unique_ptr<gcry_cipher_handle, CloseCipher>;
using Mac = std::unique_ptr<gcry_mac_handle, CloseMac>;

// For calls that fail only when memory is out or the library is not what it was built against.
void require(bool done, const char* attempted) {
  if (done) return;
  throw Failure("crypto.unavailable",
                std::string("The cryptographic library refused to ") + attempted +
                    ". Nothing was changed. Check free memory and the libgcrypt20 package.");
}

// Without its own locked memory: keys are in memory for as long as the store is open anyway.
bool isReady() {
  if (gcry_control(GCRYCTL_INITIALIZATION_FINISHED_P) != 0) return true;
  return gcry_check_version(GCRYPT_VERSION) != nullptr &&
         gcry_control(GCRYCTL_DISABLE_SECMEM, 0) == 0 &&
         gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0) == 0;
}

void start() {
  static const bool ready = isReady();
  require(ready, "start");
}

Cipher newCipher(gcry_cipher_modes mode) {
  start();
  gcry_cipher_hd_t cipher = nullptr;
  require(gcry_cipher_open(&cipher, GCRY_CIPHER_AES256, mode, 0) == 0, "find AES-256");
  return Cipher(cipher);
}

// AES-256-CMAC (SP 800-38B).
class Cmac {
 public:
  explicit Cmac(std::string_view key) {
    start();
    gcry_mac_hd_t mac = nullptr;
    require(gcry_mac_open(&mac, GCRY_MAC_CMAC_AES, 0, nullptr) == 0, "find AES-CMAC");
    mac_.reset(mac);
    require(key.size() == kPageCipherKeySize && gcry_mac_setkey(mac, key.data(), key.size()) == 0,
            "set an AES key");
  }

  MacBlock run(std::string_view message) {
    MacBlock block;
    std::size_t size = block.size();
    require(gcry_mac_reset(mac_.get()) == 0 &&
                gcry_mac_write(mac_.get(), message.data(), message.size()) == 0 &&
                gcry_mac_read(mac_.get(), block.data(), &size) == 0 && size == block.size(),
            "authenticate a header");
    return block;
  }

 private:
  Mac mac_;
};

struct KeptSubkey {
  std::array<char, kPageNoncePrefixSize> prefix{};
  Cipher cipher;  // none until used
};

}  // namespace

struct PageCipher::State {
  State(std::string_view key, Random& source) : random(source), derivation(key) {}

  // The cipher with the subkey that `prefix` chooses.
  gcry_cipher_hd_t cipherFor(std::string_view prefix, KeptSubkey& kept);
  // Sets the nonce and the associated data.
  gcry_cipher_hd_t begin(std::string_view nonce, std::string_view associatedData, KeptSubkey& kept);

  Random& random;
  Cmac derivation;
  std::array<char, kPageNoncePrefixSize> ownPrefix{};
  std::uint32_t messagesLeft = 0;
  KeptSubkey sealing;
  std::array<KeptSubkey, kKeptSubkeys> opening;
};

gcry_cipher_hd_t PageCipher::State::cipherFor(std::string_view prefix, KeptSubkey& kept) {
  if (kept.cipher && std::string_view(kept.prefix.data(), kept.prefix.size()) == prefix) {
    return kept.cipher.get();
  }
  // C2SP's steps 3 to 5: CMAC over 0x00 i 'X' 0x00 prefix, i = 1 and 2.
  std::array<char, 16> message{0, 1, 'X', 0};
  std::memcpy(message.data() + 4, prefix.data(), kPageNoncePrefixSize);
  std::array<char, kPageCipherKeySize> subkey;
  for (std::size_t half = 0; half < 2; ++half) {
    message[1] = static_cast<char>(half + 1);
    MacBlock block = derivation.run({message.data(), message.size()});
    std::memcpy(subkey.data() + half * block.size(), block.data(), block.size());
    OPENSSL_cleanse(block.data(), block.size());
  }
  if (!kept.cipher) kept.cipher = newCipher(GCRY_CIPHER_MODE_GCM);
  const bool done = gcry_cipher_setkey(kept.cipher.get(), subkey.data(), subkey.size()) == 0;
  OPENSSL_cleanse(subkey.data(), subkey.size());
  if (!done) kept.cipher.reset();
  require(done, "set an AES-GCM key");
  std::memcpy(kept.prefix.data(), prefix.data(), kPageNoncePrefixSize);
  return kept.cipher.get();
}

gcry_cipher_hd_t PageCipher::State::begin(std::string_view nonce, std::string_view associatedData,
                                          KeptSubkey& kept) {
  gcry_cipher_hd_t const cipher = cipherFor(nonce.substr(0, kPageNoncePrefixSize), kept);
  require(gcry_cipher_setiv(cipher, nonce.data() + kPageNoncePrefixSize,
                            kPageNonceSize - kPageNoncePrefixSize) == 0 &&
              gcry_cipher_authenticate(cipher, associatedData.data(), associatedData.size()) == 0,
          "take a nonce");
  return cipher;
}

PageCipher::PageCipher(std::string_view key, Random& random)
    : state_(std::make_unique<State>(key, random)) {}

PageCipher::~PageCipher() = default;

void PageCipher::seal(std::string_view associatedData, std::string_view plain, char* sealed,
                      char* nonce, char* tag) {
  std::array<char, kPageNonceSize> drawn;
  if (state_->messagesLeft == 0) {
    state_->random.fill(state_->ownPrefix.data(), state_->ownPrefix.size());
    state_->messagesLeft = kMessagesPerPrefix;
  }
  --state_->messagesLeft;
  std::memcpy(drawn.data(), state_->ownPrefix.data(), kPageNoncePrefixSize);
  state_->random.fill(drawn.data() + kPageNoncePrefixSize, kPageNonceSize - kPageNoncePrefixSize);
  sealWithNonce({drawn.data(), drawn.size()}, associatedData, plain, sealed, tag);
  std::memcpy(nonce, drawn.data(), drawn.size());
}

void PageCipher::sealWithNonce(std::string_view nonce, std::string_view associatedData,
                               std::string_view plain, char* sealed, char* tag) {
  gcry_cipher_hd_t const cipher = state_->begin(nonce, associatedData, state_->sealing);
  require(gcry_cipher_final(cipher) == 0 &&
              gcry_cipher_encrypt(cipher, sealed, plain.size(), plain.data(), plain.size()) == 0 &&
              gcry_cipher_gettag(cipher, tag, kPageTagSize) == 0,
          "seal a page");
}

bool PageCipher::open(std::string_view nonce, std::string_view associatedData,
                      std::string_view sealed, std::string_view tag, char* plain) {
  KeptSubkey& kept = state_->opening[static_cast<unsigned char>(nonce[0])];
  gcry_cipher_hd_t const cipher = state_->begin(nonce, associatedData, kept);
  require(gcry_cipher_final(cipher) == 0 &&
              gcry_cipher_decrypt(cipher, plain, sealed.size(), sealed.data(), sealed.size()) == 0,
          "open a page");
  const gcry_error_t checked = gcry_cipher_checktag(cipher, tag.data(), kPageTagSize);
  if (checked == 0) return true;
  OPENSSL_cleanse(plain, sealed.size());
  require(gcry_err_code(checked) == GPG_ERR_CHECKSUM, "open a page");
  return false;
}

struct HeaderCipher::State {
  State(std::string_view macKey, std::string_view maskKey)
      : cmac(macKey), counter(newCipher(GCRY_CIPHER_MODE_CTR)) {
    require(maskKey.size() == kPageCipherKeySize &&
                gcry_cipher_setkey(counter.get(), maskKey.data(), maskKey.size()) == 0,
            "set an AES key");
  }

  Cmac cmac;
  Cipher counter;
};

HeaderCipher::HeaderCipher(std::string_view macKey, std::string_view maskKey)
    : state_(std::make_unique<State>(macKey, maskKey)) {}

HeaderCipher::~HeaderCipher() = default;

MacBlock HeaderCipher::mac(std::string_view message) {
  return state_->cmac.run(message);
}

void HeaderCipher::mask(const MacBlock& start, char* bytes, std::size_t size) {
  gcry_cipher_hd_t const cipher = state_->counter.get();
  require(gcry_cipher_setctr(cipher, start.data(), start.size()) == 0 &&
              gcry_cipher_encrypt(cipher, bytes, size, nullptr, 0) == 0,
          "mask a header");
}

}  // namespace waystation::crypto

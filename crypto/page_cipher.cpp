#include "crypto/page_cipher.h"

#include <openssl/crypto.h>

#include <cstring>
#include <string>

#include "crypto/openssl_handles.h"

namespace waystation::crypto {

namespace {

constexpr std::size_t kBlockSize = 16;
// A power of two. Each opening of a file brings one prefix; a store in use meets only a few.
constexpr std::size_t kKeptSubkeys = 32;
constexpr std::uint32_t kMessagesPerPrefix = 1U << 30;

using Block = std::array<unsigned char, kBlockSize>;

CipherHandle fetchCipher(const char* name) {
  CipherHandle cipher(EVP_CIPHER_fetch(nullptr, name, nullptr));
  requireOpenSsl(cipher != nullptr, "find AES-256");
  return cipher;
}

CipherContext newContext() {
  CipherContext context(EVP_CIPHER_CTX_new());
  requireOpenSsl(context != nullptr, "make a cipher context");
  return context;
}

int size32(std::size_t size) {
  return static_cast<int>(size);
}

// CBC from a zero vector: CMAC's chain, and for a single block the bare cipher.
class BlockChain {
 public:
  explicit BlockChain(std::string_view key)
      : cipher_(fetchCipher("AES-256-CBC")), context_(newContext()) {
    requireOpenSsl(key.size() == kPageCipherKeySize, "take a key of another size");
    requireOpenSsl(EVP_EncryptInit_ex2(context_.get(), cipher_.get(), octets(key.data()),
                                       kZeroBlock.data(), nullptr) == 1 &&
                       EVP_CIPHER_CTX_set_padding(context_.get(), 0) == 1,
                   "set an AES key");
  }

  // `blocks` is a multiple of 16 bytes and at most kMaximum; the last block of the chain.
  Block run(const unsigned char* blocks, std::size_t size) {
    std::array<unsigned char, kMaximum> out;
    int written = 0;
    requireOpenSsl(
        size > 0 && size <= kMaximum && size % kBlockSize == 0 &&
            EVP_EncryptInit_ex2(context_.get(), nullptr, nullptr, kZeroBlock.data(), nullptr) ==
                1 &&
            EVP_EncryptUpdate(context_.get(), out.data(), &written, blocks, size32(size)) == 1 &&
            written == size32(size),
        "run AES");
    Block last;
    std::memcpy(last.data(), out.data() + size - kBlockSize, kBlockSize);
    return last;
  }

  static constexpr std::size_t kMaximum = 256;

 private:
  static constexpr Block kZeroBlock{};
  CipherHandle cipher_;
  CipherContext context_;
};

// Doubling in GF(2^128) as SP 800-38B, section 6.1, makes K1 and K2.
Block doubled(const Block& value) {
  Block result;
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    const unsigned next = i + 1 < kBlockSize ? value[i + 1] : 0U;
    result[i] = static_cast<unsigned char>((value[i] << 1) | (next >> 7));
  }
  if ((value[0] & 0x80U) != 0) result[kBlockSize - 1] ^= 0x87U;
  return result;
}

// CMAC over whole messages of up to kMaximum bytes.
class Cmac {
 public:
  explicit Cmac(std::string_view key) : chain_(key) {
    const Block zeros{};
    first_ = doubled(chain_.run(zeros.data(), zeros.size()));
    second_ = doubled(first_);
  }

  ~Cmac() {
    OPENSSL_cleanse(first_.data(), first_.size());
    OPENSSL_cleanse(second_.data(), second_.size());
  }

  Cmac(const Cmac&) = delete;
  Cmac& operator=(const Cmac&) = delete;

  Block run(std::string_view message) {
    std::array<unsigned char, BlockChain::kMaximum> blocks{};
    const bool whole = !message.empty() && message.size() % kBlockSize == 0;
    const std::size_t size =
        whole ? message.size() : (message.size() / kBlockSize + 1) * kBlockSize;
    requireOpenSsl(size <= blocks.size(), "authenticate so long a header");
    if (!message.empty()) std::memcpy(blocks.data(), message.data(), message.size());
    if (!whole) blocks[message.size()] = 0x80U;
    const Block& last = whole ? first_ : second_;
    for (std::size_t i = 0; i < kBlockSize; ++i) blocks[size - kBlockSize + i] ^= last[i];
    return chain_.run(blocks.data(), size);
  }

 private:
  BlockChain chain_;
  Block first_{};
  Block second_{};
};

struct KeptSubkey {
  std::array<char, kPageNoncePrefixSize> prefix{};
  CipherContext context;  // none until used
};

}  // namespace

struct PageCipher::State {
  State(std::string_view key, Random& source)
      : random(source), derivation(key), gcm(fetchCipher("AES-256-GCM")) {}

  // The context of the subkey that `prefix` chooses, for one direction.
  EVP_CIPHER_CTX* contextFor(std::string_view prefix, KeptSubkey& kept, bool sealing);

  Random& random;
  Cmac derivation;
  CipherHandle gcm;
  std::array<char, kPageNoncePrefixSize> ownPrefix{};
  std::uint32_t messagesLeft = 0;
  KeptSubkey sealing;
  std::array<KeptSubkey, kKeptSubkeys> opening;
};

EVP_CIPHER_CTX* PageCipher::State::contextFor(std::string_view prefix, KeptSubkey& kept,
                                              bool encrypt) {
  if (kept.context && std::string_view(kept.prefix.data(), kept.prefix.size()) == prefix) {
    return kept.context.get();
  }
  // C2SP's steps 3 to 5: CMAC over 0x00 i 'X' 0x00 prefix, i = 1 and 2.
  std::array<char, kBlockSize> message{0, 1, 'X', 0};
  std::memcpy(message.data() + 4, prefix.data(), kPageNoncePrefixSize);
  std::array<unsigned char, kPageCipherKeySize> subkey;
  for (char counter = 1; counter <= 2; ++counter) {
    message[1] = counter;
    Block half = derivation.run({message.data(), message.size()});
    std::memcpy(subkey.data() + (counter - 1) * static_cast<int>(kBlockSize), half.data(),
                kBlockSize);
    OPENSSL_cleanse(half.data(), half.size());
  }
  if (!kept.context) kept.context = newContext();
  const int done = EVP_CipherInit_ex2(kept.context.get(), gcm.get(), subkey.data(), nullptr,
                                      encrypt ? 1 : 0, nullptr);
  OPENSSL_cleanse(subkey.data(), subkey.size());
  if (done != 1) kept.context.reset();
  requireOpenSsl(done == 1, "set an AES-GCM key");
  std::memcpy(kept.prefix.data(), prefix.data(), kPageNoncePrefixSize);
  return kept.context.get();
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
  EVP_CIPHER_CTX* context =
      state_->contextFor(nonce.substr(0, kPageNoncePrefixSize), state_->sealing, true);
  int written = 0;
  requireOpenSsl(
      EVP_EncryptInit_ex2(context, nullptr, nullptr, octets(nonce.data() + kPageNoncePrefixSize),
                          nullptr) == 1 &&
          EVP_EncryptUpdate(context, nullptr, &written, octets(associatedData.data()),
                            size32(associatedData.size())) == 1 &&
          EVP_EncryptUpdate(context, octets(sealed), &written, octets(plain.data()),
                            size32(plain.size())) == 1 &&
          EVP_EncryptFinal_ex(context, octets(sealed) + written, &written) == 1 &&
          EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, size32(kPageTagSize), tag) == 1,
      "seal a page");
}

bool PageCipher::open(std::string_view nonce, std::string_view associatedData,
                      std::string_view sealed, std::string_view tag, char* plain) {
  const auto slot = static_cast<unsigned char>(nonce[0]) % kKeptSubkeys;
  EVP_CIPHER_CTX* context =
      state_->contextFor(nonce.substr(0, kPageNoncePrefixSize), state_->opening[slot], false);
  std::array<char, kPageTagSize> expected;
  std::memcpy(expected.data(), tag.data(), kPageTagSize);
  int written = 0;
  requireOpenSsl(EVP_DecryptInit_ex2(context, nullptr, nullptr,
                                     octets(nonce.data() + kPageNoncePrefixSize), nullptr) == 1 &&
                     EVP_DecryptUpdate(context, nullptr, &written, octets(associatedData.data()),
                                       size32(associatedData.size())) == 1 &&
                     EVP_DecryptUpdate(context, octets(plain), &written, octets(sealed.data()),
                                       size32(sealed.size())) == 1 &&
                     EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, size32(kPageTagSize),
                                         expected.data()) == 1,
                 "open a page");
  if (EVP_DecryptFinal_ex(context, octets(plain) + written, &written) == 1) return true;
  OPENSSL_cleanse(plain, sealed.size());
  return false;
}

struct HeaderCipher::State {
  State(std::string_view macKey, std::string_view maskKey)
      : cmac(macKey), cipher(fetchCipher("AES-256-CTR")), context(newContext()) {
    const Block zeros{};
    requireOpenSsl(maskKey.size() == kPageCipherKeySize &&
                       EVP_EncryptInit_ex2(context.get(), cipher.get(), octets(maskKey.data()),
                                           zeros.data(), nullptr) == 1,
                   "set an AES key");
  }

  Cmac cmac;
  CipherHandle cipher;
  CipherContext context;
};

HeaderCipher::HeaderCipher(std::string_view macKey, std::string_view maskKey)
    : state_(std::make_unique<State>(macKey, maskKey)) {}

HeaderCipher::~HeaderCipher() = default;

MacBlock HeaderCipher::mac(std::string_view message) {
  const Block block = state_->cmac.run(message);
  MacBlock result;
  std::memcpy(result.data(), block.data(), block.size());
  return result;
}

void HeaderCipher::mask(const MacBlock& start, char* bytes, std::size_t size) {
  int written = 0;
  requireOpenSsl(EVP_EncryptInit_ex2(state_->context.get(), nullptr, nullptr, octets(start.data()),
                                     nullptr) == 1 &&
                     EVP_EncryptUpdate(state_->context.get(), octets(bytes), &written,
                                       octets(bytes), size32(size)) == 1,
                 "mask a header");
}

}  // namespace waystation::crypto

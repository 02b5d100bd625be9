#include "crypto/page_cipher.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "crypto/failure.h"
#include "crypto/hash.h"

namespace waystation::crypto {
namespace {

std::string sealedWith(const std::string& key, const std::string& nonce, const std::string& data,
                       const std::string& plain) {
  SystemRandom random;
  PageCipher cipher(key, random);
  std::string sealed(plain.size() + kPageTagSize, '\0');
  cipher.sealWithNonce(nonce, data, plain, sealed.data(), sealed.data() + plain.size());
  return toHex(sealed);
}

TEST(PageCipher, AgreesWithTheVectorsOfC2sp) {
  const std::string nonce = "ABCDEFGHIJKLMNOPQRSTUVWX";
  EXPECT_EQ(sealedWith(std::string(32, '\x01'), nonce, "", "XAES-256-GCM"),
            "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271");
  EXPECT_EQ(sealedWith(std::string(32, '\x03'), nonce, "c2sp.org/XAES-256-GCM", "XAES-256-GCM"),
            "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d");
}

TEST(PageCipher, OpensWhatItSealedAndNothingElse) {
  SystemRandom random;
  PageCipher sealer(std::string(32, 'k'), random);
  PageCipher opener(std::string(32, 'k'), random);
  const std::string plain(4032, 'p');
  std::string sealed(plain.size(), '\0');
  std::string nonce(kPageNonceSize, '\0');
  std::string tag(kPageTagSize, '\0');
  std::string opened(plain.size(), '\0');
  sealer.seal("page 7", plain, sealed.data(), nonce.data(), tag.data());
  ASSERT_TRUE(opener.open(nonce, "page 7", sealed, tag, opened.data()));
  EXPECT_EQ(opened, plain);

  EXPECT_FALSE(opener.open(nonce, "page 8", sealed, tag, opened.data()));
  EXPECT_EQ(opened, std::string(plain.size(), '\0')) << "unverified plaintext is wiped";
  for (std::string* part : {&sealed, &nonce, &tag}) {
    for (const std::size_t at : {std::size_t{0}, part->size() / 2, part->size() - 1}) {
      (*part)[at] = static_cast<char>((*part)[at] ^ 1);
      EXPECT_FALSE(opener.open(nonce, "page 7", sealed, tag, opened.data()));
      (*part)[at] = static_cast<char>((*part)[at] ^ 1);
    }
  }
  EXPECT_TRUE(opener.open(nonce, "page 7", sealed, tag, opened.data()));
}

TEST(PageCipher, OpensPagesOfMorePrefixesThanItKeeps) {
  SystemRandom random;
  const std::string key(32, 'k');
  PageCipher opener(key, random);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 300; ++i) {
      PageCipher sealer(key, random);
      char sealed[4];
      char nonce[kPageNonceSize];
      char tag[kPageTagSize];
      char opened[4];
      sealer.seal("", "page", sealed, nonce, tag);
      ASSERT_TRUE(opener.open({nonce, sizeof nonce}, "", {sealed, 4}, {tag, sizeof tag}, opened));
      EXPECT_EQ(std::string(opened, 4), "page");
    }
  }
}

TEST(PageCipher, NeverRepeatsANonceAndKeepsItsPrefix) {
  SystemRandom random;
  PageCipher cipher(std::string(32, 'k'), random);
  std::set<std::string> nonces;
  std::set<std::string> prefixes;
  for (int i = 0; i < 100'000; ++i) {
    char sealed[1];
    char nonce[kPageNonceSize];
    char tag[kPageTagSize];
    cipher.seal("", "x", sealed, nonce, tag);
    nonces.emplace(nonce, sizeof nonce);
    prefixes.emplace(nonce, kPageNoncePrefixSize);
  }
  EXPECT_EQ(nonces.size(), 100'000U);
  EXPECT_EQ(prefixes.size(), 1U);
}

class NoRandom final : public Random {
 public:
  void fill(void*, std::size_t) override { throw Failure("random.unavailable", "None left."); }
};

TEST(PageCipher, SealsNothingWithoutRandomness) {
  NoRandom random;
  PageCipher cipher(std::string(32, 'k'), random);
  char sealed[1] = {0};
  char nonce[kPageNonceSize];
  char tag[kPageTagSize];
  EXPECT_THROW(cipher.seal("", "x", sealed, nonce, tag), Failure);
  EXPECT_EQ(sealed[0], 0);
}

// SP 800-38B, examples for AES-256.
TEST(HeaderCipher, AgreesWithTheCmacVectorsOfNist) {
  const std::string key =
      fromHex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
  const std::string message = fromHex(
      "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
      "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");
  HeaderCipher cipher(key, key);
  const auto macOf = [&](std::size_t size) {
    const MacBlock block = cipher.mac(std::string_view(message).substr(0, size));
    return toHex({block.data(), block.size()});
  };
  EXPECT_EQ(macOf(0), "028962f61b7bf89efc6b551f4667d983");
  EXPECT_EQ(macOf(16), "28a7023f452e8f82bd4bf28d8c37c35c");
  EXPECT_EQ(macOf(40), "aaf3d8f1de5640c232f5b169b9c911e6");
  EXPECT_EQ(macOf(64), "e1992190549f6ed5696a2c056c315410");
}

// SP 800-38A, F.5.5: CTR-AES256, first block.
TEST(HeaderCipher, MasksWithAesInCounterMode) {
  const std::string key =
      fromHex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
  const std::string counter = fromHex("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
  std::string text = fromHex("6bc1bee22e409f96e93d7e117393172a");
  HeaderCipher cipher(key, key);
  MacBlock start;
  counter.copy(start.data(), start.size());
  cipher.mask(start, text.data(), text.size());
  EXPECT_EQ(toHex(text), "601ec313775789a5b7a7f504bbf3d228");
}

}  // namespace
}  // namespace waystation::crypto

#include "crypto/aead.h"

#include <gtest/gtest.h>

#include "crypto/failure.h"
#include "crypto/hash.h"

namespace waystation::crypto {
namespace {

struct Vector {
  const char* key;
  const char* nonce;
  const char* associatedData;
  const char* plaintext;
  const char* sealed;
};

// "The Galois/Counter Mode of Operation", McGrew and Viega, appendix B: test cases 13 to 16.
constexpr Vector kVectors[] = {
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {"0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "", "00000000000000000000000000000000",
     "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad"
     "b094dac5d93471bdec1a502270e3cc6c"},
    {"feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
     "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
     "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
     "76fc6ece0f4e1768cddf8853bb2d551b"},
};

std::string flipped(std::string bytes, std::size_t bit) {
  bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
  return bytes;
}

class AeadBits : public testing::Test {
 protected:
  const std::string key_ = fromHex(kVectors[3].key);
  const std::string nonce_ = fromHex(kVectors[3].nonce);
  const std::string associatedData_ = fromHex(kVectors[3].associatedData);
  const std::string sealed_ = fromHex(kVectors[3].sealed);
};

TEST(Aead, SealsAndOpensThePublishedVectors) {
  for (const Vector& each : kVectors) {
    const std::string key = fromHex(each.key);
    const std::string nonce = fromHex(each.nonce);
    const std::string associatedData = fromHex(each.associatedData);
    EXPECT_EQ(toHex(aeadSeal(key, nonce, associatedData, fromHex(each.plaintext))), each.sealed);
    const auto opened = aeadOpen(key, nonce, associatedData, fromHex(each.sealed));
    ASSERT_TRUE(opened.has_value());
    EXPECT_EQ(toHex(*opened), each.plaintext);
  }
}

TEST_F(AeadBits, RefusesEveryFlippedBitOfKeyNonceAssociatedDataCiphertextAndTag) {
  ASSERT_TRUE(aeadOpen(key_, nonce_, associatedData_, sealed_).has_value());
  for (std::size_t bit = 0; bit < sealed_.size() * 8; ++bit) {
    EXPECT_FALSE(aeadOpen(key_, nonce_, associatedData_, flipped(sealed_, bit)).has_value()) << bit;
  }
  for (std::size_t bit = 0; bit < key_.size() * 8; ++bit) {
    EXPECT_FALSE(aeadOpen(flipped(key_, bit), nonce_, associatedData_, sealed_).has_value()) << bit;
  }
  for (std::size_t bit = 0; bit < nonce_.size() * 8; ++bit) {
    EXPECT_FALSE(aeadOpen(key_, flipped(nonce_, bit), associatedData_, sealed_).has_value()) << bit;
  }
  for (std::size_t bit = 0; bit < associatedData_.size() * 8; ++bit) {
    EXPECT_FALSE(aeadOpen(key_, nonce_, flipped(associatedData_, bit), sealed_).has_value()) << bit;
  }
}

TEST_F(AeadBits, RefusesEveryShorterAndALongerText) {
  for (std::size_t size = 0; size < sealed_.size(); ++size) {
    EXPECT_FALSE(aeadOpen(key_, nonce_, associatedData_, sealed_.substr(0, size)).has_value());
  }
  EXPECT_FALSE(aeadOpen(key_, nonce_, associatedData_, sealed_ + '\0').has_value());
}

TEST_F(AeadBits, DoesNotLetBytesMoveBetweenAssociatedDataAndCiphertext) {
  EXPECT_FALSE(aeadOpen(key_, nonce_, associatedData_ + sealed_[0], sealed_.substr(1)).has_value());
}

TEST(Aead, RefusesKeysAndNoncesOfOtherSizes) {
  const std::string key(32, 'k');
  const std::string nonce(12, 'n');
  EXPECT_THROW(aeadSeal(key.substr(1), nonce, "", "text"), Failure);
  EXPECT_THROW(aeadSeal(key, nonce + "n", "", "text"), Failure);
  const std::string sealed = aeadSeal(key, nonce, "", "text");
  EXPECT_FALSE(aeadOpen(key.substr(1), nonce, "", sealed).has_value());
  EXPECT_FALSE(aeadOpen(key, nonce.substr(1), "", sealed).has_value());
}

// RFC 8439, section 2.8.2.
TEST(Aead, SealsAndOpensThePublishedVectorOfChaCha20Poly1305) {
  const std::string key =
      fromHex("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
  const std::string nonce = fromHex("070000004041424344454647");
  const std::string associatedData = fromHex("50515253c0c1c2c3c4c5c6c7");
  const std::string plaintext =
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
      "sunscreen would be it.";
  const std::string sealed =
      aeadSeal(key, nonce, associatedData, plaintext, AeadCipher::kChaCha20Poly1305);
  EXPECT_EQ(toHex(sealed).substr(0, 32), "d31a8d34648e60db7b86afbc53ef7ec2");
  EXPECT_EQ(toHex(sealed.substr(sealed.size() - 16)), "1ae10b594f09e26a7e902ecbd0600691");
  EXPECT_EQ(aeadOpen(key, nonce, associatedData, sealed, AeadCipher::kChaCha20Poly1305), plaintext);
  EXPECT_FALSE(aeadOpen(key, nonce, associatedData, sealed).has_value());
}

TEST(SealWithRandomNonce, OpensAgainAndNeverSealsAlike) {
  SystemRandom random;
  const std::string key = random.bytes(kAeadKeySize);
  const std::string one = sealWithRandomNonce(random, key, "for", "a name");
  const std::string two = sealWithRandomNonce(random, key, "for", "a name");
  EXPECT_EQ(one.size(), kAeadNonceSize + 6 + kAeadTagSize);
  EXPECT_NE(one.substr(0, kAeadNonceSize), two.substr(0, kAeadNonceSize));
  EXPECT_EQ(openWithLeadingNonce(key, "for", one), "a name");
  EXPECT_EQ(openWithLeadingNonce(key, "for", two), "a name");
  EXPECT_FALSE(openWithLeadingNonce(key, "other", one).has_value());
}

TEST(SealWithRandomNonce, SealsAnEmptyTextAndRefusesATextTooShortToBeSealed) {
  SystemRandom random;
  const std::string key = random.bytes(kAeadKeySize);
  const std::string sealed = sealWithRandomNonce(random, key, "", "");
  EXPECT_EQ(openWithLeadingNonce(key, "", sealed), "");
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_FALSE(openWithLeadingNonce(key, "", sealed.substr(0, size)).has_value()) << size;
  }
}

}  // namespace
}  // namespace waystation::crypto

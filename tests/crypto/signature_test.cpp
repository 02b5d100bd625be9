#include "crypto/signature.h"

#include <gtest/gtest.h>

#include "crypto/failure.h"
#include "crypto/hash.h"

namespace waystation::crypto {
namespace {

struct Vector {
  const char* seed;
  const char* publicKey;
  const char* message;
  const char* signature;
};

// RFC 8032, section 7.1, tests 1 to 3.
constexpr Vector kVectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
     "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
     "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
     "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"},
};

TEST(Signature, GivesThePublishedKeysAndSignatures) {
  for (const Vector& each : kVectors) {
    const SigningKey key(Secret::copyOf(fromHex(each.seed)));
    const std::string message = fromHex(each.message);
    EXPECT_EQ(toHex(key.publicKey()), each.publicKey);
    EXPECT_EQ(toHex(key.sign(message)), each.signature);
    EXPECT_TRUE(verifySignature(fromHex(each.publicKey), message, fromHex(each.signature)));
  }
}

TEST(Signature, RefusesEveryFlippedBitOfSignatureAndMessage) {
  const SigningKey key(Secret::copyOf(fromHex(kVectors[2].seed)));
  const std::string message = "case 17 was handed over";
  const std::string signature = key.sign(message);
  for (std::size_t bit = 0; bit < signature.size() * 8; ++bit) {
    std::string other = signature;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(verifySignature(key.publicKey(), message, other)) << bit;
  }
  for (std::size_t bit = 0; bit < message.size() * 8; ++bit) {
    std::string other = message;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << (bit % 8)));
    EXPECT_FALSE(verifySignature(key.publicKey(), other, signature)) << bit;
  }
}

TEST(Signature, RefusesAnotherKeyAndWrongSizes) {
  SystemRandom random;
  const SigningKey key = SigningKey::generate(random);
  const SigningKey other = SigningKey::generate(random);
  const std::string signature = key.sign("text");
  EXPECT_TRUE(verifySignature(key.publicKey(), "text", signature));
  EXPECT_FALSE(verifySignature(other.publicKey(), "text", signature));
  EXPECT_FALSE(verifySignature(key.publicKey(), "text", signature.substr(1)));
  EXPECT_FALSE(verifySignature(key.publicKey(), "text", signature + "x"));
  EXPECT_FALSE(verifySignature(key.publicKey().substr(1), "text", signature));
  EXPECT_FALSE(verifySignature("", "text", ""));
}

TEST(Signature, RefusesASeedOfAnotherSize) {
  EXPECT_THROW(SigningKey{Secret(31)}, Failure);
  EXPECT_THROW(SigningKey{Secret(33)}, Failure);
  EXPECT_THROW(SigningKey{Secret()}, Failure);
}

}  // namespace
}  // namespace waystation::crypto

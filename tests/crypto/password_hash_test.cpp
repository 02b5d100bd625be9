#include "crypto/password_hash.h"

#include <argon2.h>
#include <gtest/gtest.h>

#include "crypto/argon2_derivation.h"
#include "crypto/failure.h"
#include "crypto/hash.h"

namespace waystation::crypto {
namespace {

constexpr Argon2Cost kSmallCost{1, 64, 1};

// RFC 9106, section 5.3.
TEST(Argon2id, GivesThePublishedTag) {
  const std::string password(32, '\x01');
  const std::string salt(16, '\x02');
  const std::string secretKey(8, '\x03');
  const std::string associatedData(12, '\x04');
  EXPECT_EQ(toHex(argon2idOf({password, salt, secretKey, associatedData}, {3, 32, 4}, 32).view()),
            "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659");
}

TEST(Argon2id, EqualsTheReferenceLibrarysPlainCall) {
  std::string expected(32, '\0');
  const std::string salt = "0123456789abcdef";
  ASSERT_EQ(argon2id_hash_raw(2, 64, 1, "secret", 6, salt.data(), salt.size(), expected.data(),
                              expected.size()),
            ARGON2_OK);
  EXPECT_EQ(argon2id("secret", salt, {2, 64, 1}, 32).view(), expected);
}

TEST(Argon2id, RefusesShortSaltsAndCostsBeyondTheLimits) {
  const std::string salt(16, 's');
  EXPECT_THROW(argon2id("p", salt.substr(1), kSmallCost, 32), Failure);
  EXPECT_THROW(argon2id("p", salt, {0, 64, 1}, 32), Failure);
  EXPECT_THROW(argon2id("p", salt, {1, 7, 1}, 32), Failure);
  EXPECT_THROW(argon2id("p", salt, {1, 64, 0}, 32), Failure);
  EXPECT_THROW(argon2id("p", salt, {1, 1024 * 1024 + 1, 1}, 32), Failure);
  EXPECT_THROW(argon2id("p", salt, {65, 64, 1}, 32), Failure);
  EXPECT_THROW(argon2id("p", salt, {8, 1024 * 1024, 1}, 32), Failure);
}

TEST(PasswordHash, HasTheShapeThatTheReferenceLibraryReads) {
  SystemRandom random;
  const std::string encoded = hashPassword(random, "correct horse", kSmallCost);
  EXPECT_EQ(encoded.rfind("$argon2id$v=19$m=64,t=1,p=1$", 0), 0U);
  EXPECT_EQ(encoded.size(), 28U + 22 + 1 + 43);
  EXPECT_EQ(argon2id_verify(encoded.c_str(), "correct horse", 13), ARGON2_OK);
  EXPECT_EQ(argon2id_verify(encoded.c_str(), "correct house", 13), ARGON2_VERIFY_MISMATCH);
}

TEST(PasswordHash, IsReadWhenTheReferenceLibraryWroteIt) {
  char encoded[256] = {};
  ASSERT_EQ(argon2id_hash_encoded(2, 128, 2, "pass", 4, "saltsaltsaltsal+", 16, 32, encoded,
                                  sizeof encoded),
            ARGON2_OK);
  EXPECT_TRUE(verifyPassword(encoded, "pass"));
  EXPECT_FALSE(verifyPassword(encoded, "Pass"));
}

TEST(PasswordHash, DefaultsToTheCostOfTheProduct) {
  SystemRandom random;
  const std::string encoded = hashPassword(random, "p");
  EXPECT_EQ(encoded.rfind("$argon2id$v=19$m=65536,t=3,p=1$", 0), 0U);
  EXPECT_TRUE(verifyPassword(encoded, "p"));
}

TEST(PasswordHash, DiffersEachTimeForOnePassword) {
  SystemRandom random;
  EXPECT_NE(hashPassword(random, "p", kSmallCost), hashPassword(random, "p", kSmallCost));
}

TEST(PasswordHash, KnowsOnlyItsOwnPassword) {
  SystemRandom random;
  const std::string encoded = hashPassword(random, std::string("with\0zero", 9), kSmallCost);
  EXPECT_TRUE(verifyPassword(encoded, std::string("with\0zero", 9)));
  EXPECT_FALSE(verifyPassword(encoded, "with"));
  EXPECT_FALSE(verifyPassword(encoded, ""));
}

TEST(PasswordHash, IsRefusedAfterAnyChangeOfACharacter) {
  SystemRandom random;
  const std::string encoded = hashPassword(random, "p", kSmallCost);
  ASSERT_TRUE(verifyPassword(encoded, "p"));
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    std::string other = encoded;
    other[i] = static_cast<char>(other[i] ^ 1);
    EXPECT_FALSE(verifyPassword(other, "p")) << other;
    EXPECT_FALSE(verifyPassword(encoded.substr(0, i), "p")) << i;
  }
  EXPECT_FALSE(verifyPassword(encoded + "A", "p"));
  EXPECT_FALSE(verifyPassword(encoded + "$", "p"));
}

TEST(PasswordHash, IsRefusedWhenItAsksForMoreThanTheLimits) {
  const std::string tail = "$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
  for (const std::string cost :
       {"m=1073741824,t=1,p=1", "m=4294967295,t=1,p=1", "m=4294967304,t=1,p=1",
        "m=64,t=4294967295,p=1", "m=64,t=65,p=1", "m=1024,t=1,p=100", "m=64,t=0,p=1",
        "m=064,t=1,p=1", "m=-64,t=1,p=1", "m=,t=1,p=1", "m=64,t=1"}) {
    EXPECT_FALSE(verifyPassword("$argon2id$v=19$" + cost + tail, "p")) << cost;
  }
}

}  // namespace
}  // namespace waystation::crypto

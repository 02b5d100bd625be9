#include "crypto/totp.h"

#include <gtest/gtest.h>

namespace waystation::crypto {
namespace {

// RFC 6238, appendix B, for SHA-1.
TEST(Totp, MakesTheCodesOfTheStandard) {
  const std::string secret = "12345678901234567890";
  EXPECT_EQ(totpCode(secret, 59 / 30, 8), "94287082");
  EXPECT_EQ(totpCode(secret, 1111111109 / 30, 8), "07081804");
  EXPECT_EQ(totpCode(secret, 1111111111 / 30, 8), "14050471");
  EXPECT_EQ(totpCode(secret, 1234567890 / 30, 8), "89005924");
  EXPECT_EQ(totpCode(secret, 2000000000 / 30, 8), "69279037");
  EXPECT_EQ(totpCode(secret, 20000000000 / 30, 8), "65353130");
}

// RFC 4226, appendix D.
TEST(Totp, MakesCodesOfSixDigits) {
  EXPECT_EQ(totpCode("12345678901234567890", 0), "755224");
  EXPECT_EQ(totpCode("12345678901234567890", 9), "520489");
}

// RFC 4648, section 10, without the padding.
TEST(Totp, WritesSecretsInBase32) {
  EXPECT_EQ(toBase32(""), "");
  EXPECT_EQ(toBase32("f"), "MY");
  EXPECT_EQ(toBase32("fo"), "MZXQ");
  EXPECT_EQ(toBase32("foo"), "MZXW6");
  EXPECT_EQ(toBase32("foob"), "MZXW6YQ");
  EXPECT_EQ(toBase32("fooba"), "MZXW6YTB");
  EXPECT_EQ(toBase32("foobar"), "MZXW6YTBOI");
}

}  // namespace
}  // namespace waystation::crypto

#include "crypto/kdf.h"

#include <gtest/gtest.h>

#include "crypto/failure.h"
#include "crypto/hash.h"

namespace waystation::crypto {
namespace {

std::string rising(int from, int to) {
  std::string result;
  for (int i = from; i <= to; ++i) {
    result.push_back(static_cast<char>(i));
  }
  return result;
}

// RFC 5869, appendix A, the three for SHA-256.
TEST(Hkdf, DerivesThePublishedKeys) {
  EXPECT_EQ(
      toHex(hkdfSha256(std::string(22, '\x0b'), rising(0x00, 0x0c), rising(0xf0, 0xf9), 42).view()),
      "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  EXPECT_EQ(
      toHex(hkdfSha256(rising(0x00, 0x4f), rising(0x60, 0xaf), rising(0xb0, 0xff), 82).view()),
      "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41"
      "c65e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
  EXPECT_EQ(toHex(hkdfSha256(std::string(22, '\x0b'), "", "", 42).view()),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST(Hkdf, GivesOtherKeysForOtherPurposes) {
  const std::string key(32, 'k');
  EXPECT_NE(hkdfSha256(key, "s", "purpose one", 32).view(),
            hkdfSha256(key, "s", "purpose two", 32).view());
}

TEST(Hkdf, RefusesAnEmptyKeyAndImpossibleSizes) {
  EXPECT_THROW(hkdfSha256("", "salt", "info", 32), Failure);
  EXPECT_THROW(hkdfSha256("key", "salt", "info", 0), Failure);
  EXPECT_THROW(hkdfSha256("key", "salt", "info", 255 * 32 + 1), Failure);
  EXPECT_EQ(hkdfSha256("key", "salt", "info", 255 * 32).size(), 255U * 32);
}

}  // namespace
}  // namespace waystation::crypto

#include "crypto/hash.h"

#include <gtest/gtest.h>

#include "crypto/failure.h"

namespace waystation::crypto {
namespace {

std::string sha256Hex(std::string_view data) {
  return toHex(view(sha256(data)));
}

std::string hmacHex(std::string_view key, std::string_view data) {
  return toHex(view(hmacSha256(key, data)));
}

std::string codeOfHex(std::string_view text) {
  try {
    fromHex(text);
  } catch (const Failure& failure) {
    return failure.code();
  }
  return "none";
}

std::string codeOfBase64(std::string_view text) {
  try {
    fromBase64Url(text);
  } catch (const Failure& failure) {
    return failure.code();
  }
  return "none";
}

// FIPS 180-4's own examples.
TEST(Sha256, GivesThePublishedDigests) {
  EXPECT_EQ(sha256Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256Hex(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, InPartsEqualsTheWholeAndStartsAfreshAfterwards) {
  Sha256 hash;
  hash.update("a").update("").update("bc");
  EXPECT_EQ(hash.finish(), sha256("abc"));
  EXPECT_EQ(hash.finish(), sha256(""));
  EXPECT_EQ(hash.update("abc").finish(), sha256("abc"));
}

// RFC 4231, section 4.
TEST(HmacSha256, GivesThePublishedCodes) {
  EXPECT_EQ(hmacHex(std::string(20, '\x0b'), "Hi There"),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hmacHex("Jefe", "what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hmacHex(std::string(20, '\xaa'), std::string(50, '\xdd')),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  EXPECT_EQ(hmacHex(fromHex("0102030405060708090a0b0c0d0e0f10111213141516171819"),
                    std::string(50, '\xcd')),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
  EXPECT_EQ(
      hmacHex(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First"),
      "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(HmacSha256, TakesAnEmptyKeyAndEmptyData) {
  EXPECT_EQ(hmacHex({}, {}), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(Hex, GoesThereAndBack) {
  std::string all;
  for (int i = 0; i < 256; ++i) {
    all.push_back(static_cast<char>(i));
  }
  EXPECT_EQ(fromHex(toHex(all)), all);
  EXPECT_EQ(toHex(std::string_view("\x00\x9f", 2)), "009f");
  EXPECT_EQ(fromHex("AbCd"), fromHex("abcd"));
  EXPECT_EQ(fromHex(""), "");
}

TEST(Hex, RefusesWhatIsNotHexadecimal) {
  for (const std::string_view text : {"a", "0g", "0x", " 0", "0\n"}) {
    EXPECT_EQ(codeOfHex(text), "hex.malformed") << text;
  }
}

// RFC 4648, section 10, without padding.
TEST(Base64Url, GivesThePublishedTexts) {
  EXPECT_EQ(toBase64Url(""), "");
  EXPECT_EQ(toBase64Url("f"), "Zg");
  EXPECT_EQ(toBase64Url("fo"), "Zm8");
  EXPECT_EQ(toBase64Url("foo"), "Zm9v");
  EXPECT_EQ(toBase64Url("foob"), "Zm9vYg");
  EXPECT_EQ(toBase64Url("fooba"), "Zm9vYmE");
  EXPECT_EQ(toBase64Url("foobar"), "Zm9vYmFy");
  EXPECT_EQ(toBase64Url("\xfb\xff"), "-_8");
}

TEST(Base64Url, GoesThereAndBackAtEveryLength) {
  std::string bytes;
  for (int i = 0; i < 300; ++i) {
    EXPECT_EQ(fromBase64Url(toBase64Url(bytes)), bytes);
    bytes.push_back(static_cast<char>(i * 37));
  }
}

TEST(Base64Url, RefusesPaddingForeignCharactersAndStrayBits) {
  for (const std::string_view text :
       {"Zg==", "Z", "Zm9vY", "Zh", "Zm9", "+_8", "-/8", "Z g", "Zg\n"}) {
    EXPECT_EQ(codeOfBase64(text), "base64.malformed") << text;
  }
}

TEST(EqualConstantTime, ComparesLengthAndEveryByte) {
  EXPECT_TRUE(equalConstantTime("", ""));
  EXPECT_TRUE(equalConstantTime("same", "same"));
  EXPECT_FALSE(equalConstantTime("same", "sama"));
  EXPECT_FALSE(equalConstantTime("same", "Same"));
  EXPECT_FALSE(equalConstantTime("same", "sam"));
  EXPECT_FALSE(equalConstantTime("", "s"));
}

}  // namespace
}  // namespace waystation::crypto

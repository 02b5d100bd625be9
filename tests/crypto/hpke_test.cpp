#include "crypto/hpke.h"

#include <gtest/gtest.h>

#include <cstring>

#include "crypto/failure.h"
#include "crypto/hash.h"

namespace waystation::crypto {
namespace {

// RFC 9180, appendix A.2.1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305, base mode.
constexpr const char* kInfo = "4f6465206f6e2061204772656369616e2055726e";
constexpr const char* kEphemeralPrivate =
    "f4ec9b33b792c372c1d2c2063507b684ef925b8c75a42dbcbf57d63ccd381600";
constexpr const char* kEncapsulated =
    "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a";
constexpr const char* kRecipientPrivate =
    "8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb";
constexpr const char* kRecipientPublic =
    "4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a";
constexpr const char* kPlaintext = "4265617574792069732074727574682c20747275746820626561757479";

struct Message {
  int sequence;
  const char* sealed;
};

constexpr Message kMessages[] = {
    {0,
     "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28"},
    {1,
     "6b53c051e4199c518de79594e1c4ab18b96f081549d45ce015be002090bb119e85285337cc95ba5f59992dc98c"},
    {2,
     "71146bd6795ccc9c49ce25dda112a48f202ad220559502cef1f34271e0cb4b02b4f10ecac6f48c32f878fae86b"},
    {4,
     "63357a2aa291f5a4e5f27db6baa2af8cf77427c7c1a909e0b37214dd47db122bb153495ff0b02e9e54a50dbe16"},
    {255,
     "18ab939d63ddec9f6ac2b60d61d36a7375d2070c9b683861110757062c52b8880a5f6b3936da9cd6c23ef2a95c"},
    {256,
     "7a4a13e9ef23978e2c520fd4d2e757514ae160cd0cd05e556ef692370ca53076214c0c40d4c728d6ed9e727a5b"},
};

// Gives the sender the ephemeral key of the vector.
class Fixed final : public Random {
 public:
  explicit Fixed(std::string bytes) : bytes_(std::move(bytes)) {}
  void fill(void* out, std::size_t size) override {
    ASSERT_EQ(size, bytes_.size());
    std::memcpy(out, bytes_.data(), size);
  }

 private:
  std::string bytes_;
};

RecipientKey recipientOfTheRfc() {
  return RecipientKey(Secret::copyOf(fromHex(kRecipientPrivate)));
}

// "Count-0", "Count-1", ...: the associated data of the RFC's messages.
std::string counted(int number) {
  return "Count-" + std::to_string(number);
}

TEST(Hpke, SealsByteForByteAsTheRfc) {
  Fixed random(fromHex(kEphemeralPrivate));
  HpkeContext sender = HpkeContext::sender(random, fromHex(kRecipientPublic), fromHex(kInfo));
  EXPECT_EQ(toHex(sender.encapsulated()), kEncapsulated);
  const Message* next = kMessages;
  for (int i = 0; i <= 256; ++i) {
    const std::string sealed = sender.seal(counted(i), fromHex(kPlaintext));
    if (i != next->sequence) continue;
    EXPECT_EQ(toHex(sealed), next->sealed) << i;
    ++next;
  }
  EXPECT_EQ(next, std::end(kMessages));
}

TEST(Hpke, OpensTheMessagesOfTheRfc) {
  const RecipientKey key = recipientOfTheRfc();
  EXPECT_EQ(toHex(key.publicKey()), kRecipientPublic);
  Fixed random(fromHex(kEphemeralPrivate));
  HpkeContext sender = HpkeContext::sender(random, fromHex(kRecipientPublic), fromHex(kInfo));
  auto recipient = HpkeContext::recipient(key, fromHex(kEncapsulated), fromHex(kInfo));
  ASSERT_TRUE(recipient.has_value());
  const Message* next = kMessages;
  for (int i = 0; i <= 256; ++i) {
    std::string sealed = sender.seal(counted(i), fromHex(kPlaintext));
    if (i == next->sequence) sealed = fromHex((next++)->sealed);
    const auto opened = recipient->open(counted(i), sealed);
    ASSERT_TRUE(opened.has_value()) << i;
    EXPECT_EQ(toHex(*opened), kPlaintext);
  }
}

TEST(Hpke, OpensOnlyForTheRecipientThePurposeAndTheAssociatedData) {
  SystemRandom random;
  const RecipientKey key = RecipientKey::generate(random);
  const std::string sealed = hpkeSeal(random, key.publicKey(), "purpose", "bound", "a master key");
  EXPECT_EQ(sealed.size(), kHpkeEncapsulatedSize + 12 + kHpkeTagSize);
  EXPECT_EQ(hpkeOpen(key, "purpose", "bound", sealed), "a master key");
  EXPECT_FALSE(hpkeOpen(RecipientKey::generate(random), "purpose", "bound", sealed).has_value());
  EXPECT_FALSE(hpkeOpen(key, "another", "bound", sealed).has_value());
  EXPECT_FALSE(hpkeOpen(key, "purpose", "loose", sealed).has_value());
}

TEST(Hpke, RefusesEveryFlippedBitAndEveryShorterText) {
  SystemRandom random;
  const RecipientKey key = RecipientKey::generate(random);
  const std::string sealed = hpkeSeal(random, key.publicKey(), "", "", "text");
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    std::string changed = sealed;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    // X25519 leaves the highest bit of a public key out; the key schedule does not.
    EXPECT_FALSE(hpkeOpen(key, "", "", changed).has_value()) << bit;
  }
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_FALSE(hpkeOpen(key, "", "", sealed.substr(0, size)).has_value()) << size;
  }
}

TEST(Hpke, RefusesPublicKeysThatLeadToASecretOfZeros) {
  SystemRandom random;
  const RecipientKey key = RecipientKey::generate(random);
  // RFC 7748, section 6.1; the points of small order 0, 1 and p - 1.
  const std::string zero(32, '\0');
  std::string one = zero;
  one[0] = 1;
  const std::string last = "\xec" + std::string(30, '\xff') + "\x7f";
  for (const std::string& point : {zero, one, last}) {
    EXPECT_THROW(hpkeSeal(random, point, "", "", "text"), Failure);
    EXPECT_FALSE(HpkeContext::recipient(key, point, "").has_value());
  }
  EXPECT_THROW(hpkeSeal(random, std::string(31, 'k'), "", "", "text"), Failure);
  EXPECT_THROW(RecipientKey(Secret(31)), Failure);
}

TEST(Hpke, KeepsTheOrderOfTheMessages) {
  SystemRandom random;
  const RecipientKey key = RecipientKey::generate(random);
  HpkeContext sender = HpkeContext::sender(random, key.publicKey(), "");
  const std::string first = sender.seal("", "first");
  const std::string second = sender.seal("", "second");
  auto recipient = HpkeContext::recipient(key, sender.encapsulated(), "");
  ASSERT_TRUE(recipient.has_value());
  EXPECT_FALSE(recipient->open("", second).has_value()) << "out of order";
  EXPECT_EQ(recipient->open("", first), "first");
  EXPECT_FALSE(recipient->open("", first).has_value()) << "repeated";
  EXPECT_EQ(recipient->open("", second), "second");
}

}  // namespace
}  // namespace waystation::crypto

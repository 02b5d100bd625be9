#include "storage/page_format.h"

#include <gtest/gtest.h>

#include "crypto/hash.h"
#include "tests/support/storage/store_on_disk.h"

namespace waystation::storage {
namespace {

// The example of docs/spec/store-format.md, section 8.
TEST(PageFormat, DerivesTheExampleOfTheSpecification) {
  const StoreKeys keys(keyOf('*'));
  EXPECT_EQ(crypto::toHex(keys.id), "5a7054dcf0fa748f7652c6d2c02044ea");
  EXPECT_EQ(crypto::toHex(keys.check), "22b47c770d96bf504a6e0aa223acabd6");
}

// Gives 00 01 02 ...
class CountingRandom final : public crypto::Random {
 public:
  void fill(void* out, std::size_t size) override {
    for (std::size_t i = 0; i < size; ++i) static_cast<char*>(out)[i] = next_++;
  }

 private:
  char next_ = 0;
};

TEST(PageFormat, SealsTheExampleOfTheSpecification) {
  const KeyEpochs keys(keyOf('*'));
  CountingRandom random;
  PageFormat format(keys, random);
  std::string plain = "the second page";
  plain.resize(kPageSize, '\0');
  std::string sealed(kPageSize, '\0');
  format.sealPage(PageDomain::kStore, 2, plain.data(), sealed.data());
  EXPECT_EQ(crypto::toHex(sealed.substr(0, 16)), "a929bea59b2bfd346ae41844736fa567");
  EXPECT_EQ(crypto::toHex(sealed.substr(4032, 24)),
            "000102030405060708090a0b0c0d0e0f1011121314151617");
  EXPECT_EQ(crypto::toHex(sealed.substr(4056, 16)), "4fa8e9b80356d34812a52fa9f60b3d7f");
  EXPECT_EQ(crypto::toHex(sealed.substr(4072)), "00000001" + std::string(40, '0'));

  // The first frame of a log: page 2, the last of a transaction that leaves 2 pages.
  const std::string header = crypto::fromHex("0000000200000002a1a2a3a4b1b2b3b4c1c2c3c4d1d2d3d4");
  std::string frame(kFrameSize, '\0');
  format.sealFrameHeader(32, header.data(), frame.data());
  EXPECT_EQ(crypto::toHex(frame.substr(0, kFrameHeaderSize)),
            "2a2f327ec2067bf12eb4cb1ef33c0fa56a4abcc0cfcc3327");
  EXPECT_EQ(crypto::toHex(frame.substr(kFrameSize - 16)), "959a25b5bce050b298a5f2d4431ab187");
}

TEST(PageFormat, RefusesAKeyOfAnotherSize) {
  EXPECT_EQ(codeOf([] { KeyEpochs(crypto::Secret::copyOf("short")); }), "key.malformed");
}

TEST(PageFormat, APageOfTheJournalIsNoPageOfTheStore) {
  const KeyEpochs keys(keyOf('k'));
  crypto::SystemRandom random;
  PageFormat format(keys, random);
  std::string plain(kPageBodySize, 'p');
  plain.resize(kPageSize, '\0');
  std::string sealed(kPageSize, 'x');
  std::string opened(kPageSize, 'x');
  format.sealPage(PageDomain::kJournal, 5, plain.data(), sealed.data());
  EXPECT_FALSE(format.openPage(PageDomain::kStore, 5, sealed.data(), opened.data()));
  EXPECT_EQ(opened, std::string(kPageSize, '\0'));
  EXPECT_TRUE(format.openPage(PageDomain::kJournal, 5, sealed.data(), opened.data()));
  EXPECT_EQ(opened, plain) << "the reserved tail reads as zeros";
}

TEST(PageFormat, AFrameHeaderOpensOnlyAtItsPlace) {
  const KeyEpochs keys(keyOf('k'));
  crypto::SystemRandom random;
  PageFormat format(keys, random);
  const std::string header(kFrameHeaderSize, 'h');
  std::string frame(kFrameSize, '\0');
  std::string opened(kFrameHeaderSize, '\0');
  format.sealFrameHeader(32, header.data(), frame.data());
  EXPECT_TRUE(format.openFrameHeader(32, frame.data(), opened.data()));
  EXPECT_EQ(opened, header);
  EXPECT_FALSE(format.openFrameHeader(32 + 4120, frame.data(), opened.data()));
}

}  // namespace
}  // namespace waystation::storage

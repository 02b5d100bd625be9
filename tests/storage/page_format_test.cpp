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

#include "sync/bundle_format.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <numeric>

#include "crypto/hash.h"
#include "sync/bundle_reader.h"
#include "sync/bundle_writer.h"
#include "tests/support/bundle_pair.h"

namespace waystation::sync {
namespace {

// 00 01 02 ..., so that every byte of the example can be told.
class CountingRandom final : public crypto::Random {
 public:
  void fill(void* out, std::size_t size) override {
    auto* bytes = static_cast<unsigned char*>(out);
    std::iota(bytes, bytes + size, next_);
    next_ = static_cast<unsigned char>(next_ + size);
  }

 private:
  unsigned char next_ = 0;
};

crypto::RecipientKey headquarters() {
  return crypto::RecipientKey(crypto::Secret::copyOf(std::string(32, 'h')));
}
crypto::SigningKey office() {
  return crypto::SigningKey(crypto::Secret::copyOf(std::string(32, 'o')));
}

std::string example() {
  CountingRandom random;
  std::string bytes;
  BundleWriter writer(random, {{"HQ", headquarters().publicKey()}}, testing::sinkInto(bytes));
  writer.add("\x08one part");
  BundleManifest manifest;
  manifest.sender = "NAIROBI";
  manifest.series = std::string(16, 's');
  manifest.madeMs = 1'700'000'000'000;
  manifest.expiresMs = 1'700'000'600'000;
  manifest.chainFrom = {0x1111111111111111, 3, "prefix-3"};
  manifest.chainTo = {0x1111111111111111, 5, "prefix-5"};
  manifest.feedFrom = manifest.feedTo = {0x2222222222222222, 40, ""};
  writer.finish(manifest, office());
  return bytes;
}

std::map<std::string, std::string> exampleParts() {
  const std::string bytes = example();
  const std::size_t header = kBundleHeadBytes + kBundleStanzaBytes + kBundleChecksumBytes;
  const BundleReader reader(testing::sourceOf(bytes), headquarters());
  const std::size_t last = header + 8 * kSealedChunkBytes;
  return {{"header", bytes.substr(0, header)},
          {"manifest", encodeManifest(reader.manifest())},
          {"chunk-0-begin", bytes.substr(header, 32)},
          {"chunk-8-end", bytes.substr(last + kSealedChunkBytes - 32)},
          {"file-sha256", std::string(crypto::view(crypto::sha256(bytes)))}};
}

std::map<std::string, std::string> vectors() {
  std::ifstream file(WAYSTATION_SOURCE_DIR "/tests/vectors/bundle.txt");
  std::map<std::string, std::string> found;
  std::string name;
  std::string hex;
  while (file >> name >> hex) found[name] = crypto::fromHex(hex);
  return found;
}

TEST(BundleFormat, IsAsTheVectorsSay) {
  const std::map<std::string, std::string> known = vectors();
  for (const auto& [name, bytes] : exampleParts()) {
    const auto at = known.find(name);
    EXPECT_TRUE(at != known.end() && at->second == bytes) << name << " " << crypto::toHex(bytes);
  }
  EXPECT_EQ(known.size(), exampleParts().size());
}

TEST(BundleFormat, HandsOutWhatWasWritten) {
  for (const std::size_t size : {0UL, 1UL, 65535UL, 65536UL, 65537UL, 700'001UL}) {
    std::string content(size, '\0');
    std::iota(content.begin(), content.end(), '\1');
    CountingRandom random;
    std::string bytes;
    BundleWriter writer(random, {{"HQ", headquarters().publicKey()}}, testing::sinkInto(bytes));
    for (std::size_t at = 0; at < size; at += 7000) writer.add(content.substr(at, 7000));
    BundleManifest manifest;
    manifest.sender = "NBO";
    manifest.expiresMs = 10;
    writer.finish(manifest, office());
    EXPECT_EQ(writer.fileBytes(), bytes.size());
    BundleReader reader(testing::sourceOf(bytes), headquarters());
    reader.verify(office().publicKey(), "HQ", 10);
    std::string read;
    reader.content([&](std::string_view piece) { read += piece; });
    EXPECT_EQ(read, content) << size;
  }
}

TEST(BundleFormat, TellsTheSizeToAnEighth) {
  const std::uint64_t chunk = kBundleChunkBytes;
  EXPECT_EQ(chunksFor(0), 8U);
  EXPECT_EQ(chunksFor(8 * chunk), 8U);
  EXPECT_EQ(chunksFor(8 * chunk + 1), 9U);
  EXPECT_EQ(chunksFor(15 * chunk), 15U);
  EXPECT_EQ(chunksFor(15 * chunk + 1), 16U);
  EXPECT_EQ(chunksFor(16 * chunk + 1), 18U);
  EXPECT_EQ(chunksFor(1000 * chunk), 1024U);
  for (std::uint64_t size = 8; size < 5000; ++size) {
    const std::uint64_t given = chunksFor(size * chunk);
    EXPECT_GE(given, size);
    EXPECT_LE(given * 8, size * 9);
  }
}

TEST(BundleFormat, SaysNothingInTheClearOfWhoAndWhat) {
  const std::string bytes = example();
  for (const char* told : {"NAIROBI", "one part", "prefix"}) {
    EXPECT_EQ(bytes.find(told, 16), std::string::npos) << told;
  }
}

}  // namespace
}  // namespace waystation::sync

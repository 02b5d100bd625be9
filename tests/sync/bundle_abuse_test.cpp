// Every way in which a bundle can be wrong: one plain sentence with a stable code, and no harm.

#include <gtest/gtest.h>

#include <map>

#include "crypto/aead.h"
#include "crypto/failure.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "sync/bundle.h"
#include "sync/bundle_writer.h"
#include "sync/byte_stream.h"
#include "tests/support/bundle_pair.h"

namespace waystation::sync {
namespace {

using testing::atHub;
using testing::enrol;
using testing::exchangeAll;
using testing::readUp;
using testing::sinkInto;
using testing::sourceOf;
using testing::Stick;
using testing::TestNode;
using testing::writeDown;
using testing::writeUp;

constexpr auto kCipher = crypto::AeadCipher::kChaCha20Poly1305;

// What somebody can make of a bundle who has the content key, as every recipient does.
struct Forgery {
  std::string header;
  std::string contentKey;
  std::string streamKey;
  std::vector<std::string> plain;

  Forgery(const std::string& bytes, const crypto::RecipientKey& key) {
    const auto stanzas = static_cast<unsigned char>(bytes[kBundleHeadBytes - 1]);
    const std::string id = bytes.substr(18, kBundleIdSize);
    for (std::size_t i = 0; i < stanzas && contentKey.empty(); ++i) {
      const std::string stanza =
          bytes.substr(kBundleHeadBytes + i * kBundleStanzaBytes, kBundleStanzaBytes);
      contentKey = crypto::hpkeOpen(key, kBundleKeyInfo, id, stanza.substr(8)).value_or("");
    }
    header = bytes.substr(0, kBundleHeadBytes + stanzas * kBundleStanzaBytes + 32);
    setStreamKey();
    const std::size_t chunks = (bytes.size() - header.size()) / kSealedChunkBytes;
    for (std::size_t i = 0; i < chunks; ++i) {
      plain.push_back(*crypto::aeadOpen(
          streamKey, bundleChunkNonce(i, i != 0 && i + 1 == chunks), {},
          bytes.substr(header.size() + i * kSealedChunkBytes, kSealedChunkBytes), kCipher));
    }
  }

  void setStreamKey() {
    streamKey = bundleStreamKey(contentKey, header.substr(header.size() - 32)).view();
  }
  // A header altered on purpose bears a checksum that fits.
  void fixChecksum() {
    header.resize(header.size() - 32);
    header += crypto::view(crypto::sha256(header));
    setStreamKey();
  }
  std::string sealed(std::size_t chunk) const {
    const bool isLast = chunk != 0 && chunk + 1 == plain.size();
    return crypto::aeadSeal(streamKey, bundleChunkNonce(chunk, isLast), {}, plain[chunk], kCipher);
  }
  BundleManifest manifest() const {
    ByteReader reader(plain[0]);
    return decodeManifest(reader.string());
  }
  // As only the sender can.
  void sign(BundleManifest manifest, const crypto::SigningKey& key) {
    std::string hashes;
    for (std::size_t i = 1; i < plain.size(); ++i) {
      hashes += crypto::view(crypto::sha256(sealed(i)));
    }
    manifest.contentHash = crypto::view(crypto::sha256(hashes));
    manifest.headerHash = header.substr(header.size() - 32);
    const std::string encoded = encodeManifest(manifest);
    ByteWriter first;
    first.string(encoded);
    first.raw(key.sign(manifestToSign(encoded)));
    plain[0] = first.take();
    plain[0].resize(kBundleChunkBytes, '\0');
  }
  std::string bytes() const {
    std::string all = header;
    for (std::size_t i = 0; i < plain.size(); ++i) all += sealed(i);
    return all;
  }
};

class BundleAbuse : public ::testing::Test {
 protected:
  BundleAbuse() {
    enrol(hq_, office_);
    enrol(hq_, other_);
    office_.create("person", {{"name", "\"Hawa\""}});
    bundle_ = writeUp(office_, hq_).bytes;
  }
  std::string codeOf(const std::string& bytes) { return codeAt(atHub(hq_), bytes); }
  static std::string codeAt(const BundleNode& node, const std::string& bytes) {
    try {
      readBundle(node, sourceOf(bytes));
    } catch (const Failure& failure) {
      EXPECT_GT(std::string(failure.what()).size(), 40U);
      EXPECT_EQ(std::string(failure.what()).back(), '.');
      return failure.code();
    }
    return "taken";
  }
  std::size_t headerBytes() const { return kBundleHeadBytes + kBundleStanzaBytes + 32; }
  void TearDown() override {
    if (HasFailure()) return;
    EXPECT_EQ(hq_.digest(), StateSum{}) << "something of what was refused came in";
    EXPECT_TRUE(hq_.quarantine().empty());
    // And the true one is still taken.
    EXPECT_EQ(codeOf(bundle_), "taken");
    EXPECT_NE(hq_.digest(), StateSum{});
  }

  TestNode hq_{"HQ", false, 1};
  TestNode office_{"NBO", true, 2};
  TestNode other_{"MBA", true, 3};
  std::string bundle_;
};

TEST_F(BundleAbuse, TruncatedAnywhereIsRefused) {
  EXPECT_EQ(codeOf(""), "bundle.not-a-bundle");
  EXPECT_EQ(codeOf(bundle_.substr(0, 15)), "bundle.not-a-bundle");
  for (std::size_t size = 16; size < headerBytes() + 40; ++size) {
    ASSERT_EQ(codeOf(bundle_.substr(0, size)), "bundle.truncated") << size;
  }
  for (std::size_t chunk = 0; chunk < 9; ++chunk) {
    for (const std::size_t more : {std::size_t{0}, std::size_t{1}, kSealedChunkBytes - 1}) {
      const std::size_t size = headerBytes() + chunk * kSealedChunkBytes + more;
      ASSERT_EQ(codeOf(bundle_.substr(0, size)), "bundle.truncated") << size;
    }
  }
  EXPECT_EQ(codeOf(bundle_ + "x"), "bundle.damaged");
  EXPECT_EQ(codeOf(bundle_ + bundle_.substr(bundle_.size() - kSealedChunkBytes)), "bundle.damaged");
}

TEST_F(BundleAbuse, FlippedAtAnyByteIsRefused) {
  // Each byte of the header and of what the first chunk says, then one in 499.
  std::string bytes = bundle_;
  std::size_t tried = 0;
  for (std::size_t at = 0; at < bytes.size(); at += at < headerBytes() + 700 ? 1 : 499) {
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (at % 8)));
    const std::string code = codeOf(bytes);
    const std::string expected = at < 16   ? "bundle.not-a-bundle"
                                 : at < 18 ? "bundle.version"
                                           : "bundle.damaged";
    const bool isCount = at == kBundleHeadBytes - 1;  // more recipients than there are bytes for
    ASSERT_TRUE(code == expected || (isCount && code != "taken")) << at << " " << code;
    bytes[at] = bundle_[at];
    ++tried;
  }
  EXPECT_GT(tried, 2000U);
}

TEST_F(BundleAbuse, ChunksDroppedSwappedRepeatedOrLastTooEarlyAreRefused) {
  const auto chunk = [&](std::size_t i) {
    return bundle_.substr(headerBytes() + i * kSealedChunkBytes, kSealedChunkBytes);
  };
  const auto with = [&](const std::vector<std::size_t>& order) {
    std::string bytes = bundle_.substr(0, headerBytes());
    for (const std::size_t i : order) bytes += chunk(i);
    return bytes;
  };
  EXPECT_EQ(codeOf(with({0, 1, 2, 3, 4, 5, 6, 7})), "bundle.truncated");
  EXPECT_EQ(codeOf(with({0, 2, 1, 3, 4, 5, 6, 7, 8})), "bundle.damaged");
  EXPECT_EQ(codeOf(with({0, 1, 1, 3, 4, 5, 6, 7, 8})), "bundle.damaged");
  EXPECT_EQ(codeOf(with({0, 1, 2, 3, 4, 5, 6, 8, 8})), "bundle.damaged");
  EXPECT_EQ(codeOf(with({1, 0, 2, 3, 4, 5, 6, 7, 8})), "bundle.damaged");
  // The flag of the last chunk cleared by somebody who has the key.
  Forgery forged(bundle_, hq_.sealingKey());
  std::string bytes = forged.bytes();
  const std::string unflagged =
      crypto::aeadSeal(forged.streamKey, bundleChunkNonce(8, false), {}, forged.plain[8], kCipher);
  bytes.replace(bytes.size() - kSealedChunkBytes, kSealedChunkBytes, unflagged);
  EXPECT_EQ(codeOf(bytes), "bundle.damaged");
}

TEST_F(BundleAbuse, MeantForAnotherOfficeIsRefused) {
  const std::string forOther = writeDown(hq_, other_).bytes;
  EXPECT_EQ(codeAt(testing::atLeaf(office_, hq_), forOther), "bundle.not-for-this-node");
  // Somebody's own bundle, which comes back to them.
  EXPECT_EQ(codeAt(testing::atLeaf(office_, hq_), bundle_), "bundle.not-for-this-node");
}

TEST_F(BundleAbuse, SignedByAnybodyElseIsRefused) {
  Forgery forged(bundle_, hq_.sealingKey());
  const BundleManifest manifest = forged.manifest();
  forged.sign(manifest, other_.key());
  EXPECT_EQ(codeOf(forged.bytes()), "bundle.signature");
  // Another office signs rightly, and says that it is this one or that it is nobody known.
  BundleManifest asOther = manifest;
  asOther.sender = "KIS";
  forged.sign(asOther, other_.key());
  EXPECT_EQ(codeOf(forged.bytes()), "bundle.unknown-sender");
}

TEST_F(BundleAbuse, AlteredByAnotherRecipientIsRefused) {
  std::string shared;
  BundleWriter writer(
      office_.random(),
      {{"HQ", hq_.sealingKey().publicKey()}, {"MBA", other_.sealingKey().publicKey()}},
      sinkInto(shared));
  writer.add(std::string("\x05hello"));
  BundleManifest manifest;
  manifest.sender = "NBO";
  manifest.expiresMs = hq_.clock().nowMs() + 1;
  writer.finish(manifest, office_.key());
  Forgery forged(shared, other_.sealingKey());
  forged.plain[1][0] ^= 1;
  EXPECT_EQ(codeOf(forged.bytes()), "bundle.signature");
}

TEST_F(BundleAbuse, PassedOnToSomebodyItWasNotMeantForIsRefused) {
  // HQ got it, and seals the same content and manifest for MBA, as from NBO.
  Forgery forged(bundle_, hq_.sealingKey());
  const std::string id = forged.header.substr(18, kBundleIdSize);
  const std::string key = other_.sealingKey().publicKey();
  const std::string stanza =
      recipientHint(id, keyHashOf(key)) +
      crypto::hpkeSeal(hq_.random(), key, kBundleKeyInfo, id, forged.contentKey);
  forged.header.replace(kBundleHeadBytes, kBundleStanzaBytes, stanza);
  forged.fixChecksum();
  TestNode third{"HQ", false, 9};
  enrol(third, office_);
  BundleNode reader = atHub(third);
  const BundleNode withOthersKey{reader.replica, reader.connections, reader.key,
                                 other_.sealingKey(), "MBA"};
  EXPECT_EQ(codeAt(withOthersKey, forged.bytes()), "bundle.signature");
  // The sender itself names somebody else than it seals for.
  std::string misnamed;
  BundleWriter writer(office_.random(), {{"MBA", hq_.sealingKey().publicKey()}},
                      sinkInto(misnamed));
  BundleManifest manifest;
  manifest.sender = "NBO";
  manifest.expiresMs = hq_.clock().nowMs() + 1;
  writer.finish(manifest, office_.key());
  EXPECT_EQ(codeOf(misnamed), "bundle.recipients");
}

TEST_F(BundleAbuse, ExpiredIsRefusedWithBothTimes) {
  const std::int64_t day = 24 * 3600 * 1000;
  BundleTerms terms;
  terms.goodForMs = day;
  const std::string brief = writeUp(office_, hq_, terms).bytes;
  const std::int64_t now = hq_.clock().nowMs();
  hq_.clock().set(office_.clock().nowMs() + 2 * day);
  EXPECT_EQ(codeOf(brief), "bundle.expired");
  hq_.clock().set(now);
}

TEST_F(BundleAbuse, PaddedOtherwiseThanItSaysIsRefused) {
  Forgery noise(bundle_, hq_.sealingKey());
  noise.plain[7][100] = 'x';
  noise.sign(noise.manifest(), office_.key());
  EXPECT_EQ(codeOf(noise.bytes()), "bundle.padding");
  for (const std::uint64_t chunks :
       {std::uint64_t{0}, std::uint64_t{7}, std::uint64_t{9}, std::uint64_t{1} << 60}) {
    Forgery forged(bundle_, hq_.sealingKey());
    BundleManifest manifest = forged.manifest();
    manifest.chunks = chunks;
    forged.sign(manifest, office_.key());
    EXPECT_EQ(codeOf(forged.bytes()), "bundle.padding") << chunks;
  }
  Forgery forged(bundle_, hq_.sealingKey());
  BundleManifest manifest = forged.manifest();
  manifest.contentBytes = ~std::uint64_t{0};
  forged.sign(manifest, office_.key());
  EXPECT_EQ(codeOf(forged.bytes()), "bundle.padding");
}

TEST_F(BundleAbuse, KeysOfNoUseAndOtherVersionsAreRefused) {
  Forgery zero(bundle_, hq_.sealingKey());
  zero.header.replace(kBundleHeadBytes + 8, 32, std::string(32, '\0'));  // of low order
  zero.fixChecksum();
  EXPECT_EQ(codeOf(zero.bytes()), "bundle.not-for-this-node");
  Forgery check(bundle_, hq_.sealingKey());
  check.header[40] ^= 1;  // another content key is claimed than the one sealed
  check.fixChecksum();
  EXPECT_EQ(codeOf(check.bytes()), "bundle.damaged");
  std::string later = bundle_;
  later[16] = 2;
  EXPECT_EQ(codeOf(later), "bundle.version");
}

TEST_F(BundleAbuse, TheOtherWayRoundIsRefused) {
  Forgery forged(bundle_, hq_.sealingKey());
  BundleManifest manifest = forged.manifest();
  manifest.way = BundleWay::kDown;
  forged.sign(manifest, office_.key());
  EXPECT_EQ(codeOf(forged.bytes()), "bundle.other-way");
}

// A hostile office can sign what it likes: its frames meet the same door as over the link.
TEST_F(BundleAbuse, HostileContentMeetsTheDoorOfTheLink) {
  const auto holding = [&](const std::string& part) {
    ByteWriter content;
    content.string(part);
    std::string bytes;
    BundleWriter writer(office_.random(), {{"HQ", hq_.sealingKey().publicKey()}}, sinkInto(bytes));
    writer.add(content.bytes());
    BundleManifest manifest;
    manifest.sender = "NBO";
    manifest.expiresMs = hq_.clock().nowMs() + 1;
    writer.finish(manifest, office_.key());
    return bytes;
  };
  EXPECT_EQ(codeOf(holding(std::string("\xff\xff\xff\xff\x07\x01", 6))), "sync.frame-too-large");
  EXPECT_EQ(codeOf(holding(encodeFrame(FrameType::kReceipts, "x"))), "sync.malformed");
  EXPECT_EQ(codeOf(holding(encodeFrame(FrameType::kHello, "x"))), "sync.version");
  EXPECT_EQ(codeOf(holding("")), "sync.cut");
  Hello hello;
  hello.base.hashPrefix = std::string(8, '\0');
  const std::string greeting = encodeFrame(FrameType::kHello, encodeHello(hello));
  EXPECT_EQ(codeOf(holding(greeting + encodeFrame(FrameType::kChanges, "no zstd"))),
            "sync.malformed");
  // A frame of a later version is passed over.
  EXPECT_EQ(codeOf(holding(greeting + encodeFrame(static_cast<FrameType>(99), "later"))), "taken");
}

TEST_F(BundleAbuse, AStickThatAnswersOtherwiseTheSecondTimeIsFoundOut) {
  std::map<std::uint64_t, int> reads;
  BundleSource source = sourceOf(bundle_);
  Forgery forged(bundle_, hq_.sealingKey());
  forged.plain[1][3] ^= 1;
  const std::string other = forged.bytes();
  source.read = [&](std::uint64_t at, std::size_t size) {
    return (++reads[at] > 1 && at > headerBytes() + 1 ? other : bundle_).substr(at, size);
  };
  try {
    readBundle(atHub(hq_), source);
    FAIL();
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), "bundle.changed");
  }
}

TEST_F(BundleAbuse, PulledOutInTheMiddleIsGoneOnWithByReadingAgain) {
  BundleTerms terms;
  terms.partBytes = 500;
  for (int i = 0; i < 3000; ++i) office_.create("person", {{"name", "\"another name\""}});
  TestNode fresh{"HQ", false, 1};
  enrol(fresh, office_);
  const std::string bytes = writeUp(office_, fresh, terms).bytes;
  BundleSource source = sourceOf(bytes);
  int left = 0;
  source.read = [&](std::uint64_t at, std::size_t size) {
    if (left-- <= 0) throw Failure("bundle.unreadable", "The stick was pulled out.");
    return bytes.substr(at, size);
  };
  // The header twice, the manifest, then every chunk to verify it, and again to apply it.
  std::size_t taken = 0;
  for (int reads = 1; taken == 0 && reads < 200; ++reads) {
    left = reads;
    try {
      readBundle(atHub(fresh), source);
      taken = static_cast<std::size_t>(reads);
    } catch (const Failure& failure) {
      ASSERT_EQ(failure.code(), "bundle.unreadable");
    }
  }
  EXPECT_GT(taken, 10U);
  EXPECT_EQ(fresh.digest(), office_.digest());
}

}  // namespace
}  // namespace waystation::sync

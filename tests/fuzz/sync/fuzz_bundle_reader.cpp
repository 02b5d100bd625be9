// Bundles that somebody may hand to `bundle read`. One byte says which: 0, a whole file; 1, a
// manifest, which is read back as it is written; 2, a manifest that its sender signed; 3, what a
// known office signed and sealed as content, applied at a hub.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "crypto/aead.h"
#include "crypto/failure.h"
#include "crypto/random.h"
#include "sync/bundle.h"
#include "sync/bundle_reader.h"
#include "sync/bundle_writer.h"
#include "sync/byte_stream.h"

namespace {

using namespace waystation;

// The same bytes every time.
class SteadyRandom final : public crypto::Random {
 public:
  void fill(void* out, std::size_t size) override {
    auto* bytes = static_cast<unsigned char*>(out);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<unsigned char>(++last_ * 167);
  }

 private:
  std::uint64_t last_ = 0;
};

class StoppedClock final : public sync::Clock {
 public:
  std::int64_t nowMs() const override { return 1'700'000'000'000; }
};

// A hub that knows one office.
struct Hub {
  StoppedClock clock;
  SteadyRandom random;
  crypto::SigningKey key = crypto::SigningKey::generate(random);
  crypto::RecipientKey sealingKey = crypto::RecipientKey::generate(random);
  crypto::SigningKey officeKey = crypto::SigningKey::generate(random);
  std::unique_ptr<storage::Connections> connections;
  std::unique_ptr<sync::Replica> replica;

  Hub() {
    std::unique_ptr<storage::Database> database = storage::Database::inMemory();
    storage::Store::createTables(*database);
    connections = std::make_unique<storage::Connections>(std::move(database));
    const storage::Connections::Lease writer = connections->writer();
    sync::ReplicaSettings settings;
    settings.node = "HQ";
    replica = std::make_unique<sync::Replica>(*writer, clock, random, std::move(settings));
    sync::Work work(*replica, *writer);
    sync::enrolLeaf(work, "NBO", officeKey.publicKey(), "");
    work.commit();
  }
  sync::BundleNode node() { return {*replica, *connections, key, sealingKey, "HQ"}; }
};

Hub& hub() {
  static Hub one;
  return one;
}

sync::BundleSource sourceOf(const std::string& bytes) {
  return {bytes.size(),
          [&bytes](std::uint64_t at, std::size_t size) { return bytes.substr(at, size); }};
}

std::string sealed(std::string_view content) {
  std::string bytes;
  sync::BundleWriter writer(hub().random, {{"HQ", hub().sealingKey.publicKey()}},
                            [&bytes](std::uint64_t at, std::string_view piece) {
                              bytes.resize(std::max<std::size_t>(bytes.size(), at + piece.size()));
                              bytes.replace(at, piece.size(), piece);
                            });
  writer.add(content);
  sync::BundleManifest manifest;
  manifest.sender = "NBO";
  manifest.expiresMs = hub().clock.nowMs();
  writer.finish(std::move(manifest), hub().officeKey);
  return bytes;
}

void readManifest(std::string_view bytes) {
  const std::string once = sync::encodeManifest(sync::decodeManifest(bytes));
  if (sync::encodeManifest(sync::decodeManifest(once)) != once) std::abort();
}

// Verified with what the manifest says of chunks, sizes and recipients.
void readSigned(std::string_view bytes) {
  static const std::string whole = sealed("");
  constexpr std::size_t kHeader =
      sync::kBundleHeadBytes + sync::kBundleStanzaBytes + sync::kBundleChecksumBytes;
  const std::string content = crypto::hpkeOpen(hub().sealingKey, sync::kBundleKeyInfo,
                                               whole.substr(18, sync::kBundleIdSize),
                                               whole.substr(sync::kBundleHeadBytes + 8, 80))
                                  .value();
  const crypto::Secret key = sync::bundleStreamKey(
      content, std::string_view(whole).substr(kHeader - sync::kBundleChecksumBytes,
                                              sync::kBundleChecksumBytes));
  sync::ByteWriter first;
  first.string(bytes);
  first.raw(hub().officeKey.sign(sync::manifestToSign(bytes)));
  std::string plain = first.take();
  if (plain.size() > sync::kBundleChunkBytes) return;
  plain.resize(sync::kBundleChunkBytes, '\0');
  std::string file = whole;
  file.replace(kHeader, sync::kSealedChunkBytes,
               crypto::aeadSeal(key.view(), sync::bundleChunkNonce(0, false), {}, plain,
                                crypto::AeadCipher::kChaCha20Poly1305));
  sync::BundleReader reader(sourceOf(file), hub().sealingKey);
  reader.verify(hub().officeKey.publicKey(), "HQ", hub().clock.nowMs());
}

void readOne(std::uint8_t which, std::string_view bytes) {
  const std::string file(bytes);
  switch (which % 4) {
    case 0:
      static_cast<void>(sync::readBundle(hub().node(), sourceOf(file)));
      return;
    case 1:
      return readManifest(bytes);
    case 2:
      return readSigned(bytes);
    default: {
      const std::string whole = sealed(bytes);
      static_cast<void>(sync::readBundle(hub().node(), sourceOf(whole)));
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  try {
    readOne(data[0], {reinterpret_cast<const char*>(data + 1), size - 1});
  } catch (const Failure&) {
  }
  return 0;
}

// Messages of nodes in the middle of the tree.
//   seal:         seed(16) signature(64)
//   carried seal: string(signer) signature(64) varint(#digests) digest(32)*
//                 varint(#places) (replica(8) varint(counter) varint(position) salt(16))*
//   subtree:      varint(#devices) (string(name) string(home) key(32))*

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "crypto/signature.h"
#include "sync/byte_stream.h"
#include "sync/messages.h"

namespace waystation::sync {
namespace {

constexpr std::size_t kSeedSize = 16;
constexpr std::size_t kLongestName = 64;

[[noreturn]] void malformed(const char* what) {
  throw Failure("sync.malformed", std::string("A sync message can't be read: ") + what + ".");
}

}  // namespace

std::string encodeSeal(const SealNotice& notice) {
  return notice.seed + notice.signature;
}

SealNotice decodeSeal(std::string_view payload) {
  ByteReader reader(payload);
  SealNotice notice;
  notice.seed = reader.raw(kSeedSize);
  notice.signature = reader.raw(crypto::kSignatureSize);
  return notice;
}

std::string encodeCarriedSeal(const CarriedSeal& seal) {
  ByteWriter writer;
  writer.string(seal.signer);
  writer.raw(seal.signature);
  writer.varint(seal.digests.size() / crypto::kSha256Size);
  writer.raw(seal.digests);
  writer.varint(seal.places.size());
  for (const CarriedSeal::Place& place : seal.places) {
    writer.fixed64(place.dot.replica);
    writer.varint(place.dot.counter);
    writer.varint(place.position);
    writer.raw(place.salt);
  }
  return writer.take();
}

CarriedSeal decodeCarriedSeal(std::string_view payload) {
  ByteReader reader(payload);
  CarriedSeal seal;
  seal.signer = reader.string();
  seal.signature = reader.raw(crypto::kSignatureSize);
  seal.digests = reader.raw(reader.count(crypto::kSha256Size) * crypto::kSha256Size);
  seal.places.resize(reader.count(26));
  for (CarriedSeal::Place& place : seal.places) {
    place.dot.replica = reader.fixed64();
    place.dot.counter = reader.varint();
    place.position = reader.varint();
    place.salt = reader.raw(kSeedSize);
  }
  return seal;
}

std::string encodeSubtree(const std::vector<storage::DeviceRow>& devices) {
  ByteWriter writer;
  writer.varint(devices.size());
  for (const storage::DeviceRow& device : devices) {
    writer.string(device.name);
    writer.string(device.home);
    writer.raw(device.publicKey);
  }
  return writer.take();
}

std::vector<storage::DeviceRow> decodeSubtree(std::string_view payload) {
  ByteReader reader(payload);
  std::vector<storage::DeviceRow> devices(reader.count(34));
  for (storage::DeviceRow& device : devices) {
    device.name = reader.string();
    device.home = reader.string();
    device.publicKey = reader.raw(crypto::kSigningKeySize);
    if (device.name.empty() || device.name.size() > kLongestName ||
        device.home.size() > kLongestName ||
        (device.name + device.home).find('\n') != std::string::npos) {
      malformed("the name of a device is broken");
    }
  }
  return devices;
}

}  // namespace waystation::sync

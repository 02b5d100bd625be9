// The messages of phones and sub-offices, of what is kept aside, of what a hub lost, and of
// erasures: one byte says which, the rest is its payload. What is accepted is written back in a
// form that is read back as itself.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "crypto/failure.h"
#include "sync/erasure.h"
#include "sync/messages.h"
#include "sync/quarantine.h"

namespace {

using namespace waystation;

template <typename Decode, typename Encode>
void check(std::string_view payload, Decode decode, Encode encode) {
  const std::string once = encode(decode(payload));
  if (encode(decode(once)) != once) std::abort();
}

void readOne(std::uint8_t which, std::string_view payload) {
  switch (which % 6) {
    case 0:
      return check(payload, sync::decodeSeal, sync::encodeSeal);
    case 1:
      return check(payload, sync::decodeCarriedSeal, sync::encodeCarriedSeal);
    case 2:
      return check(payload, sync::decodeSubtree, sync::encodeSubtree);
    case 3:
      return check(payload, sync::decodeAside, sync::encodeAside);
    case 4:
      return check(payload, sync::decodeLost, sync::encodeLost);
    default:
      return check(payload, sync::decodeCertificates, sync::encodeCertificates);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  try {
    readOne(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
  } catch (const Failure&) {
    // Refused, as it may be.
  }
  return 0;
}

// The key file of a node, as somebody who can write the disk may leave it: decoding it never does
// worse than refuse, and what it accepts it writes back byte for byte.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "crypto/key_slot_codec.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace {

using namespace waystation;

constexpr std::size_t kSizeOffset = 12;

// The check sum needs no key, so a forger sets it right; without that no input would pass it.
void repair(std::uint8_t* data, std::size_t size) {
  for (std::size_t i = 0; i < 4; ++i) {
    data[kSizeOffset + i] = static_cast<std::uint8_t>(size >> (8 * (3 - i)));
  }
  const std::size_t body = size - crypto::kSha256Size;
  const auto digest = crypto::sha256({reinterpret_cast<const char*>(data), body});
  std::copy(digest.begin(), digest.end(), data + body);
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t most, unsigned int seed) {
  const std::size_t mutated = LLVMFuzzerMutate(data, size, most);
  if (seed % 8 != 0 && mutated >= kSizeOffset + 4 + crypto::kSha256Size) repair(data, mutated);
  return mutated;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view image(reinterpret_cast<const char*>(data), size);
  crypto::KeySlotFile file;
  try {
    file = crypto::decodeKeySlotFile(image);
  } catch (const Failure&) {
    return 0;
  }
  if (crypto::encodeKeySlotFile(file) != image) std::abort();
  return 0;
}

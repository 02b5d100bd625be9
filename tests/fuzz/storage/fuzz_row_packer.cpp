// Rows of the store as they lie packed; one byte is their packing. What is no packed row comes back
// as it is; what is packed comes back as it was.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "crypto/failure.h"
#include "storage/row_packer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace waystation;
  if (size == 0) return 0;
  static storage::RowPacker packer;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    static_cast<void>(packer.unpack(bytes, data[0] % 4));
  } catch (const Failure&) {
    // A packing that this program does not have.
  }
  const storage::RowPacker::Packed packed = packer.pack(bytes);
  if (packer.unpack(std::string(packed.bytes), packed.packing) != bytes) std::abort();
  return 0;
}

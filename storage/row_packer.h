#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace waystation::storage {

// How the bytes of a row were packed, noted beside them: 0 as they are, 1 with zstd and the
// dictionary rows-1, which ships with the program (storage/dictionaries), 2 with zstd beside the
// plain bytes of another row, which mostly says the same. A dictionary is never changed, and
// nothing of a store's own content is in it: it would have to be erased with it.
using Packing = int;
constexpr Packing kPackedBeside = 2;

// Packs and unpacks the bytes of single rows. Belongs to one connection, as that to one thread.
class RowPacker {
 public:
  RowPacker();
  ~RowPacker();
  RowPacker(const RowPacker&) = delete;
  RowPacker& operator=(const RowPacker&) = delete;

  // The row as it is to be kept.
  struct Packed {
    std::string_view bytes;  // until the next call, or for as long as what was given
    Packing packing = 0;
  };
  Packed pack(std::string_view plain);
  // Beside other bytes, which are needed to unpack it.
  Packed packBeside(std::string_view base, std::string_view plain);
  // What was packed. Bytes that are not what packing made of anything come back as they are: those
  // who read them hold them against a digest. Throws Failure("store.newer-schema") for a packing
  // that this program does not have.
  std::string unpack(std::string_view bytes, Packing packing, std::string_view base = {});

 private:
  struct Contexts;
  std::unique_ptr<Contexts> contexts_;
};

}  // namespace waystation::storage

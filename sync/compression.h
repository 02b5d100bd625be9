#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace waystation::sync {

// One zstd stream for one direction of one exchange, flushed at each frame's end: frames can be
// opened one by one and yet compress as one.
class Compressor {
 public:
  Compressor();
  ~Compressor();
  std::string frame(std::string_view plain);

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;  // from the first frame on: most exchanges have none
};

// Opens what a Compressor made, in order. Throws Failure("sync.malformed") for anything else and
// for a frame that grows beyond `limit` bytes.
class Decompressor {
 public:
  Decompressor();
  ~Decompressor();
  std::string frame(std::string_view packed, std::size_t limit);

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

}  // namespace waystation::sync

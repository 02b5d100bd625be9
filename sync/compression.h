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
  // What it is to take in all, bytes; more is taken too. Its tables are made for that: clearing
  // large ones takes longer than all the rest of a small exchange.
  explicit Compressor(std::size_t expected);
  ~Compressor();
  std::string frame(std::string_view plain);

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
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

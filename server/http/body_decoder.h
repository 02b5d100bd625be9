#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace waystation::http {

// Takes the framing off a body (RFC 9112 sections 6 and 7): bytes in, content out, no sockets.
// Chunk sizes are 1 to 8 hexadecimal digits; extensions and trailers are refused.
class BodyDecoder {
 public:
  // A body of exactly `length` bytes.
  static BodyDecoder ofLength(std::uint64_t length);
  // A chunked body of at most `limit` bytes.
  static BodyDecoder chunked(std::uint64_t limit);

  struct Step {
    std::size_t consumed;  // bytes of the input used up
    std::size_t produced;  // bytes of content written
  };

  // Goes on with the bytes that came. When nothing was produced and the body is not finished, more
  // input is needed. Throws Failure("http.chunk-malformed") or ("http.body-too-large").
  Step decode(std::string_view input, char* output, std::size_t size);

  bool finished() const { return state_ == State::kFinished; }

 private:
  enum class State {
    kSize,
    kSizeLineFeed,
    kData,
    kDataReturn,
    kDataLineFeed,
    kEndReturn,
    kEndLineFeed,
    kFinished
  };

  void takeFrameByte(char byte);
  void takeSizeByte(char byte);
  void beginChunk();

  State state_ = State::kSize;
  bool chunked_ = false;
  std::uint64_t remaining_ = 0;  // of the body, or of the chunk
  std::uint64_t allowance_ = 0;  // how much more a chunked body may bring
  int digits_ = 0;
};

}  // namespace waystation::http

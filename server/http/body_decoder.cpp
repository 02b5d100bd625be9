#include "server/http/body_decoder.h"

#include <algorithm>
#include <cstring>

#include "crypto/failure.h"

namespace waystation::http {
namespace {

[[noreturn]] void refuse() {
  throw Failure("http.chunk-malformed",
                "The body's chunks are not framed as HTTP asks; nothing of it was kept.");
}

constexpr int kMaxSizeDigits = 8;

}  // namespace

BodyDecoder BodyDecoder::ofLength(std::uint64_t length) {
  BodyDecoder decoder;
  decoder.remaining_ = length;
  decoder.state_ = length == 0 ? State::kFinished : State::kData;
  return decoder;
}

BodyDecoder BodyDecoder::chunked(std::uint64_t limit) {
  BodyDecoder decoder;
  decoder.chunked_ = true;
  decoder.allowance_ = limit;
  return decoder;
}

BodyDecoder::Step BodyDecoder::decode(std::string_view input, char* output, std::size_t size) {
  Step step{0, 0};
  while (step.consumed < input.size() && !finished()) {
    if (state_ != State::kData) {
      takeFrameByte(input[step.consumed++]);
      continue;
    }
    const std::size_t count = static_cast<std::size_t>(
        std::min<std::uint64_t>({remaining_, input.size() - step.consumed, size - step.produced}));
    if (count == 0) break;
    std::memcpy(output + step.produced, input.data() + step.consumed, count);
    step.consumed += count;
    step.produced += count;
    remaining_ -= count;
    if (remaining_ == 0) state_ = chunked_ ? State::kDataReturn : State::kFinished;
  }
  return step;
}

void BodyDecoder::takeFrameByte(char byte) {
  if (state_ == State::kSize) {
    takeSizeByte(byte);
    return;
  }
  const bool wantsReturn = state_ == State::kDataReturn || state_ == State::kEndReturn;
  if (byte != (wantsReturn ? '\r' : '\n')) refuse();
  switch (state_) {
    case State::kSizeLineFeed:
      beginChunk();
      break;
    case State::kDataReturn:
      state_ = State::kDataLineFeed;
      break;
    case State::kDataLineFeed:
      state_ = State::kSize;
      break;
    case State::kEndReturn:
      state_ = State::kEndLineFeed;
      break;
    default:
      state_ = State::kFinished;
  }
}

void BodyDecoder::takeSizeByte(char byte) {
  if (byte == '\r' && digits_ > 0) {
    state_ = State::kSizeLineFeed;
    return;
  }
  const bool decimal = byte >= '0' && byte <= '9';
  const bool letter = (byte >= 'a' && byte <= 'f') || (byte >= 'A' && byte <= 'F');
  if ((!decimal && !letter) || ++digits_ > kMaxSizeDigits) refuse();
  const int value = decimal ? byte - '0' : (byte | 0x20) - 'a' + 10;
  remaining_ = remaining_ * 16 + static_cast<std::uint64_t>(value);
}

void BodyDecoder::beginChunk() {
  digits_ = 0;
  if (remaining_ > allowance_) {
    throw Failure("http.body-too-large", "What was sent is larger than this server takes.");
  }
  allowance_ -= remaining_;
  state_ = remaining_ == 0 ? State::kEndReturn : State::kData;
}

}  // namespace waystation::http

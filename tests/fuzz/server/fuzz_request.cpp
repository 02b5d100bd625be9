// What a client sends to a server: a head, and the body behind it. One byte says where the stream
// is cut in two: wherever that is, the same must come out.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/failure.h"
#include "server/http/body_decoder.h"
#include "server/http/request_reader.h"
#include "server/http/target.h"

namespace {

using namespace waystation;

constexpr std::uint64_t kMostBody = 1 << 16;

struct Outcome {
  std::string refusal;
  std::string path;
  std::string body;
  bool isWhole = false;
  bool operator==(const Outcome&) const = default;
};

class Stream {
 public:
  void add(std::string_view bytes) {
    if (!decoder_) {
      bytes.remove_prefix(reader_.feed(bytes));
      if (!reader_.complete()) return;
      const http::RequestHead head = reader_.take();
      // Decoded once: a second time it must be taken as it is, or refused.
      if (!http::isUtf8(head.path) || head.path.front() != '/') std::abort();
      for (const auto& [name, value] : head.query) {
        if (!http::isUtf8(name) || !http::isUtf8(value)) std::abort();
      }
      outcome.path = head.path;
      if (head.chunked && head.contentLength) std::abort();
      decoder_ = head.chunked ? http::BodyDecoder::chunked(kMostBody)
                              : http::BodyDecoder::ofLength(head.contentLength.value_or(0));
    }
    takeBody(bytes);
  }

  Outcome outcome;

 private:
  void takeBody(std::string_view bytes) {
    std::array<char, 64> buffer;
    while (!decoder_->finished()) {
      const auto step = decoder_->decode(bytes, buffer.data(), buffer.size());
      if (step.consumed > bytes.size() || step.produced > buffer.size()) std::abort();
      bytes.remove_prefix(step.consumed);
      outcome.body.append(buffer.data(), step.produced);
      if (step.produced == 0) break;
    }
    outcome.isWhole = decoder_->finished();
  }

  http::RequestReader reader_{http::HeadLimits{}};
  std::optional<http::BodyDecoder> decoder_;
};

Outcome read(std::string_view bytes, std::size_t cut) {
  Stream stream;
  try {
    stream.add(bytes.substr(0, cut));
    stream.add(bytes.substr(cut));
  } catch (const Failure& failure) {
    stream.outcome.refusal = failure.code();
    stream.outcome.body.clear();  // how much came before it depends on the cut
  }
  return stream.outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (!(read(bytes, bytes.size()) == read(bytes, data[0] % (bytes.size() + 1)))) std::abort();
  return 0;
}

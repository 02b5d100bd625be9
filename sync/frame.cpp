#include "sync/frame.h"

#include "crypto/failure.h"
#include "sync/byte_stream.h"

namespace waystation::sync {

std::string encodeFrame(FrameType type, std::string_view payload) {
  ByteWriter writer;
  writer.varint(payload.size() + 1);
  writer.byte(static_cast<std::uint8_t>(type));
  writer.raw(payload);
  return writer.take();
}

std::optional<Frame> FrameReader::next() {
  std::uint64_t length = 0;
  std::size_t at = position_;
  for (unsigned shift = 0;; shift += 7) {
    if (at == buffer_.size()) return std::nullopt;
    const auto byte = static_cast<unsigned char>(buffer_[at++]);
    length |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
    if (length > kMaxFrameBytes || shift > 21) {
      throw Failure("sync.frame-too-large",
                    "A sync message announces a part larger than 1 MiB. It was refused; nothing "
                    "of it was kept.");
    }
    if ((byte & 0x80U) == 0) break;
  }
  if (length == 0) throw Failure("sync.malformed", "A sync message holds an empty part.");
  if (buffer_.size() - at < length) return std::nullopt;
  Frame frame{static_cast<FrameType>(buffer_[at]),
              buffer_.substr(at + 1, static_cast<std::size_t>(length) - 1)};
  position_ = at + static_cast<std::size_t>(length);
  if (position_ > kMaxFrameBytes || position_ == buffer_.size()) {
    buffer_.erase(0, position_);
    position_ = 0;
  }
  return frame;
}

}  // namespace waystation::sync

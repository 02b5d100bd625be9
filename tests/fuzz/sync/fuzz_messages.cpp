// The messages of an exchange that come uncompressed: one byte says which, the rest is its payload.
// What is accepted is written back in a form that is read back as itself.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "crypto/failure.h"
#include "sync/file_exchange.h"
#include "sync/frame.h"
#include "sync/messages.h"
#include "sync/reconcile.h"

namespace {

using namespace waystation;

template <typename Decode, typename Encode>
void check(std::string_view payload, Decode decode, Encode encode) {
  const std::string once = encode(decode(payload));
  if (encode(decode(once)) != once) std::abort();
}

void readFrames(std::string_view bytes) {
  sync::FrameReader reader;
  // In two parts, as a stream comes.
  reader.add(bytes.substr(0, bytes.size() / 2));
  std::size_t read = 0;
  for (int part = 0; part < 2; ++part) {
    while (const auto frame = reader.next()) {
      const std::string again = sync::encodeFrame(frame->type, frame->payload);
      read += again.size();
      if (read > bytes.size()) std::abort();
    }
    if (part == 0) reader.add(bytes.substr(bytes.size() / 2));
  }
}

void readOne(std::uint8_t which, std::string_view payload) {
  switch (which % 12) {
    case 0:
      return check(payload, sync::decodeHello, sync::encodeHello);
    case 1:
      return check(payload, sync::decodeIncarnation, sync::encodeIncarnation);
    case 2:
      return check(payload, sync::decodeGone, sync::encodeGone);
    case 3:
      return check(payload, sync::decodeWelcome, sync::encodeWelcome);
    case 4:
      return check(payload, sync::decodeReceipts, sync::encodeReceipts);
    case 5:
      return check(payload, sync::decodeComparison, sync::encodeComparison);
    case 6:
      return check(payload, sync::decodeIds, sync::encodeIds);
    case 8:
      return check(payload, sync::decodeOffered, sync::encodeOffered);
    case 9:
      return check(payload, sync::decodeLacking, sync::encodeLacking);
    case 10:
      return check(payload, sync::decodeAsked, sync::encodeAsked);
    case 11:
      return check(payload, sync::decodeChunk, sync::encodeChunk);
    default:
      return readFrames(payload);
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

// The compressed frames of an exchange: changes going up, feed entries going down, healing; in a
// row, since later ones refer to earlier. The input is given to zstd first, or taken as what zstd
// made. Each: kind (1 byte), length (2), bytes.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "crypto/failure.h"
#include "sync/batch_codec.h"
#include "sync/compression.h"
#include "sync/feed_codec.h"
#include "sync/reconcile.h"

namespace {

using namespace waystation;

// A change that was accepted travels on: to another peer, and into the journal.
void requireSame(const std::vector<sync::Change>& changes) {
  sync::ByteWriter writer;
  sync::BatchEncoder().encode(changes, writer);
  sync::ByteReader reader(writer.bytes());
  if (sync::BatchDecoder().decode(reader) != changes) std::abort();
  for (const sync::Change& change : changes) {
    if (sync::decodeChange(sync::encodeChange(change)) != change) std::abort();
  }
}

class Exchange {
 public:
  void readOne(std::uint8_t kind, std::string_view bytes) {
    const bool isPlain = (kind & 1) != 0;
    const std::string payload = isPlain ? compressor_.frame(bytes) : std::string(bytes);
    if (kind / 2 % 3 == 0) {
      const std::string signature(isPlain ? sync::kChainSignatureSize : 0, 's');
      requireSame(reader_.changes(signature + payload).changes);
    } else if (kind / 2 % 3 == 1) {
      for (const sync::FeedItem& item : reader_.feed(payload).items) requireSame(item.changes);
    } else {
      const std::string own = isPlain ? sync::Compressor(bytes.size()).frame(bytes) : payload;
      requireSame(sync::decodeHealing(own));
    }
  }

 private:
  sync::Compressor compressor_{4096};
  sync::PackedFrameReader reader_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  Exchange exchange;
  try {
    while (rest.size() > 3) {
      const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(rest[i]); };
      const std::size_t length = std::min<std::size_t>(at(1) << 8 | at(2), rest.size() - 3);
      exchange.readOne(at(0), rest.substr(3, length));
      rest.remove_prefix(3 + length);
    }
  } catch (const Failure&) {
    // Refused, as it may be, and the exchange ends.
  }
  return 0;
}

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sync/batch_codec.h"
#include "sync/compression.h"
#include "sync/messages.h"

namespace waystation::sync {

// The compressed frames of one exchange: changes going up, feed entries going down. A writer and
// the reader at the other end live as long as one direction of one exchange.

struct ChangesFrame {
  ReplicaId incarnation = 0;
  std::uint64_t firstNumber = 0;
  std::string lastHashPrefix;  // of the chain after the last change
  std::vector<Change> changes;
};

struct FeedFrame {
  FeedCursor after;  // where the leaf stands once this frame is applied (its epoch is not sent)
  std::vector<FeedItem> items;
};

class PackedFrameWriter {
 public:
  std::string changes(const ChangesFrame& frame);  // whole frames, ready for the wire
  std::string feed(const FeedFrame& frame);

 private:
  BatchEncoder batch_;
  Compressor compressor_;
};

class PackedFrameReader {
 public:
  // Throw Failure("sync.malformed").
  ChangesFrame changes(std::string_view payload);
  FeedFrame feed(std::string_view payload);

 private:
  BatchDecoder batch_;
  Decompressor decompressor_;
};

}  // namespace waystation::sync

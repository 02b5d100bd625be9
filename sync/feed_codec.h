#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sync/batch_codec.h"
#include "sync/compression.h"
#include "sync/frame.h"
#include "sync/messages.h"

namespace waystation::sync {

// The compressed frames of one exchange: changes going up, feed entries going down. A writer and
// the reader at the other end live as long as one direction of one exchange.

struct ChangesFrame {
  ReplicaId incarnation = 0;
  std::uint64_t firstNumber = 0;
  std::vector<Change> changes;
  std::string signature = {};  // over headToSign() of the last of these links
};

struct FeedFrame {
  FeedCursor after;  // where the leaf stands once this frame is applied (its epoch is not sent)
  std::vector<FeedItem> items;
};

// Takes the frames of one direction in order, compresses those of changes and of the feed, and
// gives out all.
class PackedFrameWriter {
 public:
  void changes(const ChangesFrame& frame);
  void feed(const FeedFrame& frame);
  void plain(FrameType type, std::string_view payload);
  // Everything, ready for the wire. Call once, at the end.
  std::string take();

 private:
  struct Waiting {
    FrameType type;
    std::string head;  // of what is packed: goes before it as it is
    std::string payload;
    bool isPacked;
  };
  void packed(FrameType type, std::string head, std::string plain);
  void pack();

  BatchEncoder batch_;
  std::optional<Compressor> compressor_;
  std::vector<Waiting> waiting_;  // until it is clear whether all will be little or much
  std::size_t waitingBytes_ = 0;
  std::string frames_;
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

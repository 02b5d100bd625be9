// Payloads before compression:
//   changes: incarnation(8) varint(first number) batch; the signature goes before the compressed
//   feed:    varint(number) string(within) varint(#items), then by columns: types(1),
//            #changes of each ENTER (a CHANGE has one, a LEAVE none), roots of each ENTER and LEAVE
//            (fixed64 replica where it is not that of the root before, numbers as in a batch);
//            then one batch of all their changes

#include "sync/feed_codec.h"

#include "crypto/failure.h"

namespace waystation::sync {
namespace {

[[noreturn]] void malformed(const char* what) {
  throw Failure("sync.malformed", std::string("A sync message can't be read: ") + what +
                                      ". Nothing of this part was applied.");
}

// How many changes an item has, where its type alone does not say it.
bool isCounted(const FeedItem& item) {
  return item.type == storage::FeedType::kEnter;
}

bool hasRoot(const FeedItem& item) {
  return item.type != storage::FeedType::kChange;
}

void encodeRoots(const std::vector<FeedItem>& items, ByteWriter& writer) {
  ReplicaId previous = 0;
  std::vector<std::uint64_t> numbers;
  for (const FeedItem& item : items) {
    if (!hasRoot(item)) continue;
    const bool isOther = item.root.replica != previous;
    writer.byte(isOther ? 1 : 0);
    if (isOther) writer.fixed64(item.root.replica);
    previous = item.root.replica;
    numbers.push_back(item.root.number);
  }
  encodeNumbers(numbers, writer);
}

void decodeRoots(std::vector<FeedItem>& items, ByteReader& reader) {
  ReplicaId previous = 0;
  std::size_t count = 0;
  for (FeedItem& item : items) {
    if (!hasRoot(item)) continue;
    const std::uint8_t isOther = reader.byte();
    if (isOther > 1) malformed("a root of the feed is written in an unknown form");
    if (isOther == 1) previous = reader.fixed64();
    item.root.replica = previous;
    ++count;
  }
  const std::vector<std::uint64_t> numbers = decodeNumbers(count, reader);
  std::size_t at = 0;
  for (FeedItem& item : items) {
    if (hasRoot(item)) item.root.number = numbers[at++];
  }
}

// From this much on, a stream is made for all that may come.
constexpr std::size_t kLittleBytes = 256 * 1024 - 1;

}  // namespace

void PackedFrameWriter::plain(FrameType type, std::string_view payload) {
  waiting_.push_back({type, {}, std::string(payload), false});
}

void PackedFrameWriter::packed(FrameType type, std::string head, std::string plain) {
  waitingBytes_ += plain.size();
  waiting_.push_back({type, std::move(head), std::move(plain), true});
  if (waitingBytes_ > kLittleBytes || compressor_) pack();
}

void PackedFrameWriter::pack() {
  for (const Waiting& frame : waiting_) {
    if (frame.isPacked && !compressor_) compressor_.emplace(waitingBytes_);
    frames_ += encodeFrame(
        frame.type,
        frame.head + (frame.isPacked ? compressor_->frame(frame.payload) : frame.payload));
  }
  waiting_.clear();
}

std::string PackedFrameWriter::take() {
  pack();
  return std::move(frames_);
}

void PackedFrameWriter::changes(const ChangesFrame& frame) {
  ByteWriter writer;
  writer.fixed64(frame.incarnation);
  writer.varint(frame.firstNumber);
  batch_.encode(frame.changes, writer);
  packed(FrameType::kChanges, frame.signature, writer.take());
}

void PackedFrameWriter::feed(const FeedFrame& frame) {
  ByteWriter writer;
  writer.varint(frame.after.number);
  writer.string(frame.after.within);
  writer.varint(frame.items.size());
  for (const FeedItem& item : frame.items) writer.byte(static_cast<std::uint8_t>(item.type));
  std::vector<Change> all;
  for (const FeedItem& item : frame.items) {
    if (isCounted(item)) writer.varint(item.changes.size());
    all.insert(all.end(), item.changes.begin(), item.changes.end());
  }
  encodeRoots(frame.items, writer);
  batch_.encode(all, writer);
  packed(FrameType::kFeed, {}, writer.take());
}

ChangesFrame PackedFrameReader::changes(std::string_view payload) {
  ByteReader whole(payload);
  ChangesFrame frame;
  frame.signature = whole.raw(kChainSignatureSize);
  const std::string plain = decompressor_.frame(whole.rest(), kMaxPlainBytes);
  ByteReader reader(plain);
  frame.incarnation = reader.fixed64();
  frame.firstNumber = reader.varint();
  frame.changes = batch_.decode(reader);
  reader.expectEnd();
  if (frame.firstNumber == 0 || frame.changes.empty()) malformed("its numbering is broken");
  return frame;
}

FeedFrame PackedFrameReader::feed(std::string_view payload) {
  const std::string plain = decompressor_.frame(payload, kMaxPlainBytes);
  ByteReader reader(plain);
  FeedFrame frame;
  frame.after.number = reader.varint();
  frame.after.within = reader.string();
  if (!frame.after.within.empty()) RecordId::fromBytes(frame.after.within);
  frame.items.resize(reader.count(3));
  for (FeedItem& item : frame.items) {
    const std::uint8_t type = reader.byte();
    if (type < 1 || type > 3) malformed("an entry of the feed is of an unknown kind");
    item.type = static_cast<storage::FeedType>(type);
  }
  std::vector<std::size_t> counts;
  for (const FeedItem& item : frame.items) {
    const bool isChange = item.type == storage::FeedType::kChange;
    counts.push_back(isCounted(item) ? reader.count() : (isChange ? 1 : 0));
  }
  decodeRoots(frame.items, reader);
  std::vector<Change> all = batch_.decode(reader);
  reader.expectEnd();
  std::size_t taken = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] > all.size() - taken) malformed("the feed's entries and changes differ");
    for (std::size_t j = 0; j < counts[i]; ++j) {
      frame.items[i].changes.push_back(std::move(all[taken++]));
    }
  }
  if (taken != all.size()) malformed("the feed's entries and changes differ");
  return frame;
}

}  // namespace waystation::sync

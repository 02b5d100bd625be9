// Payloads before compression:
//   changes: incarnation(8) varint(first number) hash prefix(8) batch
//   feed:    varint(number) string(within) varint(#items)
//            per item: type(1) root(16) varint(#changes) ; then one batch of all their changes

#include "sync/feed_codec.h"

#include "crypto/failure.h"
#include "sync/frame.h"

namespace waystation::sync {
namespace {

[[noreturn]] void malformed(const char* what) {
  throw Failure("sync.malformed", std::string("A sync message can't be read: ") + what +
                                      ". Nothing of this part was applied.");
}

}  // namespace

std::string PackedFrameWriter::changes(const ChangesFrame& frame) {
  ByteWriter writer;
  writer.fixed64(frame.incarnation);
  writer.varint(frame.firstNumber);
  writer.raw(frame.lastHashPrefix);
  batch_.encode(frame.changes, writer);
  return encodeFrame(FrameType::kChanges, compressor_.frame(writer.bytes()));
}

std::string PackedFrameWriter::feed(const FeedFrame& frame) {
  ByteWriter writer;
  writer.varint(frame.after.number);
  writer.string(frame.after.within);
  writer.varint(frame.items.size());
  std::vector<Change> all;
  for (const FeedItem& item : frame.items) {
    writer.byte(static_cast<std::uint8_t>(item.type));
    writer.raw(item.root.bytes());
    writer.varint(item.changes.size());
    all.insert(all.end(), item.changes.begin(), item.changes.end());
  }
  batch_.encode(all, writer);
  return encodeFrame(FrameType::kFeed, compressor_.frame(writer.bytes()));
}

ChangesFrame PackedFrameReader::changes(std::string_view payload) {
  const std::string plain = decompressor_.frame(payload, kMaxPlainBytes);
  ByteReader reader(plain);
  ChangesFrame frame;
  frame.incarnation = reader.fixed64();
  frame.firstNumber = reader.varint();
  frame.lastHashPrefix = reader.raw(kHashPrefixSize);
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
  std::vector<std::size_t> counts(reader.count(18));
  for (std::size_t& count : counts) {
    const std::uint8_t type = reader.byte();
    if (type < 1 || type > 3) malformed("an entry of the feed is of an unknown kind");
    frame.items.push_back(
        {static_cast<storage::FeedType>(type), RecordId::fromBytes(reader.raw(16)), {}});
    count = reader.count();
  }
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

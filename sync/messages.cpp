#include "sync/messages.h"

#include "crypto/failure.h"
#include "sync/byte_stream.h"

namespace waystation::sync {
namespace {

// Of a hello.
constexpr std::uint8_t kHasPosition = 1;
constexpr std::uint8_t kHasDigest = 2;
constexpr std::uint8_t kHasCursor = 4;
// Of a welcome; the agreement is in the lowest two bits.
constexpr std::uint8_t kAgreementBits = 3;
constexpr std::uint8_t kRewind = 4;
constexpr std::uint8_t kTellsPosition = 8;
constexpr std::uint8_t kTellsCursor = 16;
constexpr std::size_t kHashSize = 32;

void requireVersion(std::uint64_t version) {
  if (version != kProtocolVersion) {
    throw Failure("sync.version",
                  "The other side speaks version " + std::to_string(version) +
                      " of the sync protocol, this program version 1. Nothing was exchanged; "
                      "upgrade the older of the two.");
  }
}

void writePosition(const Position& position, ByteWriter& writer) {
  writer.fixed64(position.incarnation);
  writer.varint(position.number);
  writer.raw(position.hashPrefix.empty() ? std::string(kHashPrefixSize, '\0')
                                         : position.hashPrefix);
}

Position readPosition(ByteReader& reader) {
  Position position;
  position.incarnation = reader.fixed64();
  position.number = reader.varint();
  position.hashPrefix = reader.raw(kHashPrefixSize);
  return position;
}

void writeCursor(const FeedCursor& cursor, ByteWriter& writer) {
  writer.fixed64(cursor.epoch);
  writer.varint(cursor.number);
  writer.string(cursor.within);
}

FeedCursor readCursor(ByteReader& reader) {
  FeedCursor cursor;
  cursor.epoch = reader.fixed64();
  cursor.number = reader.varint();
  cursor.within = reader.string();
  if (!cursor.within.empty()) RecordId::fromBytes(cursor.within);
  return cursor;
}

}  // namespace

std::string headToSign(ReplicaId incarnation, std::uint64_t number, std::string_view hash) {
  ByteWriter writer;
  writer.raw("waystation chain head v1\n");
  writer.fixed64(incarnation);
  writer.fixed64(number);
  writer.raw(hash);
  return writer.take();
}

std::string encodeHello(const Hello& hello) {
  const bool hasPosition = hello.base.incarnation != 0;
  const bool hasCursor = !(hello.feed == FeedCursor{});
  ByteWriter writer;
  writer.varint(kProtocolVersion);
  writer.byte(static_cast<std::uint8_t>((hasPosition ? kHasPosition : 0) |
                                        (hello.digest ? kHasDigest : 0) |
                                        (hasCursor ? kHasCursor : 0)));
  if (hasPosition) writePosition(hello.base, writer);
  if (hasCursor) writeCursor(hello.feed, writer);
  writer.varint(static_cast<std::uint64_t>(hello.clockMs));
  if (hello.digest) writer.raw(sumBytes(*hello.digest));
  return writer.take();
}

Hello decodeHello(std::string_view payload) {
  ByteReader reader(payload);
  requireVersion(reader.varint());
  const std::uint8_t flags = reader.byte();
  Hello hello;
  hello.base.hashPrefix = std::string(kHashPrefixSize, '\0');
  if ((flags & kHasPosition) != 0) hello.base = readPosition(reader);
  if ((flags & kHasCursor) != 0) hello.feed = readCursor(reader);
  hello.clockMs = static_cast<std::int64_t>(reader.varint());
  if ((flags & kHasDigest) != 0) hello.digest = sumFromBytes(reader.raw(16));
  return hello;  // bytes beyond are a later minor version's
}

std::string encodeIncarnation(const IncarnationNotice& notice) {
  ByteWriter writer;
  writer.fixed64(notice.incarnation);
  writer.fixed64(notice.parent);
  writer.varint(notice.parentNumber);
  writer.string(notice.parentHash);
  writer.string(notice.saltKey);
  return writer.take();
}

IncarnationNotice decodeIncarnation(std::string_view payload) {
  ByteReader reader(payload);
  IncarnationNotice notice;
  notice.incarnation = reader.fixed64();
  notice.parent = reader.fixed64();
  notice.parentNumber = reader.varint();
  notice.parentHash = reader.string();
  notice.saltKey = reader.string();
  const bool first = notice.parent == 0;
  if (notice.incarnation == 0 || notice.parentHash.size() != (first ? 0 : kHashSize) ||
      (notice.parentNumber == 0) != first) {
    throw Failure("sync.malformed",
                  "A sync message can't be read: the beginning of a chain is broken.");
  }
  return notice;
}

std::string encodeGone(const GoneFrame& frame) {
  ByteWriter writer;
  writer.raw(frame.signature);
  writer.fixed64(frame.incarnation);
  writer.varint(frame.firstNumber);
  writer.varint(frame.digests.size());
  for (const std::string& digest : frame.digests) writer.raw(digest);
  return writer.take();
}

GoneFrame decodeGone(std::string_view payload) {
  ByteReader reader(payload);
  GoneFrame frame;
  frame.signature = reader.raw(kChainSignatureSize);
  frame.incarnation = reader.fixed64();
  frame.firstNumber = reader.varint();
  frame.digests.resize(reader.count(kHashSize));
  for (std::string& digest : frame.digests) digest = reader.raw(kHashSize);
  if (frame.firstNumber == 0 || frame.digests.empty()) {
    throw Failure("sync.malformed", "A sync message can't be read: its numbering is broken.");
  }
  return frame;
}

std::string encodeWelcome(const Welcome& welcome) {
  ByteWriter writer;
  writer.varint(kProtocolVersion);
  writer.byte(static_cast<std::uint8_t>(
      static_cast<std::uint8_t>(welcome.agreement) | (welcome.rewind ? kRewind : 0) |
      (welcome.received ? kTellsPosition : 0) | (welcome.feed ? kTellsCursor : 0)));
  if (welcome.received) writePosition(*welcome.received, writer);
  if (welcome.feed) writeCursor(*welcome.feed, writer);
  writer.varint(welcome.feedHead);
  writer.varint(static_cast<std::uint64_t>(welcome.clockMs));
  return writer.take();
}

std::string encodeLost(const std::vector<FeedCursor>& histories) {
  ByteWriter writer;
  writer.varint(histories.size());
  for (const FeedCursor& history : histories) {
    writer.fixed64(history.epoch);
    writer.varint(history.number);
  }
  return writer.take();
}

std::vector<FeedCursor> decodeLost(std::string_view payload) {
  ByteReader reader(payload);
  std::vector<FeedCursor> histories(reader.count(9));
  for (FeedCursor& history : histories) {
    history.epoch = reader.fixed64();
    history.number = reader.varint();
  }
  return histories;
}

Welcome decodeWelcome(std::string_view payload) {
  ByteReader reader(payload);
  requireVersion(reader.varint());
  const std::uint8_t flags = reader.byte();
  const std::uint8_t agreement = flags & kAgreementBits;
  if (agreement > 2) throw Failure("sync.malformed", "A sync answer can't be read.");
  Welcome welcome;
  welcome.agreement = static_cast<Agreement>(agreement);
  welcome.rewind = (flags & kRewind) != 0;
  if ((flags & kTellsPosition) != 0) welcome.received = readPosition(reader);
  if ((flags & kTellsCursor) != 0) welcome.feed = readCursor(reader);
  welcome.feedHead = reader.varint();
  welcome.clockMs = static_cast<std::int64_t>(reader.varint());
  return welcome;
}

std::string encodeReceipts(const std::vector<std::string>& roots) {
  ByteWriter writer;
  writer.varint(roots.size());
  for (const std::string& root : roots) writer.raw(root);
  return writer.take();
}

std::vector<std::string> decodeReceipts(std::string_view payload) {
  ByteReader reader(payload);
  std::vector<std::string> roots(reader.count(16));
  for (std::string& root : roots) root = reader.raw(16);
  return roots;
}

}  // namespace waystation::sync

#include "sync/messages.h"

#include "crypto/failure.h"
#include "sync/byte_stream.h"

namespace waystation::sync {
namespace {

constexpr std::uint8_t kHasHead = 1;
constexpr std::uint8_t kHasDigest = 2;
constexpr std::size_t kHashSize = 32;
constexpr std::size_t kSignatureSize = 64;

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

std::string headToSign(const SignedHead& head) {
  ByteWriter writer;
  writer.raw("waystation chain head v1\n");
  writer.fixed64(head.incarnation);
  writer.fixed64(head.number);
  writer.raw(head.hash);
  return writer.take();
}

std::string encodeHello(const Hello& hello) {
  ByteWriter writer;
  writer.varint(kProtocolVersion);
  writePosition(hello.base, writer);
  writeCursor(hello.feed, writer);
  writer.varint(static_cast<std::uint64_t>(hello.clockMs));
  writer.byte(
      static_cast<std::uint8_t>((hello.head ? kHasHead : 0) | (hello.digest ? kHasDigest : 0)));
  if (hello.head) {
    writer.fixed64(hello.head->incarnation);
    writer.varint(hello.head->number);
    writer.raw(hello.head->hash);
    writer.raw(hello.head->signature);
  }
  if (hello.digest) writer.raw(sumBytes(*hello.digest));
  return writer.take();
}

Hello decodeHello(std::string_view payload) {
  ByteReader reader(payload);
  requireVersion(reader.varint());
  Hello hello;
  hello.base = readPosition(reader);
  hello.feed = readCursor(reader);
  hello.clockMs = static_cast<std::int64_t>(reader.varint());
  const std::uint8_t flags = reader.byte();
  if ((flags & kHasHead) != 0) {
    SignedHead head;
    head.incarnation = reader.fixed64();
    head.number = reader.varint();
    head.hash = reader.raw(kHashSize);
    head.signature = reader.raw(kSignatureSize);
    hello.head = std::move(head);
  }
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
  writer.fixed64(frame.incarnation);
  writer.varint(frame.firstNumber);
  writer.varint(frame.digests.size());
  for (const std::string& digest : frame.digests) writer.raw(digest);
  return writer.take();
}

GoneFrame decodeGone(std::string_view payload) {
  ByteReader reader(payload);
  GoneFrame frame;
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
  writePosition(welcome.received, writer);
  writer.byte(welcome.rewind ? 1 : 0);
  writeCursor(welcome.feed, writer);
  writer.varint(welcome.feedHead);
  writer.byte(static_cast<std::uint8_t>(welcome.agreement));
  writer.varint(static_cast<std::uint64_t>(welcome.clockMs));
  return writer.take();
}

Welcome decodeWelcome(std::string_view payload) {
  ByteReader reader(payload);
  requireVersion(reader.varint());
  Welcome welcome;
  welcome.received = readPosition(reader);
  welcome.rewind = reader.byte() != 0;
  welcome.feed = readCursor(reader);
  welcome.feedHead = reader.varint();
  const std::uint8_t agreement = reader.byte();
  if (agreement > 2) throw Failure("sync.malformed", "A sync answer can't be read.");
  welcome.agreement = static_cast<Agreement>(agreement);
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

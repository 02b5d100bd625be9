#include "sync/byte_stream.h"

#include "crypto/failure.h"

namespace waystation::sync {
namespace {

[[noreturn]] void malformed(const char* what) {
  throw Failure("sync.malformed", std::string("A sync message can't be read: ") + what +
                                      ". Nothing of this part was applied.");
}

}  // namespace

void ByteWriter::varint(std::uint64_t value) {
  while (value >= 0x80) {
    out_.push_back(static_cast<char>((value & 0x7F) | 0x80));
    value >>= 7;
  }
  out_.push_back(static_cast<char>(value));
}

void ByteWriter::zigzag(std::int64_t value) {
  varint((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
}

void ByteWriter::fixed64(std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out_.push_back(static_cast<char>(value >> shift));
}

void ByteWriter::string(std::string_view bytes) {
  varint(bytes.size());
  out_.append(bytes);
}

std::uint8_t ByteReader::byte() {
  return static_cast<std::uint8_t>(raw(1)[0]);
}

std::uint64_t ByteReader::varint() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const std::uint8_t next = byte();
    const std::uint64_t bits = next & 0x7FU;
    if (shift == 63 && bits > 1) malformed("a number is too large");
    value |= bits << shift;
    if ((next & 0x80U) == 0) {
      if (next == 0 && shift > 0) malformed("a number is not in its shortest form");
      return value;
    }
  }
  malformed("a number does not end");
}

std::int64_t ByteReader::zigzag() {
  const std::uint64_t value = varint();
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

std::uint64_t ByteReader::fixed64() {
  std::uint64_t value = 0;
  for (const char next : raw(8)) value = (value << 8) | static_cast<unsigned char>(next);
  return value;
}

std::string_view ByteReader::raw(std::size_t size) {
  if (size > rest_.size()) malformed("it ends too early");
  const std::string_view bytes = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return bytes;
}

std::string_view ByteReader::string() {
  const std::uint64_t size = varint();
  if (size > rest_.size()) malformed("it ends too early");
  return raw(static_cast<std::size_t>(size));
}

std::size_t ByteReader::count(std::size_t each) {
  const std::uint64_t value = varint();
  if (value > rest_.size() / each) malformed("it announces more than it holds");
  return static_cast<std::size_t>(value);
}

void ByteReader::expectEnd() const {
  if (!rest_.empty()) malformed("bytes are left over");
}

}  // namespace waystation::sync

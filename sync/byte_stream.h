#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace waystation::sync {

// The primitives of every encoding in docs/spec/sync.md: LEB128 variable-length unsigned integers
// (shortest form only), zigzag for signed ones, eight big-endian bytes for identities, and strings
// with their length in front.
class ByteWriter {
 public:
  void byte(std::uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void varint(std::uint64_t value);
  void zigzag(std::int64_t value);
  void fixed64(std::uint64_t value);
  void raw(std::string_view bytes) { out_.append(bytes); }
  void string(std::string_view bytes);

  const std::string& bytes() const { return out_; }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

// Reads what ByteWriter wrote; anything else throws Failure("sync.malformed"). Borrows its bytes.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  std::uint8_t byte();
  std::uint64_t varint();
  std::int64_t zigzag();
  std::uint64_t fixed64();
  std::string_view raw(std::size_t size);
  std::string_view string();
  // A count of things that take at least `each` bytes: more than can be left is refused, so that
  // what a message announces never costs more memory than a small multiple of its size.
  std::size_t count(std::size_t each = 1);

  bool atEnd() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }
  void expectEnd() const;

 private:
  std::string_view rest_;
};

// a - b as a signed difference that wraps, and back: deltas of unsigned columns.
inline std::int64_t difference(std::uint64_t a, std::uint64_t b) {
  return static_cast<std::int64_t>(a - b);
}

inline std::uint64_t advance(std::uint64_t base, std::int64_t delta) {
  return base + static_cast<std::uint64_t>(delta);
}

}  // namespace waystation::sync

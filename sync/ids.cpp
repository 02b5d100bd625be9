#include "sync/ids.h"

#include "crypto/failure.h"
#include "crypto/hash.h"

namespace waystation::sync {
namespace {

constexpr std::string_view kReferencePrefix = "\"urn:uuid:";
constexpr std::size_t kUuidLength = 36;

void appendBigEndian(std::string& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}

std::uint64_t readBigEndian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = (value << 8) | static_cast<unsigned char>(byte);
  return value;
}

}  // namespace

std::string RecordId::bytes() const {
  std::string out;
  out.reserve(16);
  appendBigEndian(out, replica);
  appendBigEndian(out, number);
  return out;
}

std::string RecordId::uuid() const {
  std::string text = crypto::toHex(bytes());
  for (const std::size_t position : {20U, 16U, 12U, 8U}) text.insert(position, 1, '-');
  return text;
}

std::optional<RecordId> RecordId::fromUuid(std::string_view text) {
  if (text.size() != kUuidLength) return std::nullopt;
  std::string hex;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const char c = text[i];
    if (dash != (c == '-')) return std::nullopt;
    if (dash) continue;
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return std::nullopt;
    hex.push_back(c);
  }
  return fromBytes(crypto::fromHex(hex));
}

RecordId RecordId::fromBytes(std::string_view sixteen) {
  if (sixteen.size() != 16) {
    throw Failure("sync.malformed", "A record's name is 16 bytes long; this one is not.");
  }
  return {readBigEndian(sixteen.substr(0, 8)), readBigEndian(sixteen.substr(8))};
}

std::string referenceValue(const RecordId& record) {
  return std::string(kReferencePrefix) + record.uuid() + "\"";
}

std::optional<RecordId> referencedRecord(std::string_view value) {
  if (value.size() != kReferencePrefix.size() + kUuidLength + 1) return std::nullopt;
  if (!value.starts_with(kReferencePrefix) || value.back() != '"') return std::nullopt;
  return RecordId::fromUuid(value.substr(kReferencePrefix.size(), kUuidLength));
}

}  // namespace waystation::sync

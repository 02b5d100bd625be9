#include "crypto/key_slot_codec.h"

#include "crypto/argon2_derivation.h"
#include "crypto/failure.h"
#include "crypto/hash.h"

namespace waystation::crypto {
namespace {

constexpr std::string_view kMagic = "WSKEYS\r\n";
constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kPreludeSize = 16;  // magic, version, slot count, file size: in every version
constexpr std::string_view kWrapPurpose = "waystation key slot v1";

[[noreturn]] void throwDamaged() {
  throw Failure("key.file-damaged",
                "The key file is damaged, so the store cannot be unlocked with it. Nothing was "
                "changed. Put back a copy of the key file that was made with the last backup.");
}

[[noreturn]] void throwTruncated() {
  throw Failure("key.file-truncated",
                "The key file is cut short, so the store cannot be unlocked with it. Nothing was "
                "changed. Put back a copy of the key file that was made with the last backup.");
}

[[noreturn]] void throwNewer() {
  throw Failure("key.file-newer",
                "The key file was written by a newer version of this program. Nothing was changed; "
                "install that version or a later one.");
}

void append(std::string& out, std::uint64_t value, int size) {
  for (int shift = (size - 1) * 8; shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift & 0xff));
  }
}

// Everything of a slot that is not the wrapped key, in the order of the file.
void appendDescription(std::string& out, const KeySlotRecord& slot) {
  append(out, slot.number, 2);
  append(out, static_cast<std::uint8_t>(slot.kind), 1);
  append(out, slot.label.size(), 1);
  append(out, slot.cost.passes, 4);
  append(out, slot.cost.memoryKiB, 4);
  append(out, slot.cost.lanes, 4);
  out += slot.salt;
  out += slot.label;
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  std::string_view take(std::size_t size) {
    if (size > rest_.size()) {
      throwDamaged();
    }
    const std::string_view result = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return result;
  }

  std::uint32_t number(std::size_t size) {
    std::uint32_t value = 0;
    for (const char byte : take(size)) {
      value = value << 8 | static_cast<unsigned char>(byte);
    }
    return value;
  }

  bool atEnd() const { return rest_.empty(); }

 private:
  std::string_view rest_;
};

bool hasAcceptableCost(const KeySlotRecord& slot) {
  if (slot.kind == SlotKind::kPassphrase) return isWithinLimits(slot.cost);
  return slot.cost.passes == 0 && slot.cost.memoryKiB == 0 && slot.cost.lanes == 0;
}

KeySlotRecord readSlot(Reader& reader, std::uint16_t previousNumber) {
  KeySlotRecord slot;
  slot.number = static_cast<std::uint16_t>(reader.number(2));
  const std::uint32_t kind = reader.number(1);
  const std::uint32_t labelSize = reader.number(1);
  slot.kind = static_cast<SlotKind>(kind);
  slot.cost.passes = reader.number(4);
  slot.cost.memoryKiB = reader.number(4);
  slot.cost.lanes = reader.number(4);
  slot.salt = reader.take(kSlotSaltSize);
  slot.label = reader.take(labelSize);
  slot.wrapped = reader.take(slot.kind == SlotKind::kRecovery ? kSealedSize : kWrappedSize);
  const bool kindKnown = slot.kind >= SlotKind::kPassphrase && slot.kind <= SlotKind::kHubShare;
  if (!kindKnown || slot.number <= previousNumber || slot.number > kMostSlots ||
      !isAcceptableLabel(slot.label) || !hasAcceptableCost(slot)) {
    throwDamaged();
  }
  return slot;
}

// Checks what every version of the file has: magic, stated size, trailing SHA-256, and only then
// the version, so that a flipped bit is not taken for a newer program's file.
std::string_view checkedBody(std::string_view image) {
  const std::string_view start = image.substr(0, kMagic.size());
  if (start != kMagic.substr(0, start.size())) {
    throwDamaged();
  }
  if (image.size() < kPreludeSize) {
    throwTruncated();
  }
  Reader prelude(image.substr(kMagic.size()));
  const std::uint32_t version = prelude.number(2);
  prelude.take(2);
  const std::uint32_t size = prelude.number(4);
  if (image.size() < size) {
    throwTruncated();
  }
  if (image.size() > size || size < kPreludeSize + kSha256Size) {
    throwDamaged();
  }
  const std::string_view body = image.substr(0, size - kSha256Size);
  if (view(sha256(body)) != image.substr(body.size())) {
    throwDamaged();
  }
  if (version > kVersion) {
    throwNewer();
  }
  if (version != kVersion) {
    throwDamaged();
  }
  return body;
}

}  // namespace

bool isAcceptableLabel(std::string_view label) {
  for (const char c : label) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      return false;
    }
  }
  return label.size() <= kMostLabelSize;
}

std::string associatedDataOf(std::string_view storeId, const KeySlotRecord& slot) {
  std::string result(kWrapPurpose);
  result += storeId;
  appendDescription(result, slot);
  return result;
}

std::string encodeKeySlotFile(const KeySlotFile& file) {
  std::string body;
  body += file.storeId;
  body += file.masterCheck;
  for (const KeySlotRecord& slot : file.slots) {
    appendDescription(body, slot);
    body += slot.wrapped;
  }
  std::string image(kMagic);
  append(image, kVersion, 2);
  append(image, file.slots.size(), 2);
  append(image, kPreludeSize + body.size() + kSha256Size, 4);
  image += body;
  image += view(sha256(image));
  return image;
}

KeySlotFile decodeKeySlotFile(std::string_view image) {
  if (image.size() > kMostKeyFileSize) {
    throwDamaged();
  }
  const std::string_view body = checkedBody(image);
  Reader reader(body);
  reader.take(kMagic.size() + 2);
  const std::uint32_t count = reader.number(2);
  reader.take(4);
  if (count == 0 || count > kMostSlots) {
    throwDamaged();
  }
  KeySlotFile file;
  file.storeId = reader.take(kStoreIdSize);
  file.masterCheck = reader.take(kMasterCheckSize);
  std::uint16_t previous = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    file.slots.push_back(readSlot(reader, previous));
    previous = file.slots.back().number;
  }
  if (!reader.atEnd()) {
    throwDamaged();
  }
  return file;
}

}  // namespace waystation::crypto

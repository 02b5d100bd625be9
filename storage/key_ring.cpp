// One slot, numbers big endian:
//
//   offset  size
//        0     8  magic "WSRING1\n"
//        8     8  sequence: the slot with the higher one counts; slot = sequence mod 2
//       16     4  size of the box
//       20        box: AES-256-GCM under HKDF-SHA-256(database key, info "waystation store key ring
//                 v1"): nonce (12), ciphertext, tag (16); associated data: bytes 0 to 19
//                 to 4,095: zeros
//
// In the box: current epoch (4), count (4), and for each epoch its number (4) and its key (32).
#include "storage/key_ring.h"

#include <string.h>

#include <cstring>
#include <string_view>
#include <utility>

#include "crypto/aead.h"
#include "crypto/failure.h"
#include "crypto/kdf.h"
#include "storage/page_format.h"

namespace waystation::storage {

namespace {

constexpr std::string_view kMagic{"WSRING1\n", 8};
constexpr std::size_t kHeadSize = 20;
constexpr std::size_t kKeySize = 32;
constexpr std::size_t kEntrySize = 4 + kKeySize;
constexpr std::size_t kMostEpochs = 16;

crypto::Secret ringKey(const crypto::Secret& databaseKey) {
  return crypto::hkdfSha256(databaseKey.view(), "", "waystation store key ring v1", kKeySize);
}

std::string word(std::uint32_t value) {
  std::string bytes(4, '\0');
  storeBigEndian32(bytes.data(), value);
  return bytes;
}

std::uint64_t sequenceOf(const std::string& slot) {
  return std::uint64_t{loadBigEndian32(slot.data() + 8)} << 32 | loadBigEndian32(slot.data() + 12);
}

crypto::Secret encoded(const KeyRing::Content& content) {
  crypto::Secret plain(8 + content.keys.size() * kEntrySize);
  storeBigEndian32(plain.data(), content.current);
  storeBigEndian32(plain.data() + 4, static_cast<std::uint32_t>(content.keys.size()));
  char* at = plain.data() + 8;
  for (const auto& [epoch, key] : content.keys) {
    storeBigEndian32(at, epoch);
    std::memcpy(at + 4, key.view().data(), kKeySize);
    at += kEntrySize;
  }
  return plain;
}

std::optional<KeyRing::Content> decoded(std::string_view plain) {
  KeyRing::Content content;
  if (plain.size() < 8) return std::nullopt;
  content.current = loadBigEndian32(plain.data());
  const std::size_t count = loadBigEndian32(plain.data() + 4);
  if (count == 0 || count > kMostEpochs || plain.size() != 8 + count * kEntrySize) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::string_view entry = plain.substr(8 + i * kEntrySize, kEntrySize);
    content.keys.emplace(loadBigEndian32(entry.data()), crypto::Secret::copyOf(entry.substr(4)));
  }
  if (!content.keys.contains(content.current)) return std::nullopt;
  return content;
}

}  // namespace

PlainFile& KeyRing::file() {
  if (file_) return *file_;
  // As a journal: the VFS underneath gives it the database's permissions, and syncs the directory
  // with the first sync of a new one.
  constexpr int kFlags = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  int result = SQLITE_CANTOPEN;
  auto opened = std::make_unique<PlainFile>(plain_, name_, kFlags, nullptr, result);
  if (result != SQLITE_OK) {
    throw Failure("store.sqlite", std::string(name_) + " can't be written. Nothing was changed.");
  }
  file_ = std::move(opened);
  return *file_;
}

std::optional<KeyRing::Content> KeyRing::load(const crypto::Secret& databaseKey) {
  int exists = 0;
  if (plain_.xAccess(&plain_, name_, SQLITE_ACCESS_EXISTS, &exists) != SQLITE_OK || exists == 0) {
    return std::nullopt;
  }
  int result = SQLITE_CANTOPEN;
  const PlainFile ring(plain_, name_, SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_READONLY, nullptr,
                       result);
  if (result != SQLITE_OK) {
    throw Failure("store.missing", std::string(name_) + " can't be opened. May this user read it?");
  }
  std::optional<Content> newest;
  // The first save begins with slot 1, and nothing is sealed before slot 0 is written, too.
  bool wasBegunOnly = false;
  std::string slot(kSlotSize, '\0');
  for (std::size_t number = 0; number < 2; ++number) {
    // The part of a short slot that is not there reads as zeros, and does not authenticate.
    const int got =
        ring.read(slot.data(), kSlotSize, static_cast<std::int64_t>(number * kSlotSize));
    if (got != SQLITE_OK && got != SQLITE_IOERR_SHORT_READ) continue;
    if (number == 0) wasBegunOnly = slot == std::string(kSlotSize, '\0');
    std::optional<Content> found = open(databaseKey, slot);
    if (!found || (newest && sequenceOf(slot) < sequence_)) continue;
    sequence_ = sequenceOf(slot);
    newest = std::move(found);
  }
  if (newest || wasBegunOnly) return newest;
  throw Failure("store.wrong-key",
                "The key does not open " + std::string(name_) +
                    ", where the keys of the store beside it are. Nothing was changed; use the key "
                    "that was made with this store, or put back a copy of that file.");
}

std::optional<KeyRing::Content> KeyRing::open(const crypto::Secret& databaseKey,
                                              const std::string& slot) {
  const std::size_t size = loadBigEndian32(slot.data() + 16);
  if (!slot.starts_with(kMagic) || size > kSlotSize - kHeadSize) return std::nullopt;
  std::optional<std::string> plain = crypto::openWithLeadingNonce(
      ringKey(databaseKey).view(), std::string_view(slot).substr(0, kHeadSize),
      std::string_view(slot).substr(kHeadSize, size));
  if (!plain) return std::nullopt;
  std::optional<Content> content = decoded(*plain);
  ::explicit_bzero(plain->data(), plain->size());
  return content;
}

void KeyRing::saveSlot(const crypto::Secret& databaseKey, const Content& content) {
  const std::uint64_t sequence = sequence_ + 1;
  const crypto::Secret plain = encoded(content);
  const std::size_t boxSize = crypto::kAeadNonceSize + plain.size() + crypto::kAeadTagSize;
  std::string slot(kMagic);
  slot += word(static_cast<std::uint32_t>(sequence >> 32));
  slot += word(static_cast<std::uint32_t>(sequence));
  slot += word(static_cast<std::uint32_t>(boxSize));
  slot += crypto::sealWithRandomNonce(random_, ringKey(databaseKey).view(), slot, plain.view());
  slot.resize(kSlotSize, '\0');
  const auto offset = static_cast<std::int64_t>((sequence % 2) * kSlotSize);
  const int result = file().write(slot.data(), kSlotSize, offset);
  if (result != SQLITE_OK) {
    throw Failure(result == SQLITE_FULL ? "store.full" : "store.sqlite",
                  std::string(name_) +
                      " could not be written: is the disk full? The keys are as "
                      "they were.");
  }
  file().sync();
  sequence_ = sequence;
}

void KeyRing::save(const crypto::Secret& databaseKey, const Content& content) {
  saveSlot(databaseKey, content);
  saveSlot(databaseKey, content);
}

}  // namespace waystation::storage

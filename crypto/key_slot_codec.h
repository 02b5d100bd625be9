#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/key_slots.h"
#include "crypto/password_hash.h"

namespace waystation::crypto {

// The key file's bytes, version 1; all numbers are big-endian (docs/spec/key-slots.md):
//
//   header   magic "WSKEYS\r\n" (8)  version u16  slot count u16  file size u32
//            store id (16)  master check (32)
//   slot     number u16  kind u8  label size u8  passes u32  memory KiB u32  lanes u32
//            salt (16)  label (label size)  wrapping:
//            1 to 3, 5     nonce (12)  wrapped master key with tag (48)
//            4             encapsulated key (32)  sealed master key with tag (48)
//   trailer  SHA-256 of everything before it (32)

inline constexpr std::size_t kStoreIdSize = 16;
inline constexpr std::size_t kMasterCheckSize = 32;
inline constexpr std::size_t kMasterKeySize = 32;
inline constexpr std::size_t kSlotSaltSize = 16;
inline constexpr std::size_t kWrappedSize = 12 + kMasterKeySize + 16;
inline constexpr std::size_t kSealedSize = 32 + kMasterKeySize + 16;  // of a recovery slot
inline constexpr std::size_t kMostLabelSize = 64;
inline constexpr std::size_t kMostSlots = 16;
inline constexpr std::size_t kMostKeyFileSize = 16 * 1024;

struct KeySlotRecord {
  std::uint16_t number = 0;  // 1 to kMostSlots
  SlotKind kind = SlotKind::kPassphrase;
  std::string label;
  Argon2Cost cost;      // all zero where nothing is stretched: all kinds but passphrases
  std::string salt;     // of a recovery slot: the key's id
  std::string wrapped;  // the wrapping, as above
};

struct KeySlotFile {
  std::string storeId;
  std::string masterCheck;
  std::vector<KeySlotRecord> slots;  // 1 to kMostSlots, by rising number
};

std::string encodeKeySlotFile(const KeySlotFile& file);

// Throws Failure: "key.file-truncated", "key.file-damaged", "key.file-newer".
KeySlotFile decodeKeySlotFile(std::string_view image);

// What the wrapping of the master key is bound to: the store and all of the slot but the wrapping.
std::string associatedDataOf(std::string_view storeId, const KeySlotRecord& slot);

bool isAcceptableLabel(std::string_view label);

}  // namespace waystation::crypto

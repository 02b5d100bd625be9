#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/password_hash.h"
#include "crypto/random.h"
#include "crypto/secret.h"

namespace waystation::crypto {

// The key file of a node: its 256-bit master key, wrapped once in each numbered slot. The file
// holds no secret in the clear; every change is written to a new file, synced, and renamed over the
// old one with the directory synced. Layout: docs/spec/key-slots.md.
enum class SlotKind : std::uint8_t { kPassphrase = 1, kKeyFile = 2 };

struct SlotInfo {
  int number = 0;
  SlotKind kind = SlotKind::kPassphrase;
  std::string label;
};

class KeySlots {
 public:
  // A new master key with one passphrase slot, written to `file`, which must not exist.
  // Throws Failure("key.file-exists"), and as addPassphrase.
  static KeySlots create(const std::filesystem::path& file, Random& random,
                         std::string_view passphrase, const Argon2Cost& cost = {});

  // Throws Failure: "key.file-missing", "key.file-unreadable", "key.file-truncated",
  // "key.file-damaged", "key.file-newer".
  explicit KeySlots(std::filesystem::path file);

  KeySlots(const KeySlots&);
  KeySlots& operator=(const KeySlots&);
  KeySlots(KeySlots&&) noexcept;
  KeySlots& operator=(KeySlots&&) noexcept;
  ~KeySlots();

  // The master key. Throws Failure("key.wrong-passphrase") / ("key.wrong-key-file") when no slot of
  // that kind opens; nothing is changed by a failed try.
  Secret openWithPassphrase(std::string_view passphrase) const;
  Secret openWithKeyFile(std::string_view keyFileContent) const;

  // Adding needs the master key, as opened above. Returns the slot's number; labels are 0 to 64
  // bytes without control characters. Throws Failure, with file and object as before:
  // "key.malformed" (not this file's master key), "key.malformed-label", "key.malformed-cost",
  // "key.passphrase-empty", "key.key-file-short", "key.too-many-slots", "key.file-changed" (someone
  // else wrote the file: open it again) and "key.write-failed".
  int addPassphrase(const Secret& master, Random& random, std::string_view passphrase,
                    const std::string& label, const Argon2Cost& cost = {});
  // `keyFileContent` is at least 32 bytes; hashed, not stretched.
  int addKeyFile(const Secret& master, Random& random, std::string_view keyFileContent,
                 const std::string& label);
  // Throws Failure("key.last-slot") rather than lock everybody out, "key.no-such-slot", and the
  // failures of writing. Who kept an older copy of the file can still open that copy.
  void remove(int number);

  std::vector<SlotInfo> list() const;
  // 16 random bytes drawn at creation: names the node's store, and is bound into every wrap.
  const std::string& storeId() const { return storeId_; }

 private:
  struct Contents;
  KeySlots(std::filesystem::path file, std::unique_ptr<Contents> contents);
  void requireMaster(const Secret& master) const;
  void write(std::unique_ptr<Contents> next);

  std::filesystem::path file_;
  std::string storeId_;
  std::string image_;  // the file's bytes as last read or written: no secret is in them
  std::unique_ptr<Contents> contents_;
};

}  // namespace waystation::crypto

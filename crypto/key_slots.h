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
enum class SlotKind : std::uint8_t {
  kPassphrase = 1,
  kKeyFile = 2,
  kCredential = 3,
  kRecovery = 4,
  kHubShare = 5
};

// What opens a slot: a passphrase; the content of a token's file or of a service's credential, at
// least 32 random bytes; the private recovery key, 32 bytes; the box's half and headquarters' half
// of the share, 32 random bytes each, one behind the other.
struct SlotSecret {
  SlotKind kind = SlotKind::kPassphrase;
  Secret bytes;
};

struct SlotInfo {
  int number = 0;
  SlotKind kind = SlotKind::kPassphrase;
  std::string label;
  std::string recoveryKeyId;  // kRecovery: whose private key opens it (crypto/recovery_key.h)
};

class KeySlots {
 public:
  // A new master key with one passphrase slot, written to `file`, which must not exist.
  // Throws Failure("key.file-exists"), and as add.
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

  struct Opened {
    Secret master;
    int slot = 0;
  };
  // The master key, and which slot gave it. Throws Failure when no slot of that kind opens:
  // "key.wrong-passphrase", "key.wrong-key-file", "key.wrong-credential", "key.wrong-recovery-key",
  // "key.wrong-hub-share".
  // Nothing is changed by a failed try.
  Opened open(SlotKind kind, std::string_view secret) const;
  Opened open(const SlotSecret& secret) const { return open(secret.kind, secret.bytes.view()); }

  // Adding needs the master key, as opened above. Returns the slot's number; labels are 0 to 64
  // bytes without control characters; `secret` as in SlotSecret, but for a recovery slot the
  // *public* key; `cost` counts for passphrases only. Throws Failure, with file and object as
  // before: "key.malformed" (not this file's master key), "key.malformed-label",
  // "key.malformed-cost", "key.passphrase-empty", "key.key-file-short", "hpke.malformed-key",
  // "key.too-many-slots", "key.file-changed" (someone else wrote the file: open it again) and
  // "key.write-failed".
  int add(const Secret& master, Random& random, SlotKind kind, std::string_view secret,
          const std::string& label, const Argon2Cost& cost = {});
  // Throws Failure("key.last-slot") rather than lock everybody out (headquarters' share is nothing
  // that somebody at hand could open with), "key.no-such-slot", and the
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

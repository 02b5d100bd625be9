#include "crypto/key_slots.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "crypto/argon2_derivation.h"
#include "crypto/failure.h"
#include "crypto/hash.h"
#include "crypto/key_file.h"
#include "crypto/key_slot_codec.h"
#include "crypto/key_slot_wrapping.h"

namespace waystation::crypto {
namespace {

constexpr std::size_t kLeastSecretSize = 32;  // of what is not stretched
constexpr std::size_t kHubShareSize = 64;     // two halves

void checkPassphrase(std::string_view passphrase, const Argon2Cost& cost) {
  if (passphrase.empty()) {
    throw Failure("key.passphrase-empty", "The passphrase is empty. Nothing was changed.");
  }
  if (!isWithinLimits(cost)) {
    throw Failure(
        "key.malformed-cost",
        "The cost of the passphrase is outside what any node would accept: at most 1 GiB "
        "of memory, 64 passes, 16 lanes, and 4 GiB over all passes. Nothing was changed.");
  }
}

KeySlotRecord describe(SlotKind kind, std::string_view secret, const std::string& label,
                       const Argon2Cost& cost) {
  if (!isAcceptableLabel(label)) {
    throw Failure("key.malformed-label",
                  "A slot's label has at most 64 bytes and no control characters. Nothing was "
                  "changed.");
  }
  if (kind == SlotKind::kPassphrase) {
    checkPassphrase(secret, cost);
  } else if (kind != SlotKind::kRecovery && secret.size() < kLeastSecretSize) {
    throw Failure("key.key-file-short",
                  "A token's file or a credential must have at least 32 bytes, all random. Nothing "
                  "was changed.");
  }
  if (kind == SlotKind::kHubShare && secret.size() != kHubShareSize) {
    throw Failure("key.malformed", "A share is two halves of 32 bytes. Nothing was changed.");
  }
  KeySlotRecord slot;
  slot.kind = kind;
  slot.label = label;
  slot.cost = kind == SlotKind::kPassphrase ? cost : Argon2Cost{0, 0, 0};
  return slot;
}

[[noreturn]] void throwWrong(SlotKind kind) {
  switch (kind) {
    case SlotKind::kPassphrase:
      throw Failure("key.wrong-passphrase",
                    "The passphrase opens no slot of the key file. Nothing was changed; check "
                    "capitals and the keyboard's language, and try again.");
    case SlotKind::kKeyFile:
      throw Failure("key.wrong-key-file",
                    "This token's file opens no slot of the key file. Nothing was changed; use the "
                    "token that was made for this store, or the passphrase.");
    case SlotKind::kCredential:
      throw Failure("key.wrong-credential",
                    "The service's credential opens no slot of the key file. Nothing was changed; "
                    "start with the passphrase, and make the credential again with `waystation key "
                    "add`.");
    case SlotKind::kHubShare:
      throw Failure("key.wrong-hub-share",
                    "What headquarters released opens no slot of the key file. Nothing was "
                    "changed; open with the passphrase, and make the slot again with `waystation "
                    "key add --kind hq-share`.");
    case SlotKind::kRecovery:
      break;
  }
  throw Failure("key.wrong-recovery-key",
                "This recovery key opens no slot of the key file. Nothing was changed; `waystation "
                "key list` says which recovery key does.");
}

// Slots stay sorted by number; a new one takes the first number that is free.
int insert(std::vector<KeySlotRecord>& slots, KeySlotRecord slot) {
  std::uint16_t number = 1;
  auto place = slots.begin();
  while (place != slots.end() && place->number == number) {
    ++place;
    ++number;
  }
  slot.number = number;
  slots.insert(place, std::move(slot));
  return number;
}

}  // namespace

struct KeySlots::Contents {
  KeySlotFile file;

  // The number must be known before the wrapping, which is bound to it.
  int add(KeySlotRecord slot, Random& random, const Secret& master, std::string_view secret) {
    if (file.slots.size() >= kMostSlots) {
      throw Failure("key.too-many-slots",
                    "All 16 slots of the key file are in use. Nothing was changed; remove one.");
    }
    const int number = insert(file.slots, std::move(slot));
    const auto added = std::find_if(file.slots.begin(), file.slots.end(),
                                    [number](const auto& each) { return each.number == number; });
    wrapMaster(*added, file.storeId, random, master, secret);
    return number;
  }

  std::optional<Opened> open(SlotKind kind, std::string_view secret) const {
    for (const KeySlotRecord& slot : file.slots) {
      if (slot.kind != kind) continue;
      if (std::optional<Secret> master = unwrapMaster(slot, file.storeId, secret)) {
        check(*master);
        return Opened{std::move(*master), slot.number};
      }
    }
    return std::nullopt;
  }

 private:
  void check(const Secret& master) const {
    if (!equalConstantTime(masterCheckOf(master, file.storeId), file.masterCheck)) {
      throw Failure("key.file-damaged",
                    "The key file holds a slot that belongs to another store. Nothing was changed. "
                    "Put back a copy of the key file that was made with the last backup.");
    }
  }
};

KeySlots::KeySlots(std::filesystem::path file, std::unique_ptr<Contents> contents)
    : file_(std::move(file)),
      storeId_(contents->file.storeId),
      image_(encodeKeySlotFile(contents->file)),
      contents_(std::move(contents)) {}

KeySlots KeySlots::create(const std::filesystem::path& file, Random& random,
                          std::string_view passphrase, const Argon2Cost& cost) {
  KeySlotRecord slot = describe(SlotKind::kPassphrase, passphrase, "passphrase", cost);
  Secret master(kMasterKeySize);
  random.fill(master.data(), master.size());
  auto contents = std::make_unique<Contents>();
  contents->file.storeId = random.bytes(kStoreIdSize);
  contents->file.masterCheck = masterCheckOf(master, contents->file.storeId);
  contents->add(std::move(slot), random, master, passphrase);
  KeySlots result(file, std::move(contents));
  createKeyFile(file, result.image_);
  return result;
}

KeySlots::KeySlots(std::filesystem::path file)
    : file_(std::move(file)),
      image_(readKeyFile(file_, kMostKeyFileSize)),
      contents_(std::make_unique<Contents>(Contents{decodeKeySlotFile(image_)})) {
  storeId_ = contents_->file.storeId;
}

KeySlots::KeySlots(const KeySlots& other)
    : file_(other.file_),
      storeId_(other.storeId_),
      image_(other.image_),
      contents_(std::make_unique<Contents>(*other.contents_)) {}

KeySlots& KeySlots::operator=(const KeySlots& other) {
  KeySlots copy(other);
  *this = std::move(copy);
  return *this;
}

KeySlots::KeySlots(KeySlots&&) noexcept = default;
KeySlots& KeySlots::operator=(KeySlots&&) noexcept = default;
KeySlots::~KeySlots() = default;

KeySlots::Opened KeySlots::open(SlotKind kind, std::string_view secret) const {
  std::optional<Opened> opened;
  if (kind == SlotKind::kPassphrase || secret.size() >= kLeastSecretSize) {
    opened = contents_->open(kind, secret);
  }
  if (!opened) throwWrong(kind);
  return std::move(*opened);
}

int KeySlots::add(const Secret& master, Random& random, SlotKind kind, std::string_view secret,
                  const std::string& label, const Argon2Cost& cost) {
  requireMaster(master);
  auto next = std::make_unique<Contents>(*contents_);
  const int number = next->add(describe(kind, secret, label, cost), random, master, secret);
  write(std::move(next));
  return number;
}

void KeySlots::remove(int number) {
  auto next = std::make_unique<Contents>(*contents_);
  std::vector<KeySlotRecord>& slots = next->file.slots;
  const auto found = std::find_if(slots.begin(), slots.end(),
                                  [number](const auto& each) { return each.number == number; });
  if (found == slots.end()) {
    throw Failure("key.no-such-slot",
                  "The key file has no slot " + std::to_string(number) + ". Nothing was changed.");
  }
  const bool isOneLeft = std::any_of(slots.begin(), slots.end(), [number](const auto& each) {
    return each.number != number && each.kind != SlotKind::kHubShare;
  });
  if (!isOneLeft) {
    throw Failure("key.last-slot",
                  "This is the last slot that somebody here could open the store with. Nothing "
                  "was changed; add another slot first.");
  }
  slots.erase(found);
  write(std::move(next));
}

std::vector<SlotInfo> KeySlots::list() const {
  std::vector<SlotInfo> result;
  for (const KeySlotRecord& slot : contents_->file.slots) {
    const bool isRecovery = slot.kind == SlotKind::kRecovery;
    result.push_back({slot.number, slot.kind, slot.label, isRecovery ? slot.salt : ""});
  }
  return result;
}

void KeySlots::requireMaster(const Secret& master) const {
  if (master.size() != kMasterKeySize ||
      !equalConstantTime(masterCheckOf(master, storeId_), contents_->file.masterCheck)) {
    throw Failure("key.malformed",
                  "The key given is not this store's master key. Nothing was changed.");
  }
}

void KeySlots::write(std::unique_ptr<Contents> next) {
  std::string image = encodeKeySlotFile(next->file);
  replaceKeyFile(file_, image_, image);
  image_ = std::move(image);
  contents_ = std::move(next);
}

}  // namespace waystation::crypto

#include "storage/key_epochs.h"

#include <utility>

#include "crypto/failure.h"
#include "crypto/kdf.h"

namespace waystation::storage {

namespace {

constexpr std::size_t kKeySize = 32;

crypto::Secret derived(const crypto::Secret& key, std::string_view purpose, std::size_t size) {
  return crypto::hkdfSha256(key.view(), "", purpose, size);
}

}  // namespace

StoreKeys::StoreKeys(const crypto::Secret& key) {
  if (key.size() != kKeySize) {
    throw Failure("key.malformed",
                  "A database key has 32 bytes; this one has " + std::to_string(key.size()) + ".");
  }
  page = derived(key, "waystation store page key v1", kKeySize);
  seal = derived(key, "waystation store header seal key v1", kKeySize);
  mask = derived(key, "waystation store header mask key v1", kKeySize);
  id = derived(key, "waystation store database id v1", 16).view();
  check = derived(key, "waystation store key check v1", 16).view();
}

KeyEpochs::KeyEpochs(const crypto::Secret& databaseKey) {
  std::map<std::uint32_t, crypto::Secret> first;
  first.emplace(1, databaseKey.clone());
  replace(std::move(first), 1);
  id_ = epochs_.at(1).derived->id;
  check_ = epochs_.at(1).derived->check;
}

std::shared_ptr<const StoreKeys> KeyEpochs::find(std::uint32_t epoch) const {
  const std::lock_guard lock(mutex_);
  const auto found = epochs_.find(epoch);
  return found == epochs_.end() ? nullptr : found->second.derived;
}

std::map<std::uint32_t, crypto::Secret> KeyEpochs::keys() const {
  const std::lock_guard lock(mutex_);
  std::map<std::uint32_t, crypto::Secret> keys;
  for (const auto& [number, epoch] : epochs_) keys.emplace(number, epoch.key.clone());
  return keys;
}

void KeyEpochs::replace(std::map<std::uint32_t, crypto::Secret> keys, std::uint32_t current) {
  std::map<std::uint32_t, Epoch> epochs;
  for (auto& [number, key] : keys) {
    auto derivedKeys = std::make_shared<const StoreKeys>(key);
    epochs.emplace(number, Epoch{std::move(key), std::move(derivedKeys)});
  }
  const std::lock_guard lock(mutex_);
  epochs_ = std::move(epochs);
  current_.store(current, std::memory_order_release);
  generation_.fetch_add(1, std::memory_order_release);
}

}  // namespace waystation::storage

#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "crypto/secret.h"

namespace waystation::storage {

// What is derived from one 256-bit key (docs/spec/store-format.md, section 1).
struct StoreKeys {
  // Throws Failure("key.malformed") unless the key has 32 bytes.
  explicit StoreKeys(const crypto::Secret& key);

  crypto::Secret page;
  crypto::Secret seal;
  crypto::Secret mask;
  std::string id;
  std::string check;
};

// The keys that a store's pages are under, by epoch. Everything is written under the current one.
// Safe to use from several threads.
class KeyEpochs {
 public:
  // Only epoch 1, under the database key itself. Throws Failure("key.malformed").
  explicit KeyEpochs(const crypto::Secret& databaseKey);

  const std::string& id() const { return id_; }
  const std::string& check() const { return check_; }

  std::uint32_t current() const { return current_.load(std::memory_order_acquire); }
  // Rises whenever the epochs change.
  std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }
  // Null when there is no such epoch, or no longer.
  std::shared_ptr<const StoreKeys> find(std::uint32_t epoch) const;

  // The epochs' own keys, for the key ring; a copy.
  std::map<std::uint32_t, crypto::Secret> keys() const;
  // Puts these in the place of all, `current` being one of them.
  void replace(std::map<std::uint32_t, crypto::Secret> keys, std::uint32_t current);

 private:
  struct Epoch {
    crypto::Secret key;
    std::shared_ptr<const StoreKeys> derived;
  };

  std::string id_;
  std::string check_;
  std::atomic<std::uint32_t> current_{1};
  std::atomic<std::uint64_t> generation_{0};
  mutable std::mutex mutex_;
  std::map<std::uint32_t, Epoch> epochs_;
};

}  // namespace waystation::storage

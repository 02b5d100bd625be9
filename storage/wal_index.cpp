#include "storage/wal_index.h"

#include <atomic>
#include <cstddef>

namespace waystation::storage {

volatile void* WalIndex::map(Holder& holder, int region, int size, bool extend) {
  const std::lock_guard lock(mutex_);
  if (!holder.mapped) {
    holder.mapped = true;
    ++mapped_;
  }
  const auto index = static_cast<std::size_t>(region);
  if (index >= regions_.size()) {
    if (!extend) return nullptr;
    while (regions_.size() <= index) {
      regions_.push_back(std::make_unique<char[]>(static_cast<std::size_t>(size)));
    }
  }
  return regions_[index].get();
}

bool WalIndex::lockShared(Holder& holder, int first, int count) {
  const std::lock_guard lock(mutex_);
  const unsigned mask = maskOf(first, count) & ~holder.shared;
  if ((exclusive_ & mask) != 0) return false;
  for (int slot = 0; slot < kSlots; ++slot) {
    if ((mask >> slot & 1U) != 0) ++sharedHolders_[static_cast<std::size_t>(slot)];
  }
  holder.shared |= mask;
  return true;
}

bool WalIndex::lockExclusive(Holder& holder, int first, int count) {
  const std::lock_guard lock(mutex_);
  const unsigned mask = maskOf(first, count) & ~holder.exclusive;
  if ((exclusive_ & mask) != 0) return false;
  for (int slot = 0; slot < kSlots; ++slot) {
    if ((mask >> slot & 1U) == 0) continue;
    const int own = static_cast<int>(holder.shared >> slot & 1U);
    if (sharedHolders_[static_cast<std::size_t>(slot)] > own) return false;
  }
  exclusive_ |= mask;
  holder.exclusive |= mask;
  return true;
}

void WalIndex::unlock(Holder& holder, int first, int count) {
  const std::lock_guard lock(mutex_);
  release(holder, maskOf(first, count));
}

void WalIndex::release(Holder& holder, unsigned mask) {
  for (int slot = 0; slot < kSlots; ++slot) {
    if ((holder.shared & mask) >> slot & 1U) --sharedHolders_[static_cast<std::size_t>(slot)];
  }
  exclusive_ &= ~(holder.exclusive & mask);
  holder.shared &= ~mask;
  holder.exclusive &= ~mask;
}

void WalIndex::barrier() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  const std::lock_guard lock(mutex_);
}

void WalIndex::unmap(Holder& holder) {
  const std::lock_guard lock(mutex_);
  release(holder, ~0U);
  if (!holder.mapped) return;
  holder.mapped = false;
  if (--mapped_ == 0) regions_.clear();
}

}  // namespace waystation::storage

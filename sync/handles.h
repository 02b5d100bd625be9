#pragma once

#include <cstddef>
#include <map>
#include <utility>
#include <vector>

namespace waystation::sync {

// What a direction of an exchange has named so far, numbered in the order in which it came. A
// writer looks entries up, a reader adds them.
template <typename Entry>
class Handles {
 public:
  // The entry's number, and whether it is new: then it follows its handle on the wire.
  std::pair<std::size_t, bool> of(const Entry& entry) {
    const auto [at, isNew] = index_.try_emplace(entry, entries_.size());
    if (isNew) entries_.push_back(entry);
    return {at->second, isNew};
  }
  void add(Entry entry) { entries_.push_back(std::move(entry)); }

  std::size_t size() const { return entries_.size(); }
  const Entry& operator[](std::size_t handle) const { return entries_[handle]; }

 private:
  std::map<Entry, std::size_t> index_;  // the writer's
  std::vector<Entry> entries_;
};

}  // namespace waystation::sync

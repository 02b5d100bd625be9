#pragma once

#include <cstdint>
#include <string>

namespace waystation::sync {

// Physical time, injected. Milliseconds since 1970, UTC.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t nowMs() const = 0;
};

class SystemClock final : public Clock {
 public:
  std::int64_t nowMs() const override;
};

// A hybrid logical clock (Kulkarni et al., 2014): 48 bits of milliseconds, 16 bits of a counter.
// Only breaks ties and tells time; nothing is ever refused for it.
using HybridTime = std::uint64_t;

inline std::int64_t physicalMs(HybridTime time) {
  return static_cast<std::int64_t>(time >> 16);
}

class HybridClock {
 public:
  // Borrows `physical`. `last` is the highest time that this node ever gave out or took in.
  HybridClock(const Clock& physical, HybridTime last) : physical_(physical), last_(last) {}

  // A time above all that were given out or observed.
  HybridTime next();
  // Takes in a received time, moving at most an hour past physical time.
  void observe(HybridTime received);
  HybridTime last() const { return last_; }

 private:
  const Clock& physical_;
  HybridTime last_;
};

// RFC 3339 with milliseconds, UTC: "2026-11-23T19:26:00.000Z".
std::string formatTime(std::int64_t milliseconds);

}  // namespace waystation::sync

#pragma once

#include <cstdint>

#include "sync/clock.h"

namespace waystation::testing {

// A clock that stands still until it is moved.
class ManualClock final : public sync::Clock {
 public:
  explicit ManualClock(std::int64_t milliseconds = 1'700'000'000'000) : now_(milliseconds) {}
  std::int64_t nowMs() const override { return now_; }
  void set(std::int64_t milliseconds) { now_ = milliseconds; }
  void advance(std::int64_t milliseconds) { now_ += milliseconds; }

 private:
  std::int64_t now_;
};

}  // namespace waystation::testing

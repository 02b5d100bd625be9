#include "sync/clock.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace waystation::sync {
namespace {

constexpr std::int64_t kFurthestAheadMs = 3'600'000;

HybridTime fromPhysical(std::int64_t milliseconds) {
  return static_cast<HybridTime>(std::max<std::int64_t>(milliseconds, 0)) << 16;
}

}  // namespace

std::int64_t SystemClock::nowMs() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

HybridTime HybridClock::next() {
  last_ = std::max(last_ + 1, fromPhysical(physical_.nowMs()));
  return last_;
}

void HybridClock::observe(HybridTime received) {
  const HybridTime limit = fromPhysical(physical_.nowMs() + kFurthestAheadMs);
  last_ = std::max(last_, std::min(received, limit));
}

std::string formatTime(std::int64_t milliseconds) {
  const std::time_t seconds = static_cast<std::time_t>(milliseconds / 1000);
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 40> text{};
  const int length =
      std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                    parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                    parts.tm_min, parts.tm_sec, static_cast<int>(milliseconds % 1000));
  return {text.data(), static_cast<std::size_t>(std::max(length, 0))};
}

}  // namespace waystation::sync

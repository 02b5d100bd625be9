#include "server/http/line_budget.h"

#include <charconv>

#include "crypto/failure.h"
#include "sync/clock.h"

namespace waystation::http {
namespace {

constexpr std::string_view kSetKey = "sync.budget";  // "BYTES day" or "BYTES month"
constexpr std::string_view kUsedKey = "sync.used";   // "BYTES 2026-11-30"
constexpr std::size_t kDayLength = 10;               // of 2026-11-30T...
constexpr std::size_t kMonthLength = 7;
// Measured on an idle exchange and on a connection that was opened for it, rounded up.
constexpr std::uint64_t kBytesOfAConnection = 4000;
constexpr std::uint64_t kBytesOfARequest = 250;
constexpr std::uint64_t kOneIn = 20;  // of a long body, what packets and records add

struct Numbered {
  std::uint64_t number = 0;
  std::string word;
};

Numbered read(const std::optional<std::string>& kept) {
  Numbered numbered;
  if (!kept) return numbered;
  const char* const end = kept->data() + kept->size();
  const auto [at, error] = std::from_chars(kept->data(), end, numbered.number);
  if (error == std::errc() && at != end) numbered.word.assign(at + 1, end);
  return numbered;
}

}  // namespace

LineBudget::LineBudget(server::Node& node) : node_(node) {
  node_.read([&](storage::Store& store) {
    const Numbered set = read(store.meta(kSetKey));
    const Numbered used = read(store.meta(kUsedKey));
    kept_ = {set.number, set.word, used.number};
    usedIn_ = used.word;
  });
}

std::string LineBudget::now() const {
  return sync::formatTime(node_.clock().nowMs())
      .substr(0, kept_.period == "month" ? kMonthLength : kDayLength);
}

void LineBudget::set(std::uint64_t bytes, std::string_view period) {
  if (period != "day" && period != "month") {
    throw Failure("sync.budget-period", "A budget is for a day or for a month. Nothing was set.");
  }
  node_.write([&](sync::Work& work) {
    work.store().setMeta(kSetKey, std::to_string(bytes) + ' ' + std::string(period));
    work.store().setMeta(kUsedKey, "");
  });
  const std::lock_guard lock(mutex_);
  kept_ = {bytes, std::string(period), 0};
  usedIn_.clear();
}

void LineBudget::use(std::uint64_t bytes, std::uint64_t connections, std::uint64_t requests) {
  std::string used;
  {
    const std::lock_guard lock(mutex_);
    if (kept_.bytes == 0) return;
    const std::string today = now();
    if (usedIn_ != today) kept_.used = 0;
    usedIn_ = today;
    kept_.used +=
        bytes + bytes / kOneIn + connections * kBytesOfAConnection + requests * kBytesOfARequest;
    used = std::to_string(kept_.used) + ' ' + usedIn_;
  }
  // Whoever holds the writer may ask for the state: nobody may wait for it with the lock.
  node_.write([&](sync::Work& work) { work.store().setMeta(kUsedKey, used); });
}

Json jsonOf(const LineBudget::State& state) {
  if (state.bytes == 0) return nullptr;
  return {{"bytes", state.bytes}, {"per", state.period}, {"used", state.used}};
}

LineBudget::State LineBudget::state() const {
  const std::lock_guard lock(mutex_);
  State state = kept_;
  if (usedIn_ != now()) state.used = 0;
  return state;
}

}  // namespace waystation::http

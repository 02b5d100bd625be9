#include "server/cases/progress_bar.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace waystation::cases {

namespace {

constexpr std::size_t kShortestBar = 10;
constexpr std::size_t kLongestBar = 40;
constexpr double kSecondsBetween = 0.1;

double fractionOf(const ProgressState& state) {
  if (state.bytesTotal == 0) return 0;
  return std::min(1.0,
                  static_cast<double>(state.bytesDone) / static_cast<double>(state.bytesTotal));
}

}  // namespace

std::string groupedNumber(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string durationText(double seconds) {
  const auto whole = static_cast<std::uint64_t>(std::llround(std::max(seconds, 0.0)));
  const std::uint64_t hours = whole / 3600;
  const std::uint64_t minutes = whole / 60 % 60;
  if (hours > 0) return std::to_string(hours) + " h " + std::to_string(minutes) + " min";
  if (minutes > 0) return std::to_string(minutes) + " min " + std::to_string(whole % 60) + " s";
  return std::to_string(whole) + " s";
}

std::string progressLine(const ProgressState& state, std::size_t width) {
  const double fraction = fractionOf(state);
  std::string numbers;
  if (state.bytesTotal > 0) {
    const std::string percent = std::to_string(static_cast<int>(fraction * 100));
    numbers += std::string(3 - std::min<std::size_t>(3, percent.size()), ' ') + percent + " %  ";
  }
  numbers += groupedNumber(state.rows) + (state.rows == 1 ? " row" : " rows");
  if (state.seconds > 0) {
    const double rate = static_cast<double>(state.rows) / state.seconds;
    numbers += "  " + groupedNumber(static_cast<std::uint64_t>(rate)) + " rows/s";
  }
  if (fraction >= 1) {
    numbers += "  in " + durationText(state.seconds);
  } else if (fraction > 0 && state.seconds > 0) {
    numbers += "  about " + durationText(state.seconds / fraction - state.seconds) + " left";
  }
  if (numbers.size() >= width) return numbers.substr(0, width);
  const std::size_t room = width - numbers.size();
  if (state.bytesTotal == 0 || room < kShortestBar + 4) return numbers;
  const std::size_t bar = std::min(room - 4, kLongestBar);
  const auto full = static_cast<std::size_t>(fraction * static_cast<double>(bar));
  std::string line = "[";
  line.append(full, '#').append(bar - full, '.').append("]  ").append(numbers);
  return line;
}

ProgressWriter::ProgressWriter(std::ostream& stream, bool isTerminal, std::function<double()> clock,
                               std::size_t width)
    : stream_(stream),
      isTerminal_(isTerminal),
      clock_(std::move(clock)),
      width_(width),
      start_(clock_()) {}

void ProgressWriter::show(std::uint64_t bytesDone, std::uint64_t bytesTotal, std::uint64_t rows) {
  const double now = clock_() - start_;
  state_ = {bytesDone, bytesTotal, rows, now};
  isPending_ = true;
  const auto tenth = static_cast<std::uint64_t>(fractionOf(state_) * 10);
  const bool isDue =
      isTerminal_ ? lastShown_ < 0 || now - lastShown_ >= kSecondsBetween : tenth > lastTenth_;
  if (!isDue) return;
  lastShown_ = now;
  lastTenth_ = tenth;
  write();
}

void ProgressWriter::write() {
  isPending_ = false;
  hasLine_ = true;
  const std::string line = progressLine(state_, width_);
  if (isTerminal_) {
    // Spaces over what a longer line left behind.
    stream_ << '\r' << line << std::string(lastLength_ - std::min(lastLength_, line.size()), ' ');
    lastLength_ = line.size();
  } else {
    stream_ << line << '\n';
  }
  stream_.flush();
}

void ProgressWriter::finish() {
  if (isPending_) write();
  if (hasLine_ && isTerminal_) {
    stream_ << '\n';
    stream_.flush();
  }
}

}  // namespace waystation::cases

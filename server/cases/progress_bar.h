#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>

namespace waystation::cases {

// How far a long piece of work has come.
struct ProgressState {
  std::uint64_t bytesDone = 0;
  std::uint64_t bytesTotal = 0;  // 0: not known
  std::uint64_t rows = 0;
  double seconds = 0;  // since the start
};

// "[######....]  60 %  6,000 rows  1,200 rows/s  about 4 s left", at most `width` characters: the
// bar takes what the numbers leave, and goes first where there is no room for it.
std::string progressLine(const ProgressState& state, std::size_t width);

// "13,367".
std::string groupedNumber(std::uint64_t number);

// "4 s", "3 min 20 s", "2 h 5 min".
std::string durationText(double seconds);

// Writes progress for people: on a terminal one line that changes in place, at most ten times a
// second; elsewhere (a log, a pipe) a line of its own for every tenth of the work. Borrows the
// stream.
class ProgressWriter {
 public:
  // `clock` gives seconds from any fixed point, never backwards.
  ProgressWriter(std::ostream& stream, bool isTerminal, std::function<double()> clock,
                 std::size_t width = 80);

  void show(std::uint64_t bytesDone, std::uint64_t bytesTotal, std::uint64_t rows);
  // Shows the last state, whenever it was, and ends the line.
  void finish();

 private:
  void write();

  std::ostream& stream_;
  bool isTerminal_;
  std::function<double()> clock_;
  std::size_t width_;
  double start_;
  double lastShown_ = -1;
  std::uint64_t lastTenth_ = 0;
  std::size_t lastLength_ = 0;
  bool isPending_ = false;
  bool hasLine_ = false;
  ProgressState state_;
};

}  // namespace waystation::cases

#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "server/http/json.h"
#include "sync/clock.h"

namespace waystation::server {

enum class LogLevel { kError, kWarning, kInfo, kDebug };

// "error", "warning", "info" or "debug"; nothing for any other name.
std::optional<LogLevel> logLevelNamed(std::string_view name);

// What the running server says for those who look after it: one JSON object a line,
//
//   {"event", "level", "time", ...}      docs/technician.md, "The log"
//
// It may go to people who may see no case and no colleague: nothing personal is ever written. So
// codes and patterns of addresses are, sentences, names, ids of records and addresses are not.
class Log {
 public:
  // Borrows the clock and the descriptor. What is less urgent than `least` is left out.
  Log(int descriptor, LogLevel least, const sync::Clock& clock)
      : descriptor_(descriptor), least_(least), clock_(clock) {}

  bool takes(LogLevel level) const { return level <= least_; }

  // From any thread. What can't be written is dropped: the log holds nobody up.
  void write(LogLevel level, std::string_view event, http::Json fields) const noexcept;

 private:
  const int descriptor_;
  const LogLevel least_;
  const sync::Clock& clock_;
};

}  // namespace waystation::server

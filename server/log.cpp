#include "server/log.h"

#include <unistd.h>

#include <array>
#include <utility>

namespace waystation::server {
namespace {

constexpr std::array<std::pair<std::string_view, LogLevel>, 4> kLevels = {{
    {"error", LogLevel::kError},
    {"warning", LogLevel::kWarning},
    {"info", LogLevel::kInfo},
    {"debug", LogLevel::kDebug},
}};

std::string_view nameOf(LogLevel level) {
  for (const auto& [name, known] : kLevels) {
    if (known == level) return name;
  }
  return {};
}

}  // namespace

std::optional<LogLevel> logLevelNamed(std::string_view name) {
  for (const auto& [known, level] : kLevels) {
    if (known == name) return level;
  }
  return std::nullopt;
}

void Log::write(LogLevel level, std::string_view event, http::Json fields) const noexcept {
  if (!takes(level)) return;
  try {
    fields["event"] = event;
    fields["level"] = nameOf(level);
    fields["time"] = sync::formatTime(clock_.nowMs());
    // In one call, so that lines of several threads do not mix.
    const std::string line = http::canonicalJson(fields) + "\n";
    [[maybe_unused]] const ssize_t written = ::write(descriptor_, line.data(), line.size());
  } catch (const std::exception&) {
    // No memory for the line: what it was about goes on.
  }
}

}  // namespace waystation::server

#include "tests/simulator/event.h"

#include <array>
#include <sstream>
#include <utility>

namespace waystation::simulator {
namespace {

constexpr std::array<const char*, 17> kKinds = {
    "create",  "read", "save",    "delete", "hand-over", "exchange", "send",  "part",    "arrive",
    "restart", "copy", "restore", "clock",  "clone",     "attack",   "erase", "failover"};

using Member = std::pair<const char*, std::int64_t Event::*>;

constexpr std::array<Member, 24> kMembers = {{{"serial", &Event::serial},
                                              {"after", &Event::afterMs},
                                              {"node", &Event::node},
                                              {"record", &Event::record},
                                              {"second", &Event::second},
                                              {"root", &Event::root},
                                              {"names", &Event::names},
                                              {"page", &Event::page},
                                              {"field", &Event::field},
                                              {"fields", &Event::fields},
                                              {"office", &Event::office},
                                              {"scope", &Event::scope},
                                              {"value", &Event::value},
                                              {"amount", &Event::amount},
                                              {"cut-up", &Event::cutUp},
                                              {"cut-down", &Event::cutDown},
                                              {"up-bytes", &Event::upBytes},
                                              {"down-bytes", &Event::downBytes},
                                              {"crash-after", &Event::crashAfter},
                                              {"crash-at-hub", &Event::crashAtHub},
                                              {"repeat", &Event::repeat},
                                              {"strange", &Event::strange},
                                              {"lie", &Event::lie},
                                              {"stale", &Event::stale}}};

}  // namespace

std::string printed(const Event& event) {
  const Event plain;
  std::string line = kKinds.at(static_cast<std::size_t>(event.kind));
  for (const auto& [name, member] : kMembers) {
    if (event.*member == plain.*member) continue;
    line += ' ';
    line += name;
    line += '=' + std::to_string(event.*member);
  }
  return line;
}

std::optional<Event> parsedEvent(std::string_view line) {
  std::istringstream words{std::string(line)};
  std::string word;
  Event event;
  words >> word;
  std::size_t kind = 0;
  while (kind < kKinds.size() && word != kKinds.at(kind)) ++kind;
  if (kind == kKinds.size()) return std::nullopt;
  event.kind = static_cast<EventKind>(kind);
  while (words >> word) {
    const std::size_t equals = word.find('=');
    if (equals == std::string::npos) return std::nullopt;
    bool known = false;
    for (const auto& [name, member] : kMembers) {
      if (word.compare(0, equals, name) != 0) continue;
      event.*member = std::stoll(word.substr(equals + 1));
      known = true;
    }
    if (!known) return std::nullopt;
  }
  return event;
}

}  // namespace waystation::simulator

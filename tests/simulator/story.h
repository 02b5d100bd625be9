#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/simulator/world.h"

namespace waystation::simulator {

// What came of one seed, or of one story told again.
struct Outcome {
  std::vector<Event> story;
  std::int64_t changes = 0;
  std::map<std::string, std::int64_t> faults;
  std::vector<Violation> violations;
  std::string trace;
};

// Told now and then of how far a story has come.
struct Progress {
  std::size_t events = 0;
  std::int64_t of = 0;
  bool isHealing = false;
};
using Watcher = std::function<void(const Progress&)>;

// Makes up the story of a seed while it happens, then heals and checks.
Outcome lived(const Settings& settings, const Watcher& watcher = {});

// The same events once more, then heals and checks.
Outcome retold(const Settings& settings, const std::vector<Event>& story);

// The shortest story found that still breaks the same promise: events are left out, many at once
// at first (delta debugging, Zeller 1999), and it is told again: first without all that happens at
// half of the boxes, a quarter and so on, then without single stretches. Ends when so many events
// were told; to begin a world counts as one for each of its boxes.
std::vector<Event> shortest(const Settings& settings, std::vector<Event> story,
                            const std::string& rule, std::int64_t events);

}  // namespace waystation::simulator

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

// Makes up the story of a seed while it happens, then heals and checks.
Outcome lived(const Settings& settings);

// The same events once more, then heals and checks.
Outcome retold(const Settings& settings, const std::vector<Event>& story);

// The shortest story found that still breaks the same promise: events are left out, many at once
// at first (delta debugging, Zeller 1999), and it is told again. At most `tries` times.
std::vector<Event> shortest(const Settings& settings, std::vector<Event> story,
                            const std::string& rule, int tries);

}  // namespace waystation::simulator

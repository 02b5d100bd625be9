#include "tests/simulator/story.h"

#include <algorithm>

#include "tests/simulator/author.h"

namespace waystation::simulator {
namespace {

void finish(World& world, Outcome& outcome) {
  world.heal();
  outcome.changes = world.changes();
  outcome.faults = world.faults();
  outcome.violations = world.violations();
  outcome.trace = world.trace();
}

bool breaks(const Outcome& outcome, const std::string& rule) {
  return std::any_of(outcome.violations.begin(), outcome.violations.end(),
                     [&](const Violation& violation) { return violation.rule == rule; });
}

}  // namespace

Outcome lived(const Settings& settings) {
  World world(settings);
  Author author(settings);
  Outcome outcome;
  while (static_cast<std::int64_t>(outcome.story.size()) < author.length()) {
    outcome.story.push_back(author.next(world));
    world.apply(outcome.story.back());
    if (!world.violations().empty()) break;
  }
  finish(world, outcome);
  return outcome;
}

Outcome retold(const Settings& settings, const std::vector<Event>& story) {
  World world(settings);
  Outcome outcome;
  outcome.story = story;
  for (const Event& event : story) {
    world.apply(event);
    if (!world.violations().empty()) break;
  }
  finish(world, outcome);
  return outcome;
}

std::vector<Event> shortest(const Settings& settings, std::vector<Event> story,
                            const std::string& rule, int tries) {
  for (std::size_t piece = std::max<std::size_t>(story.size() / 2, 1);;) {
    bool shrunk = false;
    for (std::size_t end = story.size(); end > 0 && tries > 0;) {
      const std::size_t begin = end > piece ? end - piece : 0;
      std::vector<Event> shorter(story.begin(), story.begin() + std::ptrdiff_t(begin));
      shorter.insert(shorter.end(), story.begin() + std::ptrdiff_t(end), story.end());
      --tries;
      if (breaks(retold(settings, shorter), rule)) {
        story = std::move(shorter);
        shrunk = true;
      }
      end = begin;
    }
    if (tries <= 0 || (piece == 1 && !shrunk)) return story;
    if (piece > 1) piece = (piece + 1) / 2;
  }
}

}  // namespace waystation::simulator

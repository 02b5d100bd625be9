#include "tests/simulator/story.h"

#include <algorithm>
#include <set>

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

// What is left of a story, and how many events may still be told to find less of it.
class Shortening {
 public:
  Shortening(const Settings& settings, std::vector<Event> story, std::string rule,
             std::int64_t events)
      : settings_(settings), story_(std::move(story)), rule_(std::move(rule)), left_(events) {}

  const std::vector<Event>& story() const { return story_; }
  bool isOver() const { return left_ <= 0; }

  // Keeps what is shorter where it breaks the promise too.
  bool attempt(std::vector<Event> shorter) {
    if (shorter.size() == story_.size() || isOver()) return false;
    left_ -= static_cast<std::int64_t>(shorter.size()) + settings_.offices + settings_.phones;
    if (!breaks(retold(settings_, shorter), rule_)) return false;
    story_ = std::move(shorter);
    return true;
  }

 private:
  const Settings& settings_;
  std::vector<Event> story_;
  std::string rule_;
  std::int64_t left_;
};

// Leaves out all that happens at some boxes: what few of them did breaks most promises.
void leaveOutBoxes(Shortening& left) {
  std::set<std::int64_t> all;
  for (const Event& event : left.story()) all.insert(event.node);
  std::vector<std::int64_t> boxes(all.begin(), all.end());
  for (std::size_t piece = (boxes.size() + 1) / 2; piece > 0 && !left.isOver(); piece /= 2) {
    for (std::size_t end = boxes.size(); end > 0;) {
      const std::size_t begin = end > piece ? end - piece : 0;
      const std::set<std::int64_t> out(boxes.begin() + std::ptrdiff_t(begin),
                                       boxes.begin() + std::ptrdiff_t(end));
      std::vector<Event> shorter = left.story();
      std::erase_if(shorter, [&](const Event& event) { return out.contains(event.node); });
      if (left.attempt(std::move(shorter))) {
        boxes.erase(boxes.begin() + std::ptrdiff_t(begin), boxes.begin() + std::ptrdiff_t(end));
      }
      end = begin;
    }
  }
}

void leaveOutStretches(Shortening& left) {
  for (std::size_t piece = std::max<std::size_t>(left.story().size() / 2, 1);;) {
    bool shrunk = false;
    for (std::size_t end = left.story().size(); end > 0 && !left.isOver();) {
      const std::size_t begin = end > piece ? end - piece : 0;
      const std::vector<Event>& story = left.story();
      std::vector<Event> shorter(story.begin(), story.begin() + std::ptrdiff_t(begin));
      shorter.insert(shorter.end(), story.begin() + std::ptrdiff_t(end), story.end());
      shrunk = left.attempt(std::move(shorter)) || shrunk;
      end = begin;
    }
    if (left.isOver() || (piece == 1 && !shrunk)) return;
    if (piece > 1) piece = (piece + 1) / 2;
  }
}

}  // namespace

Outcome lived(const Settings& settings, const Watcher& watcher) {
  World world(settings);
  Author author(settings);
  Outcome outcome;
  while (static_cast<std::int64_t>(outcome.story.size()) < author.length()) {
    if (watcher) watcher({outcome.story.size(), author.length(), false});
    outcome.story.push_back(author.next(world));
    world.apply(outcome.story.back());
    if (!world.violations().empty()) break;
  }
  if (watcher) watcher({outcome.story.size(), author.length(), true});
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
                            const std::string& rule, std::int64_t events) {
  Shortening left(settings, std::move(story), rule, events);
  leaveOutBoxes(left);
  leaveOutStretches(left);
  return left.story();
}

}  // namespace waystation::simulator

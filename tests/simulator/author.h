#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/simulator/world.h"

namespace waystation::simulator {

// Makes up a story as it happens: looks at the world, as its people would, and draws what happens
// next. Which kinds of fault a story has, and how often, is drawn first (a swarm), so that some
// stories are calm but for one thing.
class Author {
 public:
  explicit Author(const Settings& settings);
  // About how many events the story has.
  std::int64_t length() const { return length_; }
  Event next(World& world);

 private:
  using Maker = std::optional<Event> (Author::*)(World&);
  std::optional<Event> creation(World& world);
  std::optional<Event> reading(World& world);
  std::optional<Event> saving(World& world);
  std::optional<Event> handingOver(World& world);
  std::optional<Event> exchanging(World& world);
  std::optional<Event> sending(World& world);
  std::optional<Event> arriving(World& world);
  std::optional<Event> restarting(World& world);
  std::optional<Event> copying(World& world);
  std::optional<Event> restoring(World& world);
  std::optional<Event> jumping(World& world);

  std::optional<Event> deleting(World& world);
  std::optional<Event> cloning(World& world);
  std::optional<Event> attacking(World& world);
  std::optional<Event> erasing(World& world);
  std::optional<Event> failingOver(World& world);

  void spoil(Event& event);
  std::int64_t draw(std::int64_t below);
  bool chance(int percent) { return draw(100) < percent; }
  std::int64_t placeToCall(std::int64_t box);
  std::int64_t anyOffice() { return 1 + draw(settings_.offices); }
  std::int64_t anybody(World& world);
  std::int64_t someRecord(World& world, std::int64_t box, bool rootsOnly);
  std::int64_t anyToRestore(World& world);
  std::int64_t crashPoint();
  std::int64_t someScope();

  Settings settings_;
  testing::SeededRandom random_;
  std::int64_t length_ = 0;
  std::int64_t serial_ = 0;
  std::vector<std::pair<int, Maker>> makers_;
  int weights_ = 0;
  // The swarm: per cent.
  int cuts_ = 0;
  int crashes_ = 0;
  int repeats_ = 0;
  int strangers_ = 0;
  int smallFrames_ = 0;
  int roams_ = 0;
  int lies_ = 0;
};

}  // namespace waystation::simulator

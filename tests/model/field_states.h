#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tests/model/model.h"

namespace waystation::model {

// From 64-bit keys to numbers, in one piece of memory: there are many.
class NumberMap {
 public:
  NumberMap() : slots_(1U << 16U) {}
  // Where the number of this key stands; kNone where it is new.
  std::uint32_t& operator[](std::uint64_t key);
  std::size_t size() const { return size_; }
  static constexpr std::uint32_t kNone = UINT32_MAX;

 private:
  struct Slot {
    std::uint64_t key = 0;
    std::uint32_t number = kNone;
    bool used = false;
  };
  std::size_t placeOf(std::uint64_t key) const;
  void grow();
  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

// States of one field, each once, and what the real join makes of them, each join done once.
class FieldStates {
 public:
  static constexpr int kWrites = 9;  // three of each of three replicas
  using Id = std::uint32_t;

  explicit FieldStates(Join join);

  // A write that has seen this; the same number for the same.
  Id write(int number, const sync::Context& seen);
  Id empty() const { return 0; }
  Id joined(Id state, Id write);
  // `from` as the other's pruned record; kBroken where order or repetition matters.
  Id merged(Id state, Id from);
  static constexpr Id kBroken = UINT32_MAX - 1;

  unsigned shown(Id state) const { return states_[state].shown; }
  unsigned covered(Id state) const { return states_[state].covered; }  // by its context
  sync::Field field(Id state) const;
  std::size_t states() const { return states_.size(); }
  std::size_t joins() const { return joins_.size(); }

  static sync::Dot dotOf(int number);

 private:
  struct State {
    std::array<std::uint16_t, kWrites> writes;
    std::uint16_t count = 0;
    std::uint16_t shown = 0;
    std::uint16_t covered = 0;
  };
  Id stateOf(const sync::Field& field);
  bool isPruned(const sync::Field& field, const State& state) const;

  Join join_;
  std::vector<sync::Change> writes_;
  std::map<std::pair<int, std::string>, Id> writeIds_;
  std::vector<State> states_;
  std::map<std::vector<std::uint16_t>, Id> stateIds_;
  NumberMap joins_;
  NumberMap merges_;
};

}  // namespace waystation::model

#pragma once

#include <cstdint>

#include "tests/support/sync_nodes.h"

namespace waystation::simulator {

// Kills a node's process after so many steps of its store, wherever that is: in the middle of a
// statement, between two, or after a commit of which nobody was told. From then on every use of
// the store fails, as for a process that is no more, until this object goes; what was not
// committed is undone then. Borrows the node. `afterSteps` 0: never.
class Crash {
 public:
  Crash(testing::TestNode& node, std::int64_t afterSteps);
  ~Crash();
  Crash(const Crash&) = delete;
  Crash& operator=(const Crash&) = delete;

  bool happened() const { return armed_ && left_ <= 0; }

 private:
  static int onStep(void* self);
  testing::TestNode& node_;
  bool armed_;
  std::int64_t left_;
};

}  // namespace waystation::simulator

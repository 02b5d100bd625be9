#pragma once

#include <chrono>
#include <mutex>
#include <string>

#include "server/node.h"
#include "server/recurring.h"

namespace waystation::server {

// Raises the node's high-water mark while its server runs (storage/high_water_mark.h): now and
// then, where something was saved since. An older copy of the store, put back, is noticed when it
// is from before the last time.
class MarkKeeper {
 public:
  static constexpr std::chrono::minutes kUsually{10};

  // Borrows the node.
  explicit MarkKeeper(Node& node, std::chrono::milliseconds every = kUsually)
      : node_(node), thread_(every, every, [this] { raiseWhereSaved(); }) {}

  void start() { thread_.start(); }
  void stop() { thread_.stop(); }
  // Something was saved.
  void saved();
  // Why it was not possible the last time, in a sentence; empty: it was.
  std::string failure() const;

 private:
  void raiseWhereSaved();

  Node& node_;
  mutable std::mutex mutex_;
  bool hasNews_ = false;
  std::string failure_;
  Recurring thread_;  // the last: it ends before what it works with
};

}  // namespace waystation::server

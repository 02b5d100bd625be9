#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "server/node.h"

namespace waystation::server {

// Raises the node's high-water mark while its server runs (storage/high_water_mark.h): now and
// then, where something was saved since. An older copy of the store, put back, is noticed when it
// is from before the last time.
class MarkKeeper {
 public:
  static constexpr std::chrono::minutes kUsually{10};

  // Borrows the node.
  explicit MarkKeeper(Node& node, std::chrono::milliseconds every = kUsually)
      : node_(node), every_(every) {}
  ~MarkKeeper();  // stops
  MarkKeeper(const MarkKeeper&) = delete;
  MarkKeeper& operator=(const MarkKeeper&) = delete;

  void start();
  void stop();
  // Something was saved.
  void saved();
  // Why it was not possible the last time, in a sentence; empty: it was.
  std::string failure() const;

 private:
  void run();

  Node& node_;
  const std::chrono::milliseconds every_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool isStopping_ = false;
  bool hasNews_ = false;
  std::string failure_;
  std::thread thread_;
};

}  // namespace waystation::server

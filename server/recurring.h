#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace waystation::server {

// Does something now and then, in a thread of its own, until it is stopped.
class Recurring {
 public:
  // `first`: how long after start(); `every`: between the end of one time and the next. `action`
  // throws nothing.
  Recurring(std::chrono::milliseconds first, std::chrono::milliseconds every,
            std::function<void()> action);
  ~Recurring();  // stops
  Recurring(const Recurring&) = delete;
  Recurring& operator=(const Recurring&) = delete;

  void start();
  // Waits for what is being done.
  void stop();
  // What takes long asks this, and ends early.
  bool isStopping() const;

 private:
  void run();

  const std::chrono::milliseconds first_;
  const std::chrono::milliseconds every_;
  const std::function<void()> action_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool isStopping_ = false;
  std::thread thread_;
};

}  // namespace waystation::server

#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "crypto/key_slots.h"
#include "crypto/random.h"
#include "server/http/client.h"
#include "server/locked_file.h"
#include "server/node.h"

namespace waystation::server {

// Asks headquarters for its half of the share until it has it, while the node is locked. One
// thread.
class HubUnlock {
 public:
  using Opened = std::function<void(crypto::SlotSecret secret)>;

  // Whether this box has something to ask with.
  static bool isPossible(const NodeConfig& config, const LockedFile& file);

  // `opened` is called once, in the thread.
  HubUnlock(const NodeConfig& config, const LockedFile& file, Opened opened);
  ~HubUnlock();
  HubUnlock(const HubUnlock&) = delete;
  HubUnlock& operator=(const HubUnlock&) = delete;

  // Why it has not got it, in a sentence; empty: it has not been answered yet.
  std::string failure() const;

 private:
  void run();
  bool waitBeforeNext(int failures);

  http::Client client_;
  const std::string boxHalf_;
  const Opened opened_;
  crypto::SystemRandom random_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool isStopping_ = false;  // guarded by mutex_
  std::string failure_;      // guarded by mutex_
  std::thread thread_;
};

}  // namespace waystation::server

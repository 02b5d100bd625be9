#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "server/node.h"
#include "storage/key_rotation.h"

namespace waystation::server {

// Gives each of the node's databases a new page key, or brings to its end the change that was
// begun, while people work (storage/key_rotation.h, which says what is thrown). `goesOn` hears of
// the pages of the databases so far; false stops.
storage::RotationEnd rotatePageKeys(
    Node& node, const std::function<bool(const storage::RotationProgress&)>& goesOn);

// Whether a change of page keys was begun and not finished in one of the node's databases.
bool isPageKeyRotationUnfinished(Node& node);

// The highest number of a page key under which one of the node's databases writes.
std::uint32_t pageKeyNumber(Node& node);

// Goes on with an unfinished change of page keys in the background, beside what people do.
class PageKeyContinuation {
 public:
  struct State {
    bool isRunning = false;
    storage::RotationProgress progress;
    std::string failure;  // why it ended early, in a sentence; no key is lost then
  };

  // Borrows the node.
  explicit PageKeyContinuation(Node& node) : node_(node) {}
  ~PageKeyContinuation();  // stops
  PageKeyContinuation(const PageKeyContinuation&) = delete;
  PageKeyContinuation& operator=(const PageKeyContinuation&) = delete;

  // Begins, where there is something to do.
  void start();
  // Within a batch of pages; the next start goes on.
  void stop();
  State state() const;

 private:
  void run();

  Node& node_;
  mutable std::mutex mutex_;
  State state_;
  bool isStopping_ = false;
  std::thread thread_;
};

}  // namespace waystation::server

#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "server/http/hub_side.h"
#include "server/http/router.h"
#include "server/node.h"

namespace waystation::http {

// How long a poll for news waits for some: under the minute after which many a router forgets a
// connection.
inline constexpr std::chrono::milliseconds kNewsWait{55'000};

// HQ's side of the sync, for a server that asks every client for its certificate:
//
//   POST /sync/v1/exchange       docs/spec/sync.md; the leaf is who its certificate says
//       ?name=ID                 by which it goes on after a cut: &ask=1 answers how many
//                                bytes of it are here, &from=N&have=M brings the rest from byte N
//                                and gets the answer from byte M
//   POST /sync/v1/ahead          copies of what does not wait, while an exchange is under way
//   GET /sync/v1/news?after=N    answers once the leaf's feed goes beyond N, or the list of revoked
//                                nodes is a newer one: "1", else "0" in the end
//       &now=1                   without waiting: the leaf keeps its connection for what goes ahead
//   GET /sync/v1/revocations     that list, empty where there is none
//
// Who is revoked is refused at the next request, in the middle of a body, and while it waits.
class SyncEndpoint {
 public:
  // What is known of a leaf since the start.
  struct Contact {
    std::int64_t lastMs = 0;
    int waiting = 0;  // polls for news now open
  };

  // Borrows the node.
  explicit SyncEndpoint(server::Node& node, std::chrono::milliseconds newsWait = kNewsWait);

  void addRoutes(Router& router);

  // Something was saved that may concern leaves: whoever waits for news looks again.
  void wake();

  std::map<std::string, Contact> contacts() const;

 private:
  struct Line {
    std::mutex mutex;
    // All below guarded by mutex.
    std::uint64_t newest = 0;  // of the requests begun
    int open = 0;              // of them, those not over yet
    std::unique_ptr<HubSide> call;
    std::chrono::steady_clock::time_point lastUsed;
  };

  class Opened;
  std::uint64_t commits() const;
  storage::LeafRow judged(const Request& request);
  storage::LeafRow leafOf(const Request& request);
  Response exchange(Request& request);
  Response ahead(Request& request);
  std::uint64_t begin(const Request& request, const storage::LeafRow& leaf, Line& line);
  static std::unique_lock<std::mutex> turnOf(Line& line, std::uint64_t mine);
  static void takeFrom(Line& line, const std::function<void(HubSide&)>& use);
  void forgetOldOnes();
  Response news(Request& request);
  bool waitForNews(const Request& request, const storage::LeafRow& leaf, std::uint64_t after);
  std::shared_ptr<Line> lineOf(const std::string& leaf);

  server::Node& node_;
  const std::chrono::milliseconds newsWait_;
  mutable std::mutex mutex_;
  std::condition_variable_any woken_;
  std::uint64_t commits_ = 0;                           // guarded by mutex_
  std::map<std::string, std::shared_ptr<Line>> lines_;  // guarded by mutex_
  std::map<std::string, Contact> contacts_;             // guarded by mutex_
};

}  // namespace waystation::http

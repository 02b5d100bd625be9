// The second connection of an office's link: it waits for news, and carries what is urgent while
// the first is busy.

#include <optional>
#include <utility>

#include "server/http/revocation_exchange.h"
#include "server/http/sync_client.h"

namespace waystation::http {
namespace {

using SteadyClock = std::chrono::steady_clock;

}  // namespace

// One long poll; whether there is something.
bool SyncClient::pollNews(std::uint64_t after) {
  const std::shared_ptr<Client> client = ready(newsClient_, false);
  client->setStallTime(times_.newsStall);
  const ClientResponse answer =
      client->send("GET", "/sync/v1/news?after=" + std::to_string(after), revocationsKnown(node_));
  budget_.use(0, 0, 1);
  if (answer.status != 200) throw refusalOf(answer);
  return answer.body == "1";
}

bool SyncClient::isAheadWanted() const {
  const std::lock_guard lock(mutex_);
  return aheadWanted_ && !stopping_;
}

// What is urgent passes the exchange that is under way, or the budget that is spent. Where it
// can't, it goes in its turn.
void SyncClient::sendAhead() {
  {
    const std::lock_guard lock(mutex_);
    aheadWanted_ = false;
  }
  try {
    const std::shared_ptr<Client> client = ready(newsClient_, false);
    sync::LeafExchange leaf(node_.replica(), node_.connections(), node_.signingKey());
    const std::string body = leaf.requestAhead(aheadAfter_);
    if (body.empty()) return;
    const ClientResponse answer =
        client->send("POST", "/sync/v1/ahead", revocationsKnown(node_), body);
    budget_.use(body.size(), 0, 1);
    if (answer.status == 200) fetchRevocations(node_, *client, answer.headers);
  } catch (const std::exception&) {
    const std::lock_guard lock(mutex_);
    aheadAfter_ = 0;
    aheadWanted_ = true;
    nextNews_ = SteadyClock::now() + retryDelay(++newsFailures_);
  }
}

// Answers how many exchanges had succeeded: one more must, before it makes sense to ask again.
std::uint64_t SyncClient::afterNews(bool failed) {
  const std::lock_guard lock(mutex_);
  if (failed) {
    nextNews_ = SteadyClock::now() + retryDelay(++newsFailures_);
    // An exchange finds out what is the matter, and says so.
    if (failures_ == 0) urgent_ = true;
  } else {
    newsFailures_ = 0;
    wanted_ = true;
  }
  changed_.notify_all();
  return completed_;
}

// False when it is time to end.
bool SyncClient::waitForTurnOfNews(std::uint64_t fetched) {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const bool mayPoll = connected_ && completed_ > fetched && !budget_.state().isSpent();
    const bool mayGo = !paused_ && (aheadWanted_ || mayPoll);
    if (mayGo && SteadyClock::now() >= nextNews_) return true;
    if (mayGo) {
      changed_.wait_until(lock, nextNews_);
    } else {
      changed_.wait(lock);
    }
  }
  return false;
}

// Waits for news only while the link is up, and after each only once the exchange that fetches it
// is done: until then the answer would be the same.
void SyncClient::runNews() {
  std::uint64_t fetched = 0;
  std::optional<std::uint64_t> lastNewsAfter;
  while (waitForTurnOfNews(fetched)) {
    if (isAheadWanted()) {
      sendAhead();
      continue;
    }
    const std::uint64_t after =
        node_.read([](storage::Store& store) { return sync::readLeafState(store).feed.number; });
    try {
      if (pollNews(after)) {
        // News that the exchange did not fetch: ask more slowly.
        fetched = afterNews(lastNewsAfter == after);
        lastNewsAfter = after;
      } else {
        const std::lock_guard lock(mutex_);
        newsFailures_ = 0;
        lastContactMs_ = node_.clock().nowMs();
      }
    } catch (const std::exception&) {
      if (!isAheadWanted()) fetched = afterNews(true);
    }
  }
}

}  // namespace waystation::http

// The second connection of an office's link: it waits for news, and carries what is urgent while
// the first is busy.

#include <algorithm>
#include <optional>
#include <utility>

#include "crypto/failure.h"
#include "server/http/revocation_exchange.h"
#include "server/http/sync_client.h"

namespace waystation::http {
namespace {

using SteadyClock = std::chrono::steady_clock;

// Less than the minute after which a server or router forgets a connection.
constexpr std::chrono::seconds kStandsFor{45};

}  // namespace

// The request is made, so what is saved from now on is not in it. Under no lock.
void SyncClient::begun(const sync::LeafExchange& leaf) {
  const std::lock_guard lock(mutex_);
  behindFiles_ = leaf.filesBehind();
  if (behindFiles_) standBy();
  if (behindFiles_ && wanted_) wantAhead();
}

// The second connection is opened now, and not when something is to go ahead: that takes three
// round trips, through all that the first one has under way. Under mutex_.
void SyncClient::standBy() {
  if (std::exchange(standsBy_, true)) return;
  nextNews_ = SteadyClock::now();
  if (polling_ && newsClient_) newsClient_->cancel();
  changed_.notify_all();
}

// Under mutex_.
void SyncClient::wantAhead() {
  aheadWanted_ = true;
  nextNews_ = SteadyClock::now();
  if (polling_ && newsClient_) newsClient_->cancel();
  changed_.notify_all();
}

// The line was cut, and the second connection with it, though nothing on it may say so. Under
// mutex_.
void SyncClient::dropNews() {
  if (newsClient_) newsClient_->cancel();
  newsClient_.reset();
}

// Whether there is something, as soon as there is. Where the connection stands by, it is only kept
// open: the exchange that is under way, or the next, brings the news.
bool SyncClient::pollNews(std::uint64_t after) {
  const std::shared_ptr<Client> client = ready(newsClient_, false);
  std::string path = "/sync/v1/news?after=" + std::to_string(after);
  {
    const std::lock_guard lock(mutex_);
    if (aheadWanted_) throw Failure("net.cancelled", "What goes ahead goes before.");
    polling_ = !standsBy_;
    if (standsBy_) path += "&now=1";
  }
  client->setStallTime(times_.newsStall);
  ClientResponse answer;
  try {
    answer = client->send("GET", path, revocationsKnown(node_));
  } catch (...) {
    const std::lock_guard lock(mutex_);
    polling_ = false;
    throw;
  }
  budget_.use(0, 0, 1);
  const std::lock_guard lock(mutex_);
  polling_ = false;
  if (standsBy_) nextNews_ = SteadyClock::now() + kStandsFor;
  if (answer.status != 200) throw refusalOf(answer);
  return answer.body == "1" && !standsBy_;
}

bool SyncClient::isAheadWanted() const {
  const std::lock_guard lock(mutex_);
  return aheadWanted_ && !stopping_;
}

// What does not wait passes the exchange that is under way, or the budget that is spent. Where it
// can't, it goes in its turn.
void SyncClient::sendAhead() {
  std::optional<std::int64_t> behind;
  {
    const std::lock_guard lock(mutex_);
    aheadWanted_ = false;
    behind = behindFiles_;
  }
  try {
    const std::shared_ptr<Client> client = ready(newsClient_, false);
    sync::LeafExchange leaf(node_.replica(), node_.connections(), node_.signingKey());
    aheadAfter_ = std::max(aheadAfter_, behind.value_or(0));
    const std::string body = leaf.requestAhead(aheadAfter_, behind.has_value());
    if (body.empty()) return;
    const ClientResponse answer =
        client->send("POST", "/sync/v1/ahead", revocationsKnown(node_), body);
    budget_.use(body.size(), 0, 1);
    if (answer.status == 200) fetchRevocations(node_, *client, answer.headers);
    const std::lock_guard lock(mutex_);
    newsFailures_ = 0;
    if (standsBy_) nextNews_ = SteadyClock::now() + kStandsFor;
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
    if (failures_ == 0 && !exchanging_) urgent_ = true;
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
    const bool mayGo = !paused_ && (aheadWanted_ || standsBy_ || mayPoll);
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
    } catch (const Failure& failure) {
      if (failure.code() != "net.cancelled") fetched = afterNews(true);
    } catch (const std::exception&) {
      fetched = afterNews(true);
    }
  }
}

}  // namespace waystation::http

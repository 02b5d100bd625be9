#include "server/http/sync_client.h"

#include <algorithm>
#include <utility>

#include "crypto/failure.h"
#include "server/audit.h"
#include "server/http/hub_settings.h"
#include "server/http/json.h"
#include "server/http/revocation_exchange.h"

namespace waystation::http {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t kExchangesKept = 50;
// How often it is looked whether the day or month of a spent budget is over.
constexpr std::chrono::seconds kBudgetLookedAt{60};
// Three round trips, each through all that the other connection has given a slow line: 22 kB, which
// at 64 kbit/s are 3 s, and some of it is lost.
constexpr std::chrono::seconds kConnectTime{30};
constexpr std::string_view kPausedKey = "sync.paused";
constexpr std::string_view kContactKey = "sync.lastContactMs";
// After a cut, a leaf with more than this unsent first asks what the hub has of it.
constexpr std::int64_t kWorthAsking = 50;
constexpr int kMostWithoutGain = 3;
constexpr std::size_t kMostBytesUp = std::size_t{8} << 20;

bool isGain(const sync::ExchangeOutcome& outcome) {
  return outcome.changesUp + outcome.changesDown + outcome.rootsEntered + outcome.rootsLeft +
                 outcome.chunks >
             0 ||
         outcome.healing.any();
}

Failure cancelled() {
  return Failure("net.cancelled", "The exchange was broken off: the server is being stopped.");
}

}  // namespace

std::string_view nameOf(LinkState state) {
  switch (state) {
    case LinkState::kNotEnrolled:
      return "not-enrolled";
    case LinkState::kPaused:
      return "paused";
    case LinkState::kOffline:
      return "offline";
    case LinkState::kConnected:
      return "connected";
  }
  return "offline";
}

SyncClient::SyncClient(server::Node& node, SyncTimes times)
    : node_(node), times_(times), hubCall_(node), keeper_(node), budget_(node) {
  node_.read([&](storage::Store& store) {
    paused_ = store.metaNumber(kPausedKey) != 0;
    lastContactMs_ = store.metaNumber(kContactKey);
  });
  hubCall_.onBegun([this](const sync::LeafExchange& leaf) { begun(leaf); });
}

SyncClient::~SyncClient() {
  stop();
}

void SyncClient::start() {
  const std::lock_guard lock(mutex_);
  if (exchangeThread_.joinable()) return;
  stopping_ = false;
  urgent_ = true;
  exchangeThread_ = std::thread([this] { runExchanges(); });
  newsThread_ = std::thread([this] { runNews(); });
}

void SyncClient::stop() {
  std::int64_t lastContact = 0;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    if (exchangeClient_) exchangeClient_->cancel();
    if (newsClient_) newsClient_->cancel();
    changed_.notify_all();
    lastContact = lastContactMs_;
  }
  if (!exchangeThread_.joinable()) return;
  exchangeThread_.join();
  newsThread_.join();
  if (lastContact == 0) return;
  node_.write([&](sync::Work& work) { work.store().setMetaNumber(kContactKey, lastContact); });
}

void SyncClient::saved() {
  const std::uint64_t urgent = node_.replica().urgentSaves();
  const bool isSpent = budget_.state().isSpent();
  const std::lock_guard lock(mutex_);
  const bool isUrgent = std::exchange(urgentSeen_, urgent) != urgent;
  if ((isUrgent && (exchanging_ || isSpent)) || behindFiles_) wantAhead();
  wanted_ = true;
  agree_.reset();
  changed_.notify_all();
}

void SyncClient::now() {
  const std::lock_guard lock(mutex_);
  urgent_ = asked_ = true;
  changed_.notify_all();
}

void SyncClient::setBudget(std::uint64_t bytes, std::string_view period) {
  budget_.set(bytes, period);
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
}

void SyncClient::pause() {
  setPaused(true);
}

void SyncClient::resume() {
  setPaused(false);
}

void SyncClient::setPaused(bool paused) {
  {
    const std::lock_guard lock(mutex_);
    paused_ = paused;
    if (paused && exchangeClient_) exchangeClient_->cancel();
    if (paused && newsClient_) newsClient_->cancel();
    urgent_ = !paused;
    if (paused) connected_ = false;
    changed_.notify_all();
  }
  node_.write([&](sync::Work& work) { work.store().setMetaNumber(kPausedKey, paused ? 1 : 0); });
}

void SyncClient::enrolled() {
  const std::lock_guard lock(mutex_);
  if (exchangeClient_) exchangeClient_->cancel();
  if (newsClient_) newsClient_->cancel();
  exchangeClient_.reset();
  newsClient_.reset();
  notEnrolled_ = false;
  isOtherHub_ = true;
  urgent_ = true;
  changed_.notify_all();
}

// The client for a call that may begin now. Afterwards only cancel() can break it off, so that a
// stop or pause is never missed between the question and the call.
std::shared_ptr<Client> SyncClient::ready(std::shared_ptr<Client>& client, bool evenPaused) {
  std::shared_ptr<Client> fresh;
  {
    const std::lock_guard lock(mutex_);
    fresh = client;
  }
  if (!fresh) {
    ClientSettings settings = hubSettings(node_);
    settings.connectTime = kConnectTime;
    fresh = std::make_shared<Client>(settings);
  }
  const std::lock_guard lock(mutex_);
  if (stopping_) throw cancelled();
  if (paused_ && !evenPaused) {
    throw Failure("sync.paused", "Syncing is paused. Release it with `waystation sync resume`.");
  }
  if (!client) client = fresh;
  fresh = client;
  fresh->allow();
  return fresh;
}

// True where connections must be made anew. What headquarters refuses does not hold the records up.
bool SyncClient::keepCertificates(Client& client) {
  std::string failed;
  bool isRenewed = false;
  try {
    isRenewed = keeper_.keep(client);
  } catch (const Failure& failure) {
    if (failure.code().starts_with("net.")) throw;
    failed = failure.what();
  }
  const std::lock_guard lock(mutex_);
  certificateFailure_ = failed;
  if (!isRenewed) return false;
  if (newsClient_) newsClient_->cancel();
  exchangeClient_.reset();
  newsClient_.reset();
  if (renewed_) renewed_();
  return true;
}

sync::ExchangeOutcome SyncClient::callHub(Client& client, bool afterCut) {
  const std::int64_t unsent = node_.read([](storage::Store& store) {
    return store.countUpwardAfter(sync::readLeafState(store).acknowledgedSeq);
  });
  const bool askFirst = afterCut && unsent > kWorthAsking;
  const std::string audit = node_.read(server::auditToTell);
  std::map<std::string, std::string> headers = revocationsKnown(node_);
  if (!audit.empty()) headers[std::string(server::kAuditHeader)] = audit;
  const sync::ExchangeOutcome outcome =
      hubCall_.exchangeOrSettle(client, askFirst ? 0 : kMostBytesUp, headers);
  if (!audit.empty()) {
    node_.write([&](sync::Work& work) { server::auditTold(work.store(), audit); });
  }
  fetchRevocations(node_, client, hubCall_.answerHeaders());
  return outcome;
}

ExchangeSummary SyncClient::exchange(bool evenPaused, bool& more) {
  const std::lock_guard turn(line_);
  bool afterCut = false;
  {
    const std::lock_guard lock(mutex_);
    wanted_ = false;
    urgent_ = asked_ = false;
    exchanging_ = true;
    afterCut = failures_ > 0;
    if (std::exchange(isOtherHub_, false)) hubCall_.forget();
  }
  ExchangeSummary summary;
  summary.atMs = node_.clock().nowMs();
  summary.exchanges = 1;
  more = false;
  std::shared_ptr<Client> client;
  std::uint64_t up = 0;
  std::uint64_t down = 0;
  std::uint64_t connections = 0;
  try {
    client = ready(exchangeClient_, evenPaused);
    up = client->bytesUp();
    down = client->bytesDown();
    connections = client->connections();
    if (keepCertificates(*client)) {
      client = ready(exchangeClient_, evenPaused);
      up = down = connections = 0;
    }
    const sync::ExchangeOutcome outcome = callHub(*client, afterCut);
    summary.changesUp = outcome.changesUp;
    summary.changesDown = outcome.changesDown;
    summary.chunks = outcome.chunks;
    summary.ok = true;
    more = outcome.more;
    noteOutcome(outcome);
  } catch (const Failure& failure) {
    summary.code = failure.code();
    summary.error = failure.what();
  } catch (const std::exception&) {
    // What a library says may quote a person's data.
    summary.code = "internal.error";
    summary.error = "The exchange failed because of a fault of the program.";
  }
  if (client) {
    summary.up = client->bytesUp() - up;
    summary.down = client->bytesDown() - down;
    const std::uint64_t opened = client->connections() - connections;
    summary.roundTrips = 1 + 2 * opened;
    budget_.use(summary.up + summary.down, opened, 1);
  }
  note(summary, more);
  if (exchanged_) exchanged_(summary);
  return summary;
}

void SyncClient::noteOutcome(const sync::ExchangeOutcome& outcome) {
  const std::lock_guard lock(mutex_);
  // The answer was under way for about half of a short call; what a long one takes says nothing.
  if (const auto roundTrip = hubCall_.roundTrip()) {
    clockOffsetMs_ = outcome.clockOffsetMs + roundTrip->count() / 2;
  } else if (completed_ == 0) {
    clockOffsetMs_ = outcome.clockOffsetMs;
  }
  if (outcome.agreement != sync::Agreement::kNotCompared) {
    agree_ = outcome.agreement == sync::Agreement::kAgree;
  } else if (isGain(outcome)) {
    agree_.reset();
  }
  withoutGain_ = outcome.more && !isGain(outcome) ? withoutGain_ + 1 : 0;
}

void SyncClient::note(const ExchangeSummary& summary, bool more) {
  const std::lock_guard lock(mutex_);
  changed_.notify_all();
  exchanging_ = false;
  behindFiles_.reset();
  if ((!summary.ok || !more) && std::exchange(standsBy_, false)) nextNews_ = SteadyClock::now();
  if (summary.code.starts_with("net.")) dropNews();
  notEnrolled_ = summary.code == "sync.not-enrolled";
  if (summary.code == "sync.paused" || stopping_ || (paused_ && !summary.ok)) return;
  if (!notEnrolled_) {
    exchanges_.push_front(summary);
    if (exchanges_.size() > kExchangesKept) exchanges_.pop_back();
  }
  if (!summary.ok) {
    connected_ = false;
    nextExchange_ = SteadyClock::now() + retryDelay(++failures_);
    return;
  }
  failures_ = 0;
  ++completed_;
  connected_ = !paused_;
  lastContactMs_ = node_.clock().nowMs();
  nextExchange_ = SteadyClock::now() + times_.interval;
  // Both sides saying "more" and nothing moving would go on for ever.
  if (more && withoutGain_ < kMostWithoutGain) urgent_ = true;
}

// Doubled each time, and a random half of it taken off, so that offices whose HQ was away do not
// come back at once.
std::chrono::milliseconds SyncClient::retryDelay(int failures) {
  const std::int64_t whole = std::min<std::int64_t>(
      times_.longestRetry.count(), times_.firstRetry.count() << std::min(failures - 1, 20));
  const auto random = static_cast<std::int64_t>(node_.random().next64() % 1024);
  return std::chrono::milliseconds(whole / 2 + whole / 2 * random / 1024);
}

// Under mutex_.
bool SyncClient::mayExchange() const {
  if (stopping_) return true;
  if (paused_) return false;
  if (budget_.state().isSpent()) return asked_;
  return urgent_ || (wanted_ && failures_ == 0) || SteadyClock::now() >= nextExchange_;
}

void SyncClient::runExchanges() {
  while (true) {
    {
      std::unique_lock lock(mutex_);
      while (!mayExchange()) {
        if (paused_) {
          changed_.wait(lock);
        } else if (budget_.state().isSpent()) {
          changed_.wait_for(lock, kBudgetLookedAt);
        } else {
          changed_.wait_until(lock, nextExchange_);
        }
      }
      if (stopping_) return;
    }
    bool more = false;
    exchange(false, more);
  }
}

ExchangeSummary SyncClient::syncNow(const Progress& progress) {
  ExchangeSummary total;
  total.atMs = node_.clock().nowMs();
  bool more = true;
  int without = 0;
  while (more) {
    const ExchangeSummary one = exchange(true, more);
    ++total.exchanges;
    total.up += one.up;
    total.down += one.down;
    total.roundTrips += one.roundTrips;
    total.changesUp += one.changesUp;
    total.changesDown += one.changesDown;
    if (!one.ok) throw Failure(one.code, one.error);
    if (progress) progress(total);
    without = one.changesUp + one.changesDown + one.chunks == 0 ? without + 1 : 0;
    if (without > 2 * kMostWithoutGain) {
      throw Failure("sync.no-progress",
                    "Headquarters and this office both have more to send and nothing moves. "
                    "Nothing is lost; tell your technician.");
    }
  }
  total.ok = true;
  return total;
}

LinkView SyncClient::view() const {
  const std::lock_guard lock(mutex_);
  LinkView view;
  if (notEnrolled_) {
    view.state = LinkState::kNotEnrolled;
  } else if (paused_) {
    view.state = LinkState::kPaused;
  } else {
    view.state = connected_ ? LinkState::kConnected : LinkState::kOffline;
  }
  view.lastContactMs = lastContactMs_;
  view.agree = agree_;
  view.clockOffsetMs = clockOffsetMs_;
  view.certificateFailure = certificateFailure_;
  view.budget = budget_.state();
  view.exchanges.assign(exchanges_.begin(), exchanges_.end());
  return view;
}

}  // namespace waystation::http

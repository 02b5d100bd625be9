#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "server/http/certificate_exchange.h"
#include "server/http/client.h"
#include "server/http/hub_call.h"
#include "server/http/line_budget.h"
#include "server/node.h"
#include "sync/leaf.h"

namespace waystation::http {

struct SyncTimes {
  std::chrono::milliseconds interval{60'000};   // an exchange at least this often
  std::chrono::milliseconds firstRetry{1'000};  // doubled with each failure, with jitter
  // A line that is up for minutes in the hour must not be slept through; a try costs 60 bytes.
  std::chrono::milliseconds longestRetry{10'000};
  std::chrono::milliseconds newsStall{75'000};  // more than HQ's kNewsWait
};

// What one exchange, or several in a row, moved. Bytes are those of HTTP, heads included.
struct ExchangeSummary {
  std::int64_t atMs = 0;
  int exchanges = 0;
  std::uint64_t up = 0;
  std::uint64_t down = 0;
  std::uint64_t roundTrips = 0;  // exchanges, and two for each connection opened
  std::size_t changesUp = 0;
  std::size_t changesDown = 0;
  std::size_t chunks = 0;  // of files, both ways
  bool ok = false;
  std::string code;   // of the failure, or empty
  std::string error;  // its sentence
};

enum class LinkState { kNotEnrolled, kPaused, kOffline, kConnected };
std::string_view nameOf(LinkState state);

// What is known of the link now.
struct LinkView {
  LinkState state = LinkState::kOffline;
  std::int64_t lastContactMs = 0;  // 0: never
  std::optional<bool> agree;       // of the last comparison of digests, while nothing waits
  std::int64_t clockOffsetMs = 0;  // HQ's clock minus ours
  LineBudget::State budget;
  std::vector<ExchangeSummary> exchanges;  // the last 50, newest first
  std::string certificateFailure;          // why none is renewed that is due; or empty
};

// An office's link to HQ: exchanges as soon as there is something to tell either way, on one
// connection; a second one waits for news of HQ, and carries what goes ahead: what is urgent, and
// all that is saved behind files. Once the budget of a metered line is used up, only what is urgent
// goes, and what a person asks for. Two threads, joined by stop().
//
// The environment variable WAYSTATION_HQ_VIA=host:port makes it connect through a relay, for tests
// and demonstrations of bad lines; whom it talks to is checked all the same.
class SyncClient {
 public:
  using Progress = std::function<void(const ExchangeSummary& soFar)>;

  // Borrows the node.
  explicit SyncClient(server::Node& node, SyncTimes times = {});
  ~SyncClient();  // stops

  SyncClient(const SyncClient&) = delete;
  SyncClient& operator=(const SyncClient&) = delete;

  // Called after each exchange that was tried, by the thread that tried it. Set before start().
  void onExchange(Progress listener) { exchanged_ = std::move(listener); }

  void start();
  // Cuts what is under way; what had arrived whole is kept.
  void stop();

  // From any thread. Something waits to go up.
  void saved();
  // Tries at once, however long the next try is away.
  void now();
  // Cuts the link, and holds it cut over restarts, until resume().
  void pause();
  void resume();
  // Called when the node has another certificate; set before start().
  void onRenewed(std::function<void()> listener) { renewed_ = std::move(listener); }
  // Of a metered line; 0 bytes takes it away. Throws what LineBudget::set() throws.
  void setBudget(std::uint64_t bytes, std::string_view period);
  // The node has joined an HQ, or another one.
  void enrolled();

  // Exchanges, on the caller's thread, until neither side has more; also while paused, and without
  // start(). Throws what went wrong: "sync.not-enrolled", "net.*", what HQ answers.
  ExchangeSummary syncNow(const Progress& progress = {});

  // No exchange goes on while it is held: a bundle is read. Waits for the one that does.
  std::unique_lock<std::mutex> holdLine() { return std::unique_lock(line_); }

  LinkView view() const;

 private:
  void runExchanges();
  void runNews();
  ExchangeSummary exchange(bool evenPaused, bool& more);
  bool keepCertificates(Client& client);
  sync::ExchangeOutcome callHub(Client& client, bool afterCut);
  void note(const ExchangeSummary& summary, bool more);
  void noteOutcome(const sync::ExchangeOutcome& outcome);
  void begun(const sync::LeafExchange& leaf);
  void standBy();
  void wantAhead();
  void dropNews();
  bool pollNews(std::uint64_t after);
  void sendAhead();
  bool isAheadWanted() const;
  bool mayExchange() const;
  bool waitForTurnOfNews(std::uint64_t fetched);
  std::uint64_t afterNews(bool failed);
  std::shared_ptr<Client> ready(std::shared_ptr<Client>& client, bool evenPaused);
  std::chrono::milliseconds retryDelay(int failures);
  void setPaused(bool paused);

  server::Node& node_;
  const SyncTimes times_;
  Progress exchanged_;
  std::mutex line_;           // held for one exchange; taken before mutex_
  HubCall hubCall_;           // guarded by line_
  CertificateKeeper keeper_;  // likewise
  LineBudget budget_;
  std::int64_t aheadAfter_ = 0;  // of the thread that waits for news
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  // All below guarded by mutex_.
  bool isOtherHub_ = false;  // since the last exchange
  std::shared_ptr<Client> exchangeClient_;
  std::shared_ptr<Client> newsClient_;
  bool stopping_ = false;
  bool paused_ = false;
  bool notEnrolled_ = false;
  bool wanted_ = false;  // something waits to go up or down
  bool urgent_ = true;   // try now, whatever the delay
  bool asked_ = false;   // likewise, whatever the budget: a person wants it
  bool exchanging_ = false;
  bool aheadWanted_ = false;  // something was saved that does not wait for the one under way
  bool polling_ = false;      // the second connection waits for news
  bool standsBy_ = false;     // it is kept open and free, for what goes ahead
  std::optional<std::int64_t> behindFiles_;  // LeafExchange::filesBehind() of the one under way
  std::uint64_t urgentSeen_ = 0;             // of the replica's urgent saves
  int failures_ = 0;                         // exchanges in a row
  int newsFailures_ = 0;                     // likewise polls
  int withoutGain_ = 0;  // exchanges in a row that said "more" and moved nothing
  bool connected_ = false;
  std::uint64_t completed_ = 0;  // exchanges that succeeded
  std::chrono::steady_clock::time_point nextExchange_;
  std::chrono::steady_clock::time_point nextNews_;
  std::int64_t lastContactMs_ = 0;
  std::optional<bool> agree_;
  std::int64_t clockOffsetMs_ = 0;
  std::deque<ExchangeSummary> exchanges_;
  std::string certificateFailure_;
  std::function<void()> renewed_;

  std::thread exchangeThread_;
  std::thread newsThread_;
};

}  // namespace waystation::http

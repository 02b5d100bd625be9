#include "server/http/sync_endpoint.h"

#include <array>
#include <charconv>
#include <utility>

#include "crypto/failure.h"
#include "server/access/leaf_certificates.h"
#include "server/access/revocation.h"
#include "server/audit.h"
#include "server/cases/handover.h"
#include "server/http/certificate_exchange.h"
#include "server/http/revocation_exchange.h"
#include "sync/hub.h"

namespace waystation::http {
namespace {

// Far beyond what a leaf sends at once; against one that never ends.
constexpr std::uint64_t kMostRequestBytes = std::uint64_t{256} << 20;
// What cut exchanges may leave, of all offices together, and for how long.
constexpr std::size_t kMostKeptBytes = std::size_t{64} << 20;
constexpr std::chrono::minutes kKeptFor{30};
constexpr std::size_t kMostListBytes = std::size_t{4} << 20;  // of the revoked

std::uint64_t numberIn(const Request& request, const std::string& name) {
  const auto found = request.query.find(name);
  std::uint64_t number = 0;
  if (found != request.query.end()) {
    const std::string& text = found->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size()) return number;
  }
  throw Failure("http.query-malformed", "The address must say '" + name + "', a number.");
}

Response bare(std::string body) {
  Response response;
  response.bare = true;
  response.body = std::move(body);
  return response;
}

}  // namespace

SyncEndpoint::SyncEndpoint(server::Node& node, std::chrono::milliseconds newsWait)
    : node_(node), newsWait_(newsWait) {}

void SyncEndpoint::addRoutes(Router& router) {
  router.add("POST", "/sync/v1/exchange",
             [this](Request& request, const PathParameters&) { return exchange(request); });
  router.add("POST", "/sync/v1/ahead",
             [this](Request& request, const PathParameters&) { return ahead(request); });
  router.add("GET", "/sync/v1/news",
             [this](Request& request, const PathParameters&) { return news(request); });
  router.add("GET", "/sync/v1/revocations", [this](Request& request, const PathParameters&) {
    leafOf(request);
    return bare(node_.read(access::revocationText));
  });
  addCertificateRoutes(router, node_);
  if (!node_.isHeadquarters()) return;
  router.add("POST", "/sync/v1/revocations", [this](Request& request, const PathParameters&) {
    leafOf(request);
    access::takeLostRevocations(node_, request.body.readAll(kMostListBytes));
    return bare(node_.read(access::revocationText));
  });
}

std::uint64_t SyncEndpoint::commits() const {
  const std::lock_guard lock(mutex_);
  return commits_;
}

void SyncEndpoint::wake() {
  const std::lock_guard lock(mutex_);
  ++commits_;
  woken_.notify_all();
}

std::map<std::string, SyncEndpoint::Contact> SyncEndpoint::contacts() const {
  const std::lock_guard lock(mutex_);
  return contacts_;
}

std::shared_ptr<SyncEndpoint::Line> SyncEndpoint::lineOf(const std::string& leaf) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Line>& line = lines_[leaf];
  if (!line) line = std::make_shared<Line>();
  return line;
}

// Judged at each request, not only at the handshake: who was revoked while connected is out.
storage::LeafRow SyncEndpoint::judged(const Request& request) {
  return access::judgeLeaf(node_, request.peerCertificatePem);
}

storage::LeafRow SyncEndpoint::leafOf(const Request& request) {
  storage::LeafRow leaf = judged(request);
  const std::lock_guard lock(mutex_);
  contacts_[leaf.name].lastMs = node_.clock().nowMs();
  return leaf;
}

// One request of a line that has begun, until it is over.
class SyncEndpoint::Opened {
 public:
  explicit Opened(Line& line) : line_(line) {}
  ~Opened() {
    const std::lock_guard lock(line_.mutex);
    --line_.open;
    line_.lastUsed = std::chrono::steady_clock::now();
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;

 private:
  Line& line_;
};

// A line that was cut is often noticed here long after the office has begun anew, so a newer
// request takes the place of the older one.
std::unique_lock<std::mutex> SyncEndpoint::turnOf(Line& line, std::uint64_t mine) {
  std::unique_lock lock(line.mutex);
  if (line.newest == mine && line.call) return lock;
  throw Failure("sync.superseded", "A newer exchange of this office took this one's place.");
}

// What a cut exchange left is forgotten after some minutes, and at once where too much is kept.
void SyncEndpoint::forgetOldOnes() {
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  std::size_t kept = 0;
  for (const auto& [name, line] : lines_) {
    const std::unique_lock other(line->mutex, std::try_to_lock);
    if (!other) continue;
    if (line->open > 0) continue;
    if (now - line->lastUsed > kKeptFor) line->call.reset();
    kept += line->call ? line->call->keptBytes() : 0;
    if (kept > kMostKeptBytes) line->call.reset();
  }
}

// The office asks how much of a request that was cut has come, or sends the rest of it.
std::uint64_t SyncEndpoint::begin(const Request& request, const storage::LeafRow& leaf,
                                  Line& line) {
  const std::lock_guard lock(line.mutex);
  const std::uint64_t mine = line.newest + 1;
  line.lastUsed = std::chrono::steady_clock::now();
  const auto name = request.query.find("name");
  const std::string called = name == request.query.end() ? "" : name->second;
  const bool goesOn = request.query.contains("ask") || request.query.contains("from");
  if (!goesOn) {
    line.call = std::make_unique<HubSide>(
        called, std::make_unique<sync::HubExchange>(node_.replica(), node_.connections(), leaf.name,
                                                    node_.admitted()));
  } else if (!line.call || called.empty() || line.call->name() != called) {
    throw Failure("sync.not-kept", "Of this exchange nothing is kept here. Begin it anew.");
  }
  ++line.open;
  return line.newest = mine;
}

// The body is applied frame by frame as it comes.
Response SyncEndpoint::exchange(Request& request) {
  const storage::LeafRow leaf = leafOf(request);
  const std::shared_ptr<Line> line = lineOf(leaf.name);
  forgetOldOnes();
  const std::uint64_t mine = begin(request, leaf, *line);
  const Opened opened(*line);
  if (request.query.contains("ask")) {
    const auto lock = turnOf(*line, mine);
    return bare(std::to_string(line->call->received()));
  }
  const bool goesOn = request.query.contains("from");
  const std::uint64_t from = goesOn ? numberIn(request, "from") : 0;
  const std::uint64_t have = goesOn ? numberIn(request, "have") : 0;
  std::array<char, 16384> buffer;
  std::uint64_t total = from;
  std::uint64_t seen = commits();
  while (const std::size_t count = request.body.read(buffer.data(), buffer.size())) {
    // A body can take an hour on a bad line.
    if (const std::uint64_t now = commits(); std::exchange(seen, now) != now) judged(request);
    total += count;
    if (total > kMostRequestBytes) {
      throw Failure("http.body-too-large",
                    "The request is larger than is taken at once. What came whole is kept.");
    }
    const auto lock = turnOf(*line, mine);
    takeFrom(*line, [&](HubSide& call) { call.receive(total - count, {buffer.data(), count}); });
  }
  if (commits() != seen) judged(request);
  const auto lock = turnOf(*line, mine);
  Response answer;
  takeFrom(*line, [&](HubSide& call) { answer = bare(call.answer(total, have)); });
  if (line->call->keptBytes() > kMostKeptBytes || line->call->name().empty()) line->call.reset();
  tellRevocations(node_, request, answer);
  if (node_.isHeadquarters()) cases::decideHeldBack(node_);
  if (const auto audit = request.header("audit")) {
    node_.write([&](sync::Work& work) {
      server::witnessAudit(work.store(), node_.clock(), leaf.name, *audit);
    });
  }
  return answer;
}

// Beside the exchange that is under way, whose place it does not take.
Response SyncEndpoint::ahead(Request& request) {
  const storage::LeafRow leaf = leafOf(request);
  sync::HubExchange hub(node_.replica(), node_.connections(), leaf.name, node_.admitted());
  std::array<char, 16384> buffer;
  std::size_t total = 0;
  while (const std::size_t count = request.body.read(buffer.data(), buffer.size())) {
    total += count;
    if (total > sync::kMaxFrameBytes) {
      throw Failure("http.body-too-large", "What goes ahead is larger than is taken at once.");
    }
    hub.receive({buffer.data(), count});
  }
  Response answer = bare("1");
  tellRevocations(node_, request, answer);
  return answer;
}

// After an error there is nothing to go on with.
void SyncEndpoint::takeFrom(Line& line, const std::function<void(HubSide&)>& use) {
  try {
    use(*line.call);
  } catch (...) {
    line.call.reset();
    throw;
  }
}

bool SyncEndpoint::waitForNews(const Request& request, const storage::LeafRow& leaf,
                               std::uint64_t after) {
  const auto wait = request.query.contains("now") ? std::chrono::milliseconds(0) : newsWait_;
  const auto deadline = std::chrono::steady_clock::now() + wait;
  std::unique_lock lock(mutex_);
  while (true) {
    const std::uint64_t seen = commits_;
    lock.unlock();
    // It may have been revoked while it waited; others being so is news.
    judged(request);
    const std::int64_t waiting =
        node_.read([&](storage::Store& store) { return store.countFeed(leaf.leaf, after); });
    if (waiting > 0 || hasNewerRevocations(node_, request)) return true;
    lock.lock();
    const bool committed =
        woken_.wait_until(lock, request.stop, deadline, [&] { return commits_ != seen; });
    if (!committed) return false;
  }
}

Response SyncEndpoint::news(Request& request) {
  const storage::LeafRow leaf = leafOf(request);
  const std::uint64_t after = numberIn(request, "after");
  {
    const std::lock_guard lock(mutex_);
    ++contacts_[leaf.name].waiting;
  }
  const auto leave = [&] {
    const std::lock_guard lock(mutex_);
    --contacts_[leaf.name].waiting;
  };
  try {
    const bool any = waitForNews(request, leaf, after);
    leave();
    return bare(any ? "1" : "0");
  } catch (...) {
    leave();
    throw;
  }
}

}  // namespace waystation::http

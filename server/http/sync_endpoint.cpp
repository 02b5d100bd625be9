#include "server/http/sync_endpoint.h"

#include <array>
#include <charconv>

#include "crypto/certificate.h"
#include "crypto/failure.h"
#include "server/audit.h"
#include "sync/hub.h"

namespace waystation::http {
namespace {

// Far beyond what a leaf sends at once; against one that never ends.
constexpr std::uint64_t kMostRequestBytes = std::uint64_t{256} << 20;

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
  router.add("GET", "/sync/v1/news",
             [this](Request& request, const PathParameters&) { return news(request); });
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
storage::LeafRow SyncEndpoint::leafOf(const Request& request) {
  const crypto::CertificateFacts facts = crypto::readCertificate(request.peerCertificatePem);
  const std::optional<storage::LeafRow> leaf =
      node_.read([&](storage::Store& store) { return store.leafByName(facts.commonName); });
  if (!leaf) {
    throw Failure("sync.unknown-leaf", "No office of the name " + facts.commonName +
                                           " is enrolled here. Enrol it with a token first.");
  }
  if (leaf->revoked) {
    throw Failure("sync.revoked", "The office " + leaf->name +
                                      " has been revoked. Headquarters can enrol it again.");
  }
  if (leaf->certificateHash != facts.fingerprintHex) {
    throw Failure("sync.certificate-replaced",
                  "The office " + leaf->name +
                      " was enrolled anew since; this box's certificate is no longer taken.");
  }
  const std::lock_guard lock(mutex_);
  contacts_[leaf->name].lastMs = node_.clock().nowMs();
  return *leaf;
}

// The body is applied frame by frame as it comes. A line that was cut is often noticed here long
// after the office has begun anew, so the newer exchange takes the place of the older one.
Response SyncEndpoint::exchange(Request& request) {
  const storage::LeafRow leaf = leafOf(request);
  const std::shared_ptr<Line> line = lineOf(leaf.name);
  std::unique_lock lock(line->mutex);
  const std::uint64_t mine = ++line->exchange;
  sync::HubExchange hub(node_.replica(), node_.connections(), leaf.name, node_.admitted());
  lock.unlock();
  const auto takeTurn = [&] {
    lock.lock();
    if (line->exchange == mine) return;
    throw Failure("sync.superseded", "A newer exchange of this office took this one's place.");
  };
  std::array<char, 16384> buffer;
  std::uint64_t total = 0;
  while (const std::size_t count = request.body.read(buffer.data(), buffer.size())) {
    total += count;
    if (total > kMostRequestBytes) {
      throw Failure("http.body-too-large",
                    "The request is larger than is taken at once. What came whole is kept.");
    }
    takeTurn();
    hub.receive({buffer.data(), count});
    lock.unlock();
  }
  takeTurn();
  Response answer = bare(hub.answer());
  lock.unlock();
  if (const auto audit = request.header("audit")) {
    node_.write([&](sync::Work& work) {
      server::witnessAudit(work.store(), node_.clock(), leaf.name, *audit);
    });
  }
  return answer;
}

bool SyncEndpoint::waitForNews(const Request& request, const storage::LeafRow& leaf,
                               std::uint64_t after) {
  const auto deadline = std::chrono::steady_clock::now() + newsWait_;
  std::unique_lock lock(mutex_);
  while (true) {
    const std::uint64_t seen = commits_;
    lock.unlock();
    const std::int64_t waiting =
        node_.read([&](storage::Store& store) { return store.countFeed(leaf.leaf, after); });
    if (waiting > 0) return true;
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

#include "server/http/hub_call.h"

#include <algorithm>
#include <charconv>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "server/http/json.h"
#include "sync/reissue.h"

namespace waystation::http {
namespace {

constexpr std::string_view kPath = "/sync/v1/exchange";
constexpr std::size_t kNameBytes = 8;
constexpr std::size_t kOnePacket = 1000;
// Bytes a second. With less the line was away meanwhile, which tells nothing of it.
constexpr std::uint64_t kLeastRate = 4'000;
constexpr std::uint64_t kFast = 20'000;

// The line's fault, not that of what was said.
bool isOfTheLine(const Failure& failure) {
  return failure.code().starts_with("net.") && !failure.code().starts_with("net.answer");
}

constexpr std::chrono::milliseconds kQuick{500};
constexpr std::chrono::milliseconds kSlow{2'000};
constexpr std::size_t kMostChunks = 32;
// Less tells of the way there and back, and not of how much passes in a second.
constexpr std::size_t kTellsRate = 16'000;

// Where it did not help, the refusal stays in sight.
constexpr std::chrono::hours kSettledAtMostEvery{1};

}  // namespace

// Where the line kept up with the pace, twice that is tried; else a quarter more than has passed,
// so that it is seen where the line has become faster.
void ChunkWindow::sent(std::size_t bytes, std::chrono::milliseconds time) {
  if (bytes < kTellsRate) return;
  const auto milliseconds = static_cast<std::uint64_t>(std::max<std::int64_t>(time.count(), 1));
  const std::uint64_t rate = bytes * 1000 / milliseconds;
  if (rate < kLeastRate) return;
  const bool keptUp = pace_ > 0 && rate > pace_ * std::uint64_t{9} / 10;
  const std::uint64_t next = keptUp ? std::max<std::uint64_t>(rate, 2 * pace_) : rate * 5 / 4;
  pace_ = next < kFast ? static_cast<std::uint32_t>(next) : 0;
}

void ChunkWindow::carried(std::chrono::milliseconds time) {
  if (time <= kQuick) chunks_ = std::min(2 * chunks_, kMostChunks);
  if (time > kSlow) chunks_ = std::max<std::size_t>(chunks_ / 2, 1);
}

Failure refusalOf(const ClientResponse& response) {
  try {
    const Json body = parseJson(response.body);
    return Failure(body.at("code").get<std::string>(), body.at("detail").get<std::string>());
  } catch (const std::exception&) {
    return Failure("sync.refused", "Headquarters answered with HTTP status " +
                                       std::to_string(response.status) + ".");
  }
}

// Asks how much of the request the hub has; false where it knows nothing of it any more.
bool HubCall::goOn(Client& client, std::size_t& from) {
  const ClientResponse told =
      client.send("POST", std::string(kPath) + "?name=" + name_ + "&ask=1", {});
  const char* const end = told.body.data() + told.body.size();
  const auto [at, error] = std::from_chars(told.body.data(), end, from);
  bytesDown_ += told.body.size();
  return told.status == 200 && error == std::errc() && at == end && from <= body_.size();
}

ClientResponse HubCall::send(Client& client, std::size_t from,
                             const std::map<std::string, std::string>& headers) {
  std::string path = std::string(kPath) + "?name=" + name_;
  if (from + answered_ > 0) {
    path += "&from=" + std::to_string(from) + "&have=" + std::to_string(answered_);
  }
  const std::string_view rest = std::string_view(body_).substr(from);
  bytesUp_ += rest.size();
  const std::uint64_t connections = client.connections();
  const auto begun = std::chrono::steady_clock::now();
  roundTrip_.reset();
  const ClientResponse answer =
      client.send("POST", path, headers, rest, [&](std::string_view bytes) {
        if (!roundTrip_) {
          roundTrip_ = std::chrono::duration_cast<std::chrono::milliseconds>(
              std::chrono::steady_clock::now() - begun);
        }
        answered_ += bytes.size();
        bytesDown_ += bytes.size();
        leaf_->receive(bytes);
      });
  if (client.connections() != connections) roundTrip_.reset();
  if (rest.size() > kOnePacket) {
    if (roundTrip_) chunkWindow_.sent(rest.size(), *roundTrip_ - lastRoundTrip_);
    roundTrip_.reset();
  }
  lastRoundTrip_ = roundTrip_.value_or(lastRoundTrip_);
  return answer;
}

sync::ExchangeOutcome HubCall::exchange(Client& client, std::size_t upBytes,
                                        const std::map<std::string, std::string>& headers) {
  try {
    std::size_t from = 0;
    if (leaf_ && !goOn(client, from)) leaf_.reset();
    if (!leaf_) {
      leaf_ = std::make_unique<sync::LeafExchange>(node_.replica(), node_.connections(),
                                                   node_.signingKey(), upBytes);
      const std::size_t chunks = chunkWindow_.chunks();
      leaf_->allowChunks(upBytes == 0 ? 0 : chunks, chunks);
      body_ = leaf_->request();
      name_ = crypto::toHex(node_.random().bytes(kNameBytes));
      answered_ = 0;
      from = 0;
    }
    if (begun_) begun_(*leaf_);
    const bool carriesFiles = leaf_->filesBehind().has_value();
    client.setPace(carriesFiles ? chunkWindow_.pace() : 0);
    const auto begun = std::chrono::steady_clock::now();
    const ClientResponse answer = send(client, from, headers);
    if (answer.status != 200) throw refusalOf(answer);
    answerHeaders_ = answer.headers;
    const std::unique_ptr<sync::LeafExchange> whole = std::move(leaf_);
    const sync::ExchangeOutcome outcome = whole->finish();
    if (outcome.chunks > 0) {
      chunkWindow_.carried(std::chrono::duration_cast<std::chrono::milliseconds>(
          std::chrono::steady_clock::now() - begun));
    }
    return outcome;
  } catch (const Failure& failure) {
    chunkWindow_.cut();
    if (!isOfTheLine(failure)) leaf_.reset();
    throw;
  } catch (...) {
    leaf_.reset();
    throw;
  }
}

sync::ExchangeOutcome HubCall::exchangeOrSettle(Client& client, std::size_t upBytes,
                                                const std::map<std::string, std::string>& headers) {
  try {
    return exchange(client, upBytes, headers);
  } catch (const Failure& failure) {
    const auto now = std::chrono::steady_clock::now();
    if (!sync::saysOtherHistory(failure.code()) || now < mayBeSettledFrom_) throw;
    const std::optional<std::size_t> again = settleHistory(client);
    if (!again) throw;
    mayBeSettledFrom_ = now + kSettledAtMostEvery;
    throw Failure("sync.set-back",
                  "This server was set back while it ran, as a snapshot of a virtual machine does "
                  "it. What had gone to headquarters comes back from there; what was saved since "
                  "(" +
                      std::to_string(*again) +
                      " saves) is kept and goes up as new. Never set a running server back: stop "
                      "it, and use `waystation restore`.");
  }
}

// Answers how many changes were made again; nothing where the hub does not know the question.
std::optional<std::size_t> HubCall::settleHistory(Client& client) {
  sync::HistoryQuestion question(node_.replica(), node_.connections());
  const std::string body = question.request();
  const std::string name = crypto::toHex(node_.random().bytes(kNameBytes));
  const ClientResponse answer = client.send("POST", std::string(kPath) + "?name=" + name, {}, body);
  if (answer.status != 200) throw refusalOf(answer);
  bytesUp_ += body.size();
  bytesDown_ += answer.body.size();
  return question.settle(answer.body);
}

}  // namespace waystation::http

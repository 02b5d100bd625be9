#include "server/http/hub_side.h"

#include <utility>

#include "crypto/failure.h"

namespace waystation::http {
namespace {

// Of an exchange that has not answered: the window of its compression, and what it has begun.
constexpr std::size_t kExchangeBytes = std::size_t{3} << 20;

[[noreturn]] void notKept() {
  throw Failure("sync.not-kept", "Of this exchange nothing is kept here. Begin it anew.");
}

}  // namespace

HubSide::HubSide(std::string name, std::unique_ptr<sync::HubExchange> exchange)
    : name_(std::move(name)), exchange_(std::move(exchange)) {}

void HubSide::receive(std::uint64_t from, std::string_view bytes) {
  if (!exchange_ || from != received_) notKept();
  received_ += bytes.size();
  exchange_->receive(bytes);
}

std::string HubSide::answer(std::uint64_t requestBytes, std::uint64_t have) {
  if (requestBytes != received_) notKept();
  if (exchange_) {
    answer_ = exchange_->answer();
    exchange_.reset();
  }
  if (have > answer_.size()) notKept();
  return answer_.substr(static_cast<std::size_t>(have));
}

std::size_t HubSide::keptBytes() const {
  return exchange_ ? kExchangeBytes : answer_.capacity();
}

}  // namespace waystation::http

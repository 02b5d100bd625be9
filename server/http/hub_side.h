#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "sync/hub.h"

namespace waystation::http {

// The hub's side of one exchange whose bytes may come, and whose answer may go, over several lines
// one after the other (docs/spec/sync.md, "A cut exchange"). Not for use by several threads at
// once.
class HubSide {
 public:
  // `name`: by which the leaf can go on with it; empty: it can't.
  HubSide(std::string name, std::unique_ptr<sync::HubExchange> exchange);

  const std::string& name() const { return name_; }
  // Bytes of the request that have come.
  std::uint64_t received() const { return received_; }
  // Bytes of the request from `from` on, which must be where it was cut: Failure("sync.not-kept").
  void receive(std::uint64_t from, std::string_view bytes);
  // The answer to a request of so many bytes, without the first `have` of it; made once.
  std::string answer(std::uint64_t requestBytes, std::uint64_t have);
  // What keeping it takes, about.
  std::size_t keptBytes() const;

 private:
  std::string name_;
  std::unique_ptr<sync::HubExchange> exchange_;  // until it has answered
  std::uint64_t received_ = 0;
  std::string answer_;
};

}  // namespace waystation::http

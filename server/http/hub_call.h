#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "crypto/failure.h"
#include "server/http/client.h"
#include "server/node.h"
#include "sync/leaf.h"

namespace waystation::http {

// What the hub said instead of an answer.
Failure refusalOf(const ClientResponse& response);

// How many chunks of files one exchange carries each way: as many as the line takes in about two
// seconds, and never none. And how fast a slow line takes them: what is saved meanwhile goes beside
// them and is not to stand behind them in the network.
class ChunkWindow {
 public:
  std::size_t chunks() const { return chunks_; }
  // Bytes a second; 0: as fast as can be.
  std::uint32_t pace() const { return pace_; }
  // So many bytes went up in a time without the way there and back.
  void sent(std::size_t bytes, std::chrono::milliseconds time);
  // An exchange that carried chunks took so long.
  void carried(std::chrono::milliseconds time);
  void cut() { chunks_ = 1; }

 private:
  std::size_t chunks_ = 1;
  std::uint32_t pace_ = 8'000;  // of a slow line, until this one is known
};

// The exchanges of a leaf with its hub, one after the other. One that the line cut goes on where it
// was: the hub keeps what it had of it for some minutes (docs/spec/sync.md, "A cut exchange").
class HubCall {
 public:
  // Borrows the node.
  explicit HubCall(server::Node& node) : node_(node) {}

  // One exchange, or the rest of the one that was cut; `headers` go with it. `upBytes`: as for
  // sync::LeafExchange. Throws what Client::send() throws, what the hub refuses it for, and what
  // the answer's frames throw.
  sync::ExchangeOutcome exchange(Client& client, std::size_t upBytes,
                                 const std::map<std::string, std::string>& headers = {});

  // The same. Where the hub refuses because it has another history of this node than the node
  // itself, asks what it has and makes again what it lacks (sync/reissue.h), at most once an hour;
  // then throws Failure("sync.set-back"), and the next exchange goes on from there.
  sync::ExchangeOutcome exchangeOrSettle(Client& client, std::size_t upBytes,
                                         const std::map<std::string, std::string>& headers);

  // Called when a request is made and before it is sent.
  using Begun = std::function<void(const sync::LeafExchange& leaf)>;
  void onBegun(Begun listener) { begun_ = std::move(listener); }

  // What came with the last answer; lower-case names.
  const std::map<std::string, std::string>& answerHeaders() const { return answerHeaders_; }

  // How long the answer to the last request took to begin, where both fitted into a packet or two
  // on a connection that stood: the way there and back.
  std::optional<std::chrono::milliseconds> roundTrip() const { return roundTrip_; }

  // Whether the line cut the last one, so that the next call goes on with it.
  bool isCut() const { return leaf_ != nullptr; }
  // Begins anew the next time: the hub is another one.
  void forget() { leaf_.reset(); }

  // Bytes of bodies handed to the line and taken from it since the start.
  std::uint64_t bytesUp() const { return bytesUp_; }
  std::uint64_t bytesDown() const { return bytesDown_; }

 private:
  std::optional<std::size_t> settleHistory(Client& client);
  bool goOn(Client& client, std::size_t& from);
  ClientResponse send(Client& client, std::size_t from,
                      const std::map<std::string, std::string>& headers);

  server::Node& node_;
  Begun begun_;
  std::unique_ptr<sync::LeafExchange> leaf_;  // of an exchange that is not over
  std::string name_;                          // by which the hub knows it
  std::string body_;
  std::map<std::string, std::string> answerHeaders_;
  std::optional<std::chrono::milliseconds> roundTrip_;
  std::chrono::milliseconds lastRoundTrip_{0};  // that was measured
  std::uint64_t answered_ = 0;                  // bytes of the answer that have come
  ChunkWindow chunkWindow_;
  std::chrono::steady_clock::time_point mayBeSettledFrom_;  // the next time
  std::uint64_t bytesUp_ = 0;
  std::uint64_t bytesDown_ = 0;
};

}  // namespace waystation::http

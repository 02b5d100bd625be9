#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>

#include "server/http/body_decoder.h"
#include "server/http/host_names.h"
#include "server/http/request_reader.h"
#include "server/http/router.h"
#include "server/http/server.h"
#include "server/http/tls_stream.h"

namespace waystation::http {

struct SharedCounters {
  std::string idsBegin;  // of the requests' ids, since the start of the server
  std::atomic<std::uint64_t> ids{0};
  std::atomic<std::uint64_t> accepted{0};
  std::atomic<std::uint64_t> refusedConnections{0};
  std::atomic<std::uint64_t> failedHandshakes{0};
  std::atomic<std::uint64_t> requests{0};
  std::atomic<std::uint64_t> refusedRequests{0};
};

// How long the other side may keep us waiting: a grace and the time that the bytes moved so far
// take at the lowest rate. Only waiting counts, not the time a handler thinks.
class Patience {
 public:
  explicit Patience(const ServerLimits& limits)
      : left_(limits.graceTime), bytesPerSecond_(limits.bytesPerSecond) {}

  void moved(std::size_t bytes);
  // Waits on the stream. Throws as TlsStream::wait does.
  void wait(const TlsStream& stream, TlsStream::Progress progress);

 private:
  Clock::duration left_;
  std::uint64_t bytesPerSecond_;
};

// One client's connection to the server. It is advanced without waiting by the thread that holds
// all connections; when a request is there, a worker may wait in answer(), and hands it back.
class Connection {
 public:
  enum class Next { kWantRead, kWantWrite, kAnswer, kClose };

  // `settings`, `hosts` and `counters` must outlive it.
  Connection(const Poco::Net::StreamSocket& socket, Poco::Net::Context::Ptr context,
             std::string clientAddress, const ServerSettings& settings, const HostNames& hosts,
             SharedCounters& counters);

  // Goes on as far as the bytes that have come allow. Never throws.
  Next advance() noexcept;

  // Its deadline() has passed: says so where there is somebody to say it to.
  Next expire() noexcept;

  // Answers what has come, or would come, with this; then reads and forgets for a moment, so that
  // the refusal is not lost in a reset.
  Next refuse(Response refusal) noexcept;

  // On a worker: has the request answered and sends the answer. Never throws.
  void answer(const Router& router, const std::stop_token& stop) noexcept;

  // After answer(): the next request, or the end.
  Next resume(bool stopping) noexcept;

  // Cuts it under the worker that waits on it.
  void interrupt() noexcept { stream_.interrupt(); }

  Deadline deadline() const { return deadline_; }

  // Whether only a refusal's last moments are left.
  bool draining() const { return state_ == State::kDraining; }

  const std::string& clientAddress() const { return clientAddress_; }

  int descriptor() const { return stream_.descriptor(); }

 private:
  enum class State { kHandshake, kHead, kBody, kDraining };

  Next step();
  bool takeInput();
  void checkHost() const;
  Next drain();
  void tell(const Request* request, Response& response, Deadline begun);
  void send(const Response& response, bool keepAlive);
  void writeAll(std::string_view bytes, Patience& patience);

  TlsStream stream_;
  const std::string clientAddress_;
  const ServerSettings& settings_;
  const HostNames& hosts_;
  SharedCounters& counters_;
  std::string peerCertificatePem_;
  State state_ = State::kHandshake;
  Deadline deadline_;
  RequestReader reader_;
  bool headBegun_ = false;
  bool answered_ = false;  // the first head's time began with the connection
  RequestHead head_;
  std::string input_;  // come, but not taken yet
  std::size_t drained_ = 0;
  bool keep_ = false;      // after answer(): the connection may go on
  bool bodyLeft_ = false;  // after answer(): the client may still be sending
  bool broken_ = false;
};

}  // namespace waystation::http

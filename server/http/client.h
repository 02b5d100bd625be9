#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace waystation::http {

struct ClientSettings {
  std::string host;  // name or address connected to; also the Host field
  std::uint16_t port = 0;
  std::string expectedName;    // what the server's certificate must say: a DNS name, CN or IP
  std::string authorityPem;    // the only authority trusted for it
  std::string certificatePem;  // ours, where the server asks for one; else empty
  std::string privateKeyPem;
  std::string connectHost;  // where to connect instead of host and port (a relay), if set
  std::uint16_t connectPort = 0;
  std::chrono::milliseconds connectTime{10000};  // TCP and TLS together
  std::chrono::milliseconds stallTime{60000};    // without a byte moving, once a call has begun
  std::size_t responseBytes = std::size_t{64} << 20;  // of a body; more is refused
};

struct ClientResponse {
  int status = 0;
  std::map<std::string, std::string> headers;  // lower-case names
  std::string body;
};

// Speaks HTTP/1.1 over TLS 1.3 with one server, one call at a time, on a connection that it keeps
// open and opens again when the server has closed it meanwhile. Sends as few bytes as it can: a
// small request is one TLS record.
class Client {
 public:
  // Takes pieces of a body as they come.
  using BodySink = std::function<void(std::string_view)>;

  // Does not connect yet. Ignores SIGPIPE for the process. Throws Failure("tls.*") for
  // certificates that cannot be used.
  explicit Client(ClientSettings settings);
  ~Client();

  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Sends a request and reads the whole answer, of whatever status. With `sink` the body of a 2xx
  // answer goes there as it comes and ClientResponse::body stays empty.
  // Throws Failure("net.unreachable"), ("net.certificate"), ("net.tls") before anything was sent;
  // ("net.timeout"), ("net.closed"), ("net.cancelled"), ("net.answer-malformed"),
  // ("net.answer-too-large") when the server may have acted on the request. A connection that the
  // server closed since the last call is noticed beforehand; nothing is ever sent twice.
  ClientResponse send(const std::string& method, const std::string& path,
                      const std::map<std::string, std::string>& headers = {},
                      std::string_view body = {}, const BodySink& sink = {});

  // For the next calls: how long they may go without a byte (a long poll needs more).
  void setStallTime(std::chrono::milliseconds time);

  // For the next calls: no faster than so many bytes a second; 0: as fast as the line takes them.
  // What is sent faster than a slow line carries it waits in the network, before everything else
  // that is sent meanwhile.
  void setPace(std::uint32_t bytesPerSecond);

  // From any thread: the call in progress, and every later one until allow(), throws
  // Failure("net.cancelled") at once.
  void cancel();
  void allow();

  // Closes the connection; the next call opens a new one.
  void disconnect();

  // Bytes of HTTP sent and received since the start, heads included, TLS and TCP not.
  std::uint64_t bytesUp() const;
  std::uint64_t bytesDown() const;
  // TLS connections opened since the start.
  std::uint64_t connections() const;

 private:
  class Line;
  std::unique_ptr<Line> line_;
};

}  // namespace waystation::http

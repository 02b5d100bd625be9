#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "server/http/request_reader.h"
#include "server/http/router.h"

namespace waystation::http {

// What a server takes before it says no.
struct ServerLimits {
  HeadLimits head;
  std::chrono::milliseconds headTime{10000};   // TLS handshake and whole head together
  std::chrono::milliseconds idleTime{60000};   // between two requests
  std::chrono::milliseconds graceTime{30000};  // a body or answer may stall this long in all...
  std::uint64_t bytesPerSecond = 500;          // ...on top of the time it takes at this rate
  std::size_t smallBody = 65536;  // bytes of a body that are awaited before a thread is taken
  std::size_t connections = 4096;
  std::size_t connectionsPerAddress = 64;
  std::size_t threads = 128;  // requests being answered at once
  std::size_t waiting = 256;  // requests waiting for a thread; one more is answered 503
  std::chrono::milliseconds stopTime{2000};
};

// One request that was answered or refused, for a log: nothing of what was sent but its method.
struct ServedRequest {
  std::string id;      // also the answer's field Request-Id, but for bare ones
  std::string method;  // empty where its head was refused
  std::string route;   // the address's pattern; empty where there is none
  int status = 0;
  std::string code;                // of the problem, or empty
  std::int64_t milliseconds = 0;   // until the answer was there to be sent
  std::string peerCertificatePem;  // empty without a client certificate
};

struct ServerSettings {
  std::string address = "0.0.0.0";
  std::uint16_t port = 0;  // 0: any free one
  std::string certificatePem;
  std::string privateKeyPem;
  std::string clientAuthorityPem;      // set: every client must show a certificate signed by it
  std::vector<std::string> hosts;      // by which it is asked for (HostNames); empty: any
  std::vector<std::string> openPaths;  // answered whatever Host says
  ServerLimits limits;
  // Called by many threads at once, before the answer goes out; may be empty. Must not throw.
  std::function<void(const ServedRequest&)> served = {};
  // A client's certificate whose time is over passes; whoever answers judges it.
  bool takesExpired = false;
};

// What has happened since the start; counts.
struct ServerCounters {
  std::uint64_t accepted = 0;            // connections
  std::uint64_t refusedConnections = 0;  // over a cap, closed unanswered
  std::uint64_t failedHandshakes = 0;    // not TLS 1.3, no or a wrong client certificate
  std::uint64_t requests = 0;            // handed to the router
  std::uint64_t refusedRequests = 0;     // framing refused, too slow, or 503
};

// HTTP/1.1 over TLS 1.3. One thread holds all connections that wait (handshakes, heads and small
// bodies that are still coming, idle ones), so slow or idle clients hold nobody up; a request that
// has come is answered by one of a bounded set of threads.
class Server {
 public:
  // `router` must outlive the server and no longer change once it is started. Ignores SIGPIPE for
  // the process. Throws Failure("tls.*") if the certificate, key or authority cannot be used.
  Server(ServerSettings settings, const Router& router);
  ~Server();  // stops

  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Listens and answers. Throws Failure("http.port-in-use") or ("http.cannot-listen").
  void start();

  // Ends at once what waits, lets what is being answered finish (its Request says stopping()), cuts
  // what is not done after `limits.stopTime`, and returns when every handler has returned. Not to
  // be called from a handler. Does nothing when stopped already.
  void stop();

  // Another certificate for connections that begin from now on. From any thread. Throws
  // Failure("tls.*"), and goes on with the one before.
  void useCertificate(const std::string& certificatePem, const std::string& privateKeyPem);

  // Other names in the place of `settings.hosts`, at once. From any thread.
  void useHosts(const std::vector<std::string>& hosts);

  // The port listened on, from start() on.
  std::uint16_t port() const;

  ServerCounters counters() const;

 private:
  class Reactor;
  std::unique_ptr<Reactor> reactor_;
};

}  // namespace waystation::http

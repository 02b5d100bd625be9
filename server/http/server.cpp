#include "server/http/server.h"

#include <Poco/Net/NetException.h>
#include <Poco/Net/ServerSocket.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <mutex>
#include <optional>
#include <thread>
#include <unordered_map>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "crypto/random.h"
#include "crypto/tls_context.h"
#include "server/http/connection.h"
#include "server/http/worker_pool.h"

namespace waystation::http {
namespace {

using Poco::Net::Context;

// How often deadlines are looked at.
constexpr std::chrono::milliseconds kTick{200};
// After the system refused a new connection (no descriptors left), how long none is asked for.
constexpr std::chrono::milliseconds kAcceptPause{500};
constexpr int kAcceptedAtOnce = 64;
constexpr int kBacklog = 512;

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {
    if (number < 0) {
      throw Failure("http.cannot-listen",
                    "The system has no file descriptors left; raise the service's limit.");
    }
  }

  ~Descriptor() { ::close(number_); }

  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return number_; }

 private:
  const int number_;
};

Context::Ptr makeContext(const ServerSettings& settings) {
  // Poco verifies nothing here: setUpTlsServer() has OpenSSL itself do it.
  Context::Ptr context = new Context(Context::TLSV1_3_SERVER_USE, "", Context::VERIFY_NONE);
  crypto::setUpTlsServer(context->sslContext(),
                         {settings.certificatePem, settings.privateKeyPem,
                          settings.clientAuthorityPem, "", settings.takesExpired});
  return context;
}

}  // namespace

// The thread that holds the connections. It alone touches `connections_`, and a connection while it
// is not busy; a busy one belongs to its worker until the worker hands it back through `returned_`.
class Server::Reactor {
 public:
  Reactor(ServerSettings settings, const Router& router)
      : settings_(std::move(settings)),
        router_(router),
        context_(makeContext(settings_)),
        hosts_(settings_.hosts),
        epoll_(::epoll_create1(EPOLL_CLOEXEC)),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    counters_.idsBegin = crypto::toHex(crypto::SystemRandom().bytes(4)) + "-";
    ignoreBrokenPipes();
    change(EPOLL_CTL_ADD, wake_.get(), EPOLLIN);
  }

  ~Reactor() { stop(); }

  void start() {
    listen();
    stop_ = std::stop_source();
    stopDeadline_.reset();
    pool_.emplace(settings_.limits.threads, settings_.limits.waiting);
    thread_ = std::thread([this] { run(); });
  }

  void stop() {
    if (!thread_.joinable()) return;
    stop_.request_stop();
    wake();
    thread_.join();
    pool_.reset();
  }

  void useCertificate(const std::string& certificatePem, const std::string& privateKeyPem) {
    ServerSettings changed = settings_;
    changed.certificatePem = certificatePem;
    changed.privateKeyPem = privateKeyPem;
    Context::Ptr context = makeContext(changed);
    const std::lock_guard lock(mutex_);
    context_ = std::move(context);
  }

  HostNames& hosts() { return hosts_; }

  std::uint16_t port() const { return port_; }

  const SharedCounters& counters() const { return counters_; }

 private:
  struct Held {
    std::unique_ptr<Connection> connection;
    bool busy = false;
    std::uint32_t watched = 0;  // epoll's events; 0: not watched
  };

  using Connections = std::unordered_map<int, Held>;

  void listen();
  void run();
  void acceptWaiting();
  void admit(const Poco::Net::StreamSocket& socket, const std::string& address);
  void settle(Connections::iterator held, Connection::Next next);
  void dispatch(Connections::iterator held);
  void takeReturned();
  void expireOverdue();
  void endWaiting();
  void watch(Held& held, std::uint32_t events);
  void close(Connections::iterator held);

  bool change(int operation, int descriptor, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.fd = descriptor;
    return ::epoll_ctl(epoll_.get(), operation, descriptor, &event) == 0;
  }

  void wake() {
    const std::uint64_t one = 1;
    // Can only fail when the count is full, and then the thread is being woken already.
    [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
  }

  const ServerSettings settings_;
  const Router& router_;
  Context::Ptr context_;  // guarded by mutex_
  HostNames hosts_;
  Descriptor epoll_;
  Descriptor wake_;
  std::optional<Poco::Net::ServerSocket> listener_;
  std::uint16_t port_ = 0;
  std::optional<Deadline> acceptAgain_;
  Connections connections_;
  std::unordered_map<std::string, std::size_t> perAddress_;
  SharedCounters counters_;
  std::mutex mutex_;
  std::vector<int> returned_;  // guarded by mutex_
  std::stop_source stop_;
  std::optional<Deadline> stopDeadline_;
  std::optional<WorkerPool> pool_;
  std::thread thread_;
};

void Server::Reactor::listen() {
  const std::string where = settings_.address + " port " + std::to_string(settings_.port);
  try {
    const Poco::Net::SocketAddress address(settings_.address, settings_.port);
    Poco::Net::ServerSocket socket;
    // Without port sharing: a second server on the port must fail, not take half the clients.
    socket.bind(address, true, false);
    socket.listen(kBacklog);
    socket.setBlocking(false);
    port_ = socket.address().port();
    change(EPOLL_CTL_ADD, socket.impl()->sockfd(), EPOLLIN);
    listener_ = socket;
  } catch (const Poco::Exception& error) {
    if (error.code() == EADDRINUSE || error.message().find("in use") != std::string::npos) {
      throw Failure("http.port-in-use", "Cannot listen on " + where +
                                            ": another program already does. Stop it (see "
                                            "'ss -ltnp'), or choose another port.");
    }
    throw Failure("http.cannot-listen", "Cannot listen on " + where + ": " + error.displayText() +
                                            ". Check the address and the port in the settings.");
  }
}

void Server::Reactor::run() {
  std::array<epoll_event, 256> events;
  Deadline nextTick = Clock::now() + kTick;
  while (!(stop_.stop_requested() && connections_.empty() && !listener_)) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                                   static_cast<int>(kTick.count()));
    for (int i = 0; i < count; ++i) {
      const int descriptor = events[static_cast<std::size_t>(i)].data.fd;
      if (descriptor == wake_.get()) {
        std::uint64_t ignored = 0;
        [[maybe_unused]] const ssize_t got = ::read(descriptor, &ignored, sizeof ignored);
      } else if (listener_ && descriptor == listener_->impl()->sockfd()) {
        acceptWaiting();
      } else if (const auto held = connections_.find(descriptor);
                 held != connections_.end() && !held->second.busy) {
        settle(held, held->second.connection->advance());
      }
    }
    takeReturned();
    if (stop_.stop_requested()) endWaiting();
    if (Clock::now() >= nextTick) {
      expireOverdue();
      nextTick = Clock::now() + kTick;
    }
  }
}

void Server::Reactor::acceptWaiting() {
  try {
    for (int i = 0; i < kAcceptedAtOnce; ++i) {
      if (!listener_->poll(Poco::Timespan(0), Poco::Net::Socket::SELECT_READ)) return;
      Poco::Net::SocketAddress client;
      const Poco::Net::StreamSocket socket = listener_->acceptConnection(client);
      admit(socket, client.host().toString());
    }
  } catch (const Poco::Exception&) {
    // No descriptors left, or the client went before it was taken. The first would make this loop
    // spin, so the port rests for a moment; what waits there stays in the system's queue.
    change(EPOLL_CTL_DEL, listener_->impl()->sockfd(), 0);
    acceptAgain_ = Clock::now() + kAcceptPause;
  }
}

void Server::Reactor::admit(const Poco::Net::StreamSocket& accepted, const std::string& address) {
  ++counters_.accepted;
  const auto known = perAddress_.find(address);
  const std::size_t same = known == perAddress_.end() ? 0 : known->second;
  if (connections_.size() >= settings_.limits.connections ||
      same >= settings_.limits.connectionsPerAddress) {
    ++counters_.refusedConnections;
    return;
  }
  Poco::Net::StreamSocket socket = accepted;
  socket.setNoDelay(true);
  socket.setKeepAlive(true);
  Context::Ptr context;
  {
    const std::lock_guard lock(mutex_);
    context = context_;
  }
  auto connection =
      std::make_unique<Connection>(socket, context, address, settings_, hosts_, counters_);
  ++perAddress_[address];
  const int descriptor = connection->descriptor();
  const auto held = connections_.insert_or_assign(descriptor, Held{std::move(connection)}).first;
  settle(held, held->second.connection->advance());
}

void Server::Reactor::settle(Connections::iterator held, Connection::Next next) {
  switch (next) {
    case Connection::Next::kWantRead:
      watch(held->second, EPOLLIN);
      break;
    case Connection::Next::kWantWrite:
      watch(held->second, EPOLLOUT);
      break;
    case Connection::Next::kAnswer:
      dispatch(held);
      break;
    case Connection::Next::kClose:
      close(held);
  }
}

void Server::Reactor::dispatch(Connections::iterator held) {
  Held& one = held->second;
  Connection& connection = *one.connection;
  watch(one, 0);
  one.busy = true;
  const bool taken = pool_->submit([this, &connection] {
    connection.answer(router_, stop_.get_token());
    {
      const std::lock_guard lock(mutex_);
      returned_.push_back(connection.descriptor());
    }
    wake();
  });
  if (taken) return;
  one.busy = false;
  Response refusal = problem(503, "busy.server",
                             "The server has too much to do just now. Nothing was kept; try again "
                             "in ten seconds.");
  refusal.headers["Retry-After"] = "10";
  settle(held, connection.refuse(refusal));
}

void Server::Reactor::takeReturned() {
  std::vector<int> returned;
  {
    const std::lock_guard lock(mutex_);
    returned.swap(returned_);
  }
  for (const int descriptor : returned) {
    const auto held = connections_.find(descriptor);
    held->second.busy = false;
    settle(held, held->second.connection->resume(stop_.stop_requested()));
  }
}

void Server::Reactor::expireOverdue() {
  const Deadline now = Clock::now();
  if (acceptAgain_ && now >= *acceptAgain_ && listener_) {
    acceptAgain_.reset();
    change(EPOLL_CTL_ADD, listener_->impl()->sockfd(), EPOLLIN);
  }
  std::vector<int> overdue;
  for (const auto& [descriptor, held] : connections_) {
    if (!held.busy && held.connection->deadline() <= now) overdue.push_back(descriptor);
  }
  for (const int descriptor : overdue) {
    const auto held = connections_.find(descriptor);
    settle(held, held->second.connection->expire());
  }
}

// Stopping: what waits goes at once, what is being answered has until the stop's own deadline.
void Server::Reactor::endWaiting() {
  if (!stopDeadline_) stopDeadline_ = Clock::now() + settings_.limits.stopTime;
  listener_.reset();
  acceptAgain_.reset();
  const bool late = Clock::now() >= *stopDeadline_;
  for (auto held = connections_.begin(); held != connections_.end();) {
    const auto next = std::next(held);
    Held& one = held->second;
    if (one.busy && late) one.connection->interrupt();
    if (!one.busy && (late || !one.connection->draining())) close(held);
    held = next;
  }
}

void Server::Reactor::watch(Held& held, std::uint32_t events) {
  if (held.watched == events) return;
  const int operation = held.watched == 0 ? EPOLL_CTL_ADD
                        : events == 0     ? EPOLL_CTL_DEL
                                          : EPOLL_CTL_MOD;
  change(operation, held.connection->descriptor(), events);
  held.watched = events;
}

void Server::Reactor::close(Connections::iterator held) {
  watch(held->second, 0);
  const auto address = perAddress_.find(held->second.connection->clientAddress());
  if (--address->second == 0) perAddress_.erase(address);
  connections_.erase(held);
}

Server::Server(ServerSettings settings, const Router& router)
    : reactor_(std::make_unique<Reactor>(std::move(settings), router)) {}

Server::~Server() = default;

void Server::start() {
  reactor_->start();
}

void Server::stop() {
  reactor_->stop();
}

void Server::useCertificate(const std::string& certificatePem, const std::string& privateKeyPem) {
  reactor_->useCertificate(certificatePem, privateKeyPem);
}

void Server::useHosts(const std::vector<std::string>& hosts) {
  reactor_->hosts().use(hosts);
}

std::uint16_t Server::port() const {
  return reactor_->port();
}

ServerCounters Server::counters() const {
  const SharedCounters& shared = reactor_->counters();
  return {shared.accepted, shared.refusedConnections, shared.failedHandshakes, shared.requests,
          shared.refusedRequests};
}

}  // namespace waystation::http

#include "tests/bench/counting_relay.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <list>
#include <string>
#include <system_error>
#include <vector>

namespace waystation::bench {
namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

void sendWhole(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // the other side has gone; its end is seen at the next read
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

}  // namespace

struct CountingRelay::Line {
  int caller;
  int server;
  Line(int callerSocket, int serverSocket) : caller(callerSocket), server(serverSocket) {}
  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;
  ~Line() {
    close(caller);
    close(server);
  }
};

CountingRelay::CountingRelay(std::uint16_t server) : server_(server) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (listener_ < 0 || bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener_, 16) != 0 ||
      getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0 ||
      pipe2(wake_, O_CLOEXEC) != 0) {
    fail("relay");
  }
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

CountingRelay::~CountingRelay() {
  close(wake_[1]);
  thread_.join();
  close(wake_[0]);
  close(listener_);
}

// Moves what has come, one read each way at most. False when the connection is over.
bool CountingRelay::carry(Line& line) {
  char buffer[16384];
  const auto read = [&](int socket) { return recv(socket, buffer, sizeof buffer, MSG_DONTWAIT); };
  const ssize_t fromCaller = read(line.caller);
  if (fromCaller > 0) {
    const std::uint64_t left = cutAt_ - std::min<std::uint64_t>(cutAt_, up_);
    const std::uint64_t taken = std::min(left, static_cast<std::uint64_t>(fromCaller));
    sendWhole(line.server, {buffer, static_cast<std::size_t>(taken)});
    up_ += taken;
    if (taken == left) {
      cutAt_ = UINT64_MAX;
      return false;
    }
  }
  const ssize_t fromServer = read(line.server);
  if (fromServer > 0) {
    sendWhole(line.caller, {buffer, static_cast<std::size_t>(fromServer)});
    down_ += static_cast<std::uint64_t>(fromServer);
  }
  return fromCaller != 0 && fromServer != 0;
}

void CountingRelay::run() {
  std::list<Line> lines;
  while (true) {
    std::vector<pollfd> waiting = {{wake_[0], POLLIN, 0}, {listener_, POLLIN, 0}};
    for (const Line& line : lines) {
      waiting.push_back({line.caller, POLLIN, 0});
      waiting.push_back({line.server, POLLIN, 0});
    }
    if (poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) return;
    if (waiting[0].revents != 0) return;
    lines.remove_if([&](Line& line) { return !carry(line); });
    if (waiting[1].revents == 0) continue;
    const int caller = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(server_);
    const int now = 1;
    setsockopt(caller, IPPROTO_TCP, TCP_NODELAY, &now, sizeof now);
    setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &now, sizeof now);
    lines.emplace_back(caller, server);
    if (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      lines.pop_back();
      continue;
    }
    ++connections_;
  }
}

}  // namespace waystation::bench

#include "server/commands/line_channel.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

namespace waystation::commands {
namespace {

constexpr std::size_t kLongestLine = std::size_t{1} << 20;
constexpr int kWriteMs = 10'000;

}  // namespace

LineChannel::~LineChannel() {
  ::close(descriptor_);
}

std::optional<std::string> LineChannel::read() {
  std::array<char, 4096> piece;
  for (;;) {
    if (const std::size_t end = buffer_.find('\n'); end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    if (buffer_.size() > kLongestLine) return std::nullopt;
    const ssize_t got = ::recv(descriptor_, piece.data(), piece.size(), 0);
    if (got <= 0) return std::nullopt;
    buffer_.append(piece.data(), static_cast<std::size_t>(got));
  }
}

bool LineChannel::write(std::string_view line) {
  const std::string bytes = std::string(line) + "\n";
  std::string_view left = bytes;
  while (!left.empty()) {
    pollfd ready{descriptor_, POLLOUT, 0};
    if (::poll(&ready, 1, kWriteMs) <= 0 || (ready.revents & (POLLERR | POLLHUP)) != 0) {
      return false;
    }
    const ssize_t sent = ::send(descriptor_, left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent <= 0) return false;
    left.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool LineChannel::hasPeerGone() const {
  pollfd state{descriptor_, POLLRDHUP, 0};
  return ::poll(&state, 1, 0) > 0 && (state.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void LineChannel::shutDown() {
  ::shutdown(descriptor_, SHUT_RDWR);
}

}  // namespace waystation::commands

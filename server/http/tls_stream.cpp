#include "server/http/tls_stream.h"

#include <Poco/Net/NetException.h>
#include <Poco/Net/SSLException.h>
#include <Poco/Net/X509Certificate.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <sstream>

#include "crypto/failure.h"
#include "crypto/tls_context.h"

namespace waystation::http {
namespace {

using Poco::Net::SecureStreamSocket;

Poco::Net::StreamSocket unblocked(Poco::Net::StreamSocket socket) {
  socket.setBlocking(false);
  return socket;
}

// OpenSSL's reasons that speak of a certificate: its own verdict, or the peer's alert (RFC 8446
// section 6.2: bad_certificate to certificate_required, unknown_ca).
bool isAboutCertificates(const std::string& message) {
  return message.find("certificate") != std::string::npos ||
         message.find("unknown ca") != std::string::npos;
}

[[noreturn]] void refuse(const Poco::Net::SSLException& error) {
  if (isAboutCertificates(error.message())) {
    throw Failure("net.certificate",
                  "The two machines do not accept each other's certificates, so nothing was sent. "
                  "Check their clocks, and that both are enrolled with the same headquarters.");
  }
  throw Failure("net.tls", "The other side does not speak TLS 1.3 as it should.");
}

Failure connectionBroke() {
  return Failure("net.closed", "The connection broke off. What had arrived whole is kept.");
}

}  // namespace

TlsStream::TlsStream(const Poco::Net::StreamSocket& socket, Poco::Net::Context::Ptr context)
    : socket_(SecureStreamSocket::attach(unblocked(socket), context)),
      descriptor_(socket_.impl()->sockfd()) {}

template <typename Operation>
TlsStream::Progress TlsStream::attempt(Operation operation, std::size_t& count) {
  count = 0;
  crypto::clearTlsErrors();
  int result = 0;
  try {
    result = operation();
  } catch (const Poco::Net::SSLConnectionUnexpectedlyClosedException&) {
    return Progress::kClosed;
  } catch (const Poco::Net::SSLException& error) {
    // An end without TLS's own goodbye. What a body or head lacked then is told by its length.
    if (error.message().find("unexpected eof") != std::string::npos) return Progress::kClosed;
    refuse(error);
  } catch (const Poco::Exception&) {
    throw connectionBroke();
  }
  if (result == SecureStreamSocket::ERR_SSL_WANT_READ) return Progress::kWantRead;
  if (result == SecureStreamSocket::ERR_SSL_WANT_WRITE) return Progress::kWantWrite;
  if (result <= 0) return Progress::kClosed;
  count = static_cast<std::size_t>(result);
  return Progress::kDone;
}

TlsStream::Progress TlsStream::handshake() {
  std::size_t ignored = 0;
  return attempt([this] { return socket_.completeHandshake(); }, ignored);
}

TlsStream::Progress TlsStream::read(char* buffer, std::size_t size, std::size_t& count) {
  return attempt([&] { return socket_.receiveBytes(buffer, static_cast<int>(size)); }, count);
}

TlsStream::Progress TlsStream::write(std::string_view bytes, std::size_t& count) {
  constexpr std::size_t kAtOnce = std::size_t{1} << 20;
  const int size = static_cast<int>(std::min(bytes.size(), kAtOnce));
  return attempt([&] { return socket_.sendBytes(bytes.data(), size); }, count);
}

void TlsStream::wait(Progress progress, Deadline deadline, int wakeDescriptor) const {
  waitForSocket(descriptor_, progress, deadline, wakeDescriptor);
}

void waitForSocket(int descriptor, TlsStream::Progress progress, Deadline deadline,
                   int wakeDescriptor) {
  const short events = progress == TlsStream::Progress::kWantWrite ? POLLOUT : POLLIN;
  std::array<pollfd, 2> watched = {pollfd{descriptor, events, 0},
                                   pollfd{wakeDescriptor, POLLIN, 0}};
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) throw Failure("net.timeout", "The other side did not go on in time.");
    const int timeout = static_cast<int>(std::min<std::int64_t>(left, 60000));
    const int ready = ::poll(watched.data(), watched.size(), timeout);
    if (ready < 0 && errno != EINTR) throw connectionBroke();
    if (ready <= 0) continue;
    if (watched[1].revents != 0) throw Failure("net.cancelled", "The call was cancelled.");
    return;
  }
}

void TlsStream::endWriting() noexcept {
  crypto::clearTlsErrors();
  try {
    socket_.shutdown();
  } catch (const Poco::Exception&) {
    // The other side has gone already, and so need not be told.
  }
  ::shutdown(descriptor_, SHUT_WR);
}

void TlsStream::interrupt() noexcept {
  ::shutdown(descriptor_, SHUT_RDWR);
}

bool TlsStream::readable() const {
  pollfd watched{descriptor_, POLLIN, 0};
  return ::poll(&watched, 1, 0) != 0;
}

std::string TlsStream::peerCertificatePem() const {
  if (!socket_.havePeerCertificate()) return {};
  std::ostringstream pem;
  socket_.peerCertificate().save(pem);
  return pem.str();
}

void ignoreBrokenPipes() {
  std::signal(SIGPIPE, SIG_IGN);
}

}  // namespace waystation::http

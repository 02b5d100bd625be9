#include "server/http/client.h"

#include <Poco/Net/NetException.h>
#include <Poco/Net/StreamSocket.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <optional>
#include <utility>

#include "crypto/failure.h"
#include "crypto/tls_context.h"
#include "server/http/body_decoder.h"
#include "server/http/response_head.h"
#include "server/http/response_reader.h"
#include "server/http/tls_stream.h"

namespace waystation::http {
namespace {

using Poco::Net::Context;
using Progress = TlsStream::Progress;

constexpr std::size_t kMaxHead = 32768;
// A body up to this size goes out in one TLS record with its head. Of a record that the line cuts
// nothing arrives, so those of a larger body are a small part of it each.
constexpr std::size_t kSmallBody = 4096;
constexpr std::size_t kLeastRecord = 512;
constexpr std::size_t kMostRecord = 16384;
constexpr std::size_t kRecordsOfABody = 40;

// How long what was sent may go unacknowledged before the line counts as cut. TCP by itself would
// try for a quarter of an hour, more and more rarely, and sleep through the minutes when the line
// is back.
constexpr int kLineTimeoutMs = 20'000;
// What may wait in the system's buffer beyond what is on its way: minutes of a slow line else, in
// which nobody knows whether it moves.
constexpr int kWaitingBytes = 16'384;

void setOption(int socket, int level, int name, int value) {
  ::setsockopt(socket, level, name, &value, sizeof value);
}

// Makes the best of a line that is slow, loses packets and is away for hours. What the system does
// not have is done without.
void suitBadLines(int socket) {
  setOption(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, kLineTimeoutMs);
  setOption(socket, IPPROTO_TCP, TCP_NOTSENT_LOWAT, kWaitingBytes);
  // Takes a lost packet for a lost packet, and not for a crowded line.
  constexpr std::string_view kBbr = "bbr";
  ::setsockopt(socket, IPPROTO_TCP, TCP_CONGESTION, kBbr.data(), kBbr.size());
}

Context::Ptr makeContext(const ClientSettings& settings) {
  // Poco verifies nothing here: setUpTlsClient() has OpenSSL itself do it.
  Context::Ptr context = new Context(Context::TLSV1_3_CLIENT_USE, "", Context::VERIFY_NONE);
  crypto::setUpTlsClient(context->sslContext(), {settings.certificatePem, settings.privateKeyPem,
                                                 settings.authorityPem, settings.expectedName});
  return context;
}

std::string requestHead(const std::string& method, const std::string& path, const std::string& host,
                        const std::map<std::string, std::string>& headers, std::size_t bodySize) {
  std::string head = method + ' ' + path + " HTTP/1.1\r\nHost: " + host + "\r\n";
  for (const auto& [name, value] : headers) {
    head.append(name).append(": ").append(value).append("\r\n");
  }
  if (bodySize > 0 || method == "POST" || method == "PUT") {
    head.append("Content-Length: ").append(std::to_string(bodySize)).append("\r\n");
  }
  return head + "\r\n";
}

}  // namespace

// The connection and what is known of it.
class Client::Line {
 public:
  explicit Line(ClientSettings settings)
      : settings_(std::move(settings)),
        context_(makeContext(settings_)),
        wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (wake_ < 0) throw Failure("net.unreachable", "The system has no file descriptors left.");
    ignoreBrokenPipes();
  }

  ~Line() { ::close(wake_); }

  Line(const Line&) = delete;
  Line& operator=(const Line&) = delete;

  void connect();
  void write(std::string_view bytes);
  ResponseHead readHead(const std::string& method);
  void readBody(const ResponseHead& head, const BodySink& sink);
  void disconnect() { stream_.reset(); }
  void setPace(std::uint32_t bytesPerSecond);

  void cancel() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_, &one, sizeof one);
  }

  void allow() {
    std::uint64_t ignored = 0;
    [[maybe_unused]] const ssize_t got = ::read(wake_, &ignored, sizeof ignored);
  }

  ClientSettings settings_;
  std::atomic<std::uint64_t> up_{0};
  std::atomic<std::uint64_t> down_{0};
  std::atomic<std::uint64_t> connections_{0};

 private:
  Poco::Net::StreamSocket dial(Deadline deadline) const;
  bool fetch();

  Context::Ptr context_;
  const int wake_;  // readable while cancelled
  std::optional<TlsStream> stream_;
  std::string input_;  // come, but not taken yet
  std::uint32_t pace_ = 0;
};

void Client::Line::setPace(std::uint32_t bytesPerSecond) {
  pace_ = bytesPerSecond;
  if (!stream_) return;
  const std::uint32_t rate = pace_ == 0 ? ~std::uint32_t{0} : pace_;
  ::setsockopt(stream_->descriptor(), SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof rate);
}

Poco::Net::StreamSocket Client::Line::dial(Deadline deadline) const {
  const bool relayed = !settings_.connectHost.empty();
  const std::string& host = relayed ? settings_.connectHost : settings_.host;
  const std::uint16_t port = relayed ? settings_.connectPort : settings_.port;
  const Failure unreachable("net.unreachable",
                            "Nobody answers at " + host + " port " + std::to_string(port) +
                                ". Nothing was sent; check the network, and that the other side "
                                "is running.");
  try {
    Poco::Net::StreamSocket socket;
    socket.connectNB(Poco::Net::SocketAddress(host, port));
    waitForSocket(socket.impl()->sockfd(), Progress::kWantWrite, deadline, wake_);
    if (socket.impl()->socketError() != 0) throw unreachable;
    socket.setNoDelay(true);
    suitBadLines(socket.impl()->sockfd());
    return socket;
  } catch (const Poco::Exception&) {
    throw unreachable;
  } catch (const Failure& failure) {
    if (failure.code() == "net.timeout") throw unreachable;
    throw;
  }
}

void Client::Line::connect() {
  // Between two calls the server has nothing to say, so what can be read is the connection's end.
  if (stream_ && !input_.empty()) stream_.reset();
  if (stream_ && stream_->readable()) stream_.reset();
  if (stream_) return;
  input_.clear();
  const Deadline deadline = Clock::now() + settings_.connectTime;
  stream_.emplace(dial(deadline), context_);
  while (true) {
    const Progress progress = stream_->handshake();
    if (progress == Progress::kDone) break;
    if (progress == Progress::kClosed) {
      throw Failure("net.tls", "The other side closed the connection before TLS was set up.");
    }
    stream_->wait(progress, deadline, wake_);
  }
  ++connections_;
  if (pace_ != 0) setPace(pace_);
}

void Client::Line::write(std::string_view bytes) {
  while (!bytes.empty()) {
    std::size_t count = 0;
    const Progress progress = stream_->write(bytes, count);
    if (progress == Progress::kClosed) {
      throw Failure("net.closed", "The other side closed the connection while it was written to.");
    }
    bytes.remove_prefix(count);
    up_ += count;
    if (progress != Progress::kDone) {
      stream_->wait(progress, Clock::now() + settings_.stallTime, wake_);
    }
  }
}

// Waits for more input; false at the connection's end.
bool Client::Line::fetch() {
  std::array<char, 16384> buffer;
  while (true) {
    std::size_t count = 0;
    const Progress progress = stream_->read(buffer.data(), buffer.size(), count);
    if (progress == Progress::kClosed) return false;
    if (progress == Progress::kDone) {
      input_.append(buffer.data(), count);
      down_ += count;
      return true;
    }
    stream_->wait(progress, Clock::now() + settings_.stallTime, wake_);
  }
}

ResponseHead Client::Line::readHead(const std::string& method) {
  while (true) {
    const std::size_t end = input_.find("\r\n\r\n");
    if (end == std::string::npos) {
      if (input_.size() > kMaxHead) {
        throw Failure("net.answer-too-large", "The head of the other side's answer is too large.");
      }
      if (!fetch()) {
        throw Failure("net.closed", "The other side closed the connection without an answer.");
      }
      continue;
    }
    ResponseHead head = parseResponseHead(std::string_view(input_).substr(0, end + 2));
    input_.erase(0, end + 4);
    if (head.status < 200) continue;
    if (method == "HEAD" || !mayHaveBody(head.status)) {
      head.chunked = false;
      head.contentLength = 0;
    }
    if (!head.chunked && !head.contentLength) {
      throw Failure("net.answer-malformed", "The other side's answer does not say its length.");
    }
    return head;
  }
}

void Client::Line::readBody(const ResponseHead& head, const BodySink& sink) {
  if (head.contentLength.value_or(0) > settings_.responseBytes) {
    throw Failure("net.answer-too-large", "The other side's answer is larger than is taken.");
  }
  BodyDecoder decoder = head.chunked ? BodyDecoder::chunked(settings_.responseBytes)
                                     : BodyDecoder::ofLength(*head.contentLength);
  std::array<char, 16384> buffer;
  try {
    while (!decoder.finished()) {
      const auto step = decoder.decode(input_, buffer.data(), buffer.size());
      input_.erase(0, step.consumed);
      if (step.produced > 0) {
        sink(std::string_view(buffer.data(), step.produced));
      } else if (!decoder.finished() && !fetch()) {
        throw Failure("net.closed", "The connection broke in the middle of the answer.");
      }
    }
  } catch (const Failure& failure) {
    if (failure.code() == "http.body-too-large") {
      throw Failure("net.answer-too-large", "The other side's answer is larger than is taken.");
    }
    if (failure.code() == "http.chunk-malformed") {
      throw Failure("net.answer-malformed", "The other side's answer is not valid HTTP/1.1.");
    }
    throw;
  }
}

Client::Client(ClientSettings settings) : line_(std::make_unique<Line>(std::move(settings))) {}

Client::~Client() = default;

ClientResponse Client::send(const std::string& method, const std::string& path,
                            const std::map<std::string, std::string>& headers,
                            std::string_view body, const BodySink& sink) {
  try {
    line_->connect();
    std::string head = requestHead(method, path, line_->settings_.host, headers, body.size());
    try {
      if (body.size() <= kSmallBody) {
        line_->write(head.append(body));
      } else {
        const std::size_t piece =
            std::clamp(body.size() / kRecordsOfABody, kLeastRecord, kMostRecord);
        line_->write(head.append(body.substr(0, piece)));
        for (std::size_t at = piece; at < body.size(); at += piece) {
          line_->write(body.substr(at, piece));
        }
      }
    } catch (const Failure& failure) {
      // A server that refuses a body answers before it has read it; that answer may be here.
      if (failure.code() != "net.closed") throw;
    }
    const ResponseHead answer = line_->readHead(method);
    ClientResponse response{answer.status, answer.headers, {}};
    const bool toSink = sink && answer.status < 300;
    line_->readBody(answer, [&](std::string_view piece) {
      toSink ? sink(piece) : static_cast<void>(response.body.append(piece));
    });
    if (!answer.keepAlive) line_->disconnect();
    return response;
  } catch (...) {
    // Where the next answer would begin is unknown.
    line_->disconnect();
    throw;
  }
}

void Client::setStallTime(std::chrono::milliseconds time) {
  line_->settings_.stallTime = time;
}

void Client::setPace(std::uint32_t bytesPerSecond) {
  line_->setPace(bytesPerSecond);
}

void Client::cancel() {
  line_->cancel();
}

void Client::allow() {
  line_->allow();
}

void Client::disconnect() {
  line_->disconnect();
}

std::uint64_t Client::bytesUp() const {
  return line_->up_;
}

std::uint64_t Client::bytesDown() const {
  return line_->down_;
}

std::uint64_t Client::connections() const {
  return line_->connections_;
}

}  // namespace waystation::http

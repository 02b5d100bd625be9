#include "server/http/connection.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "crypto/failure.h"
#include "server/http/response_head.h"

namespace waystation::http {
namespace {

using Progress = TlsStream::Progress;

// An answer up to this size goes out in one write, its head included.
constexpr std::size_t kSmallAnswer = 65536;
constexpr std::size_t kMostDrained = std::size_t{1} << 20;
constexpr std::chrono::seconds kDrainTime{2};

Clock::duration timeFor(std::uint64_t bytes, std::uint64_t bytesPerSecond) {
  return std::chrono::milliseconds(bytes * 1000 / std::max<std::uint64_t>(bytesPerSecond, 1));
}

bool isRefusal(const Failure& failure) {
  return failure.code().starts_with("http.");
}

Connection::Next toNext(Progress progress) {
  switch (progress) {
    case Progress::kWantRead:
      return Connection::Next::kWantRead;
    case Progress::kWantWrite:
      return Connection::Next::kWantWrite;
    default:
      return Connection::Next::kClose;
  }
}

// The body of the request being answered, from what has come already and then from the stream.
class ConnectionBody final : public BodyReader {
 public:
  ConnectionBody(TlsStream& stream, std::string& input, const RequestHead& head,
                 const ServerLimits& limits)
      : stream_(stream),
        input_(input),
        length_(head.chunked ? std::nullopt : std::optional(head.contentLength.value_or(0))),
        decoder_(head.chunked ? BodyDecoder::chunked(limits.head.bodyBytes)
                              : BodyDecoder::ofLength(*length_)),
        patience_(limits),
        mustInvite_(head.expectsContinue) {}

  std::optional<std::uint64_t> length() const override { return length_; }

  std::size_t read(char* buffer, std::size_t size) override {
    while (size > 0 && !decoder_.finished()) {
      const BodyDecoder::Step step = decoder_.decode(input_, buffer, size);
      input_.erase(0, step.consumed);
      if (step.produced > 0) return step.produced;
      if (!decoder_.finished()) fetch();
    }
    return 0;
  }

  // Passes over what the handler did not read, as far as it has come. Whether that was all.
  bool finish() {
    std::array<char, 4096> unread;
    while (!decoder_.finished() && !input_.empty()) {
      input_.erase(0, decoder_.decode(input_, unread.data(), unread.size()).consumed);
    }
    return decoder_.finished();
  }

 private:
  void fetch() {
    try {
      if (mustInvite_) invite();
      std::array<char, 16384> buffer;
      while (true) {
        std::size_t count = 0;
        const Progress progress = stream_.read(buffer.data(), buffer.size(), count);
        if (progress == Progress::kClosed) throw Failure("net.closed", "");
        if (progress == Progress::kDone) {
          input_.append(buffer.data(), count);
          patience_.moved(count);
          return;
        }
        patience_.wait(stream_, progress);
      }
    } catch (const Failure& failure) {
      if (failure.code() == "net.timeout") {
        throw Failure("http.body-too-slow",
                      "What was sent came too slowly to be taken; nothing of it was kept.");
      }
      throw Failure("http.body-cut",
                    "The connection ended before everything had come; nothing of it was kept.");
    }
  }

  void invite() {
    mustInvite_ = false;
    std::string_view rest = "HTTP/1.1 100 Continue\r\n\r\n";
    while (!rest.empty()) {
      std::size_t count = 0;
      const Progress progress = stream_.write(rest, count);
      if (progress == Progress::kClosed) throw Failure("net.closed", "");
      rest.remove_prefix(count);
      if (progress != Progress::kDone) patience_.wait(stream_, progress);
    }
  }

  TlsStream& stream_;
  std::string& input_;
  std::optional<std::uint64_t> length_;
  BodyDecoder decoder_;
  Patience patience_;
  bool mustInvite_;
};

// Frames a streamed body as chunks.
class ChunkWriter final : public BodyWriter {
 public:
  explicit ChunkWriter(std::function<void(std::string_view)> sink) : sink_(std::move(sink)) {}

  void write(std::string_view bytes) override {
    if (bytes.empty()) return;
    std::array<char, 24> size;
    const int digits = std::snprintf(size.data(), size.size(), "%zx\r\n", bytes.size());
    std::string chunk(size.data(), static_cast<std::size_t>(digits));
    chunk.append(bytes).append("\r\n");
    sink_(chunk);
  }

 private:
  std::function<void(std::string_view)> sink_;
};

}  // namespace

void Patience::moved(std::size_t bytes) {
  left_ += timeFor(bytes, bytesPerSecond_);
}

void Patience::wait(const TlsStream& stream, TlsStream::Progress progress) {
  const Deadline begin = Clock::now();
  stream.wait(progress, begin + left_);
  left_ -= Clock::now() - begin;
}

Connection::Connection(const Poco::Net::StreamSocket& socket, Poco::Net::Context::Ptr context,
                       std::string clientAddress, const ServerSettings& settings,
                       const HostNames& hosts, SharedCounters& counters)
    : stream_(socket, std::move(context)),
      clientAddress_(std::move(clientAddress)),
      settings_(settings),
      hosts_(hosts),
      counters_(counters),
      deadline_(Clock::now() + settings.limits.headTime),
      reader_(settings.limits.head) {}

Connection::Next Connection::advance() noexcept {
  try {
    return step();
  } catch (const Failure& failure) {
    if (state_ == State::kHandshake) ++counters_.failedHandshakes;
    if (state_ != State::kHandshake && isRefusal(failure)) return refuse(problem(failure));
  } catch (const std::exception&) {
    // Out of memory: this client goes, the others stay.
  }
  return Next::kClose;
}

Connection::Next Connection::step() {
  if (state_ == State::kDraining) return drain();
  if (state_ == State::kHandshake) {
    const Progress progress = stream_.handshake();
    if (progress == Progress::kClosed) ++counters_.failedHandshakes;
    if (progress != Progress::kDone) return toNext(progress);
    peerCertificatePem_ = stream_.peerCertificatePem();
    state_ = State::kHead;
  }
  std::array<char, 16384> buffer;
  while (!takeInput()) {
    std::size_t count = 0;
    const Progress progress = stream_.read(buffer.data(), buffer.size(), count);
    if (progress != Progress::kDone) return toNext(progress);
    input_.append(buffer.data(), count);
  }
  return Next::kAnswer;
}

// Whether a request is ready for a worker.
bool Connection::takeInput() {
  const ServerLimits& limits = settings_.limits;
  if (state_ == State::kHead) {
    if (!headBegun_ && !input_.empty()) {
      headBegun_ = true;
      if (answered_) deadline_ = Clock::now() + limits.headTime;
    }
    input_.erase(0, reader_.feed(input_));
    if (!reader_.complete()) return false;
    head_ = reader_.take();
    checkHost();
    state_ = State::kBody;
    deadline_ = Clock::now() + limits.graceTime +
                timeFor(head_.contentLength.value_or(0), limits.bytesPerSecond);
  }
  const std::uint64_t length = head_.contentLength.value_or(0);
  return head_.chunked || head_.expectsContinue || length > limits.smallBody ||
         input_.size() >= length;
}

void Connection::checkHost() const {
  if (hosts_.has(head_.headers.at("host"))) return;
  const auto& open = settings_.openPaths;
  if (std::find(open.begin(), open.end(), head_.path) != open.end()) return;
  throw Failure("http.host-unknown",
                "This server does not go by the name in the request, and answers nothing under it. "
                "Its address (https://192.168.1.10:8443) always works; its technician can give it "
                "more names with `waystation certificate hosts --host NAME,...`.");
}

Connection::Next Connection::expire() noexcept {
  if (state_ == State::kHead && reader_.started()) {
    return refuse(problem(408, "http.head-timeout", "The request did not come in time."));
  }
  if (state_ == State::kBody) {
    return refuse(problem(408, "http.body-too-slow",
                          "What was sent came too slowly to be taken; nothing of it was kept."));
  }
  return Next::kClose;
}

// Gives the answer its id and says what was asked and what came of it.
void Connection::tell(const Request* request, Response& response, Deadline begun) {
  ServedRequest served;
  served.id = counters_.idsBegin + std::to_string(++counters_.ids);
  if (!response.bare) response.headers["Request-Id"] = served.id;
  if (!settings_.served) return;
  if (request != nullptr) {
    served.method = request->method;
    served.route = request->route;
  }
  served.status = response.status;
  served.code = response.code;
  served.milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begun).count();
  served.peerCertificatePem = peerCertificatePem_;
  settings_.served(served);
}

Connection::Next Connection::refuse(Response refusal) noexcept {
  ++counters_.refusedRequests;
  try {
    tell(nullptr, refusal, Clock::now());
    std::size_t count = 0;
    stream_.write(responseHead(refusal, false) + refusal.body, count);
    stream_.endWriting();
    state_ = State::kDraining;
    deadline_ = Clock::now() + kDrainTime;
    return drain();
  } catch (const std::exception&) {
    return Next::kClose;
  }
}

Connection::Next Connection::drain() {
  input_.clear();
  std::array<char, 16384> ignored;
  while (drained_ < kMostDrained) {
    std::size_t count = 0;
    const Progress progress = stream_.read(ignored.data(), ignored.size(), count);
    if (progress != Progress::kDone) return toNext(progress);
    drained_ += count;
  }
  return Next::kClose;
}

void Connection::answer(const Router& router, const std::stop_token& stop) noexcept {
  keep_ = false;
  try {
    ConnectionBody body(stream_, input_, head_, settings_.limits);
    Request request{head_.method,   head_.target,        head_.path, head_.query, head_.headers,
                    clientAddress_, peerCertificatePem_, body,       stop};
    ++counters_.requests;
    const Deadline begun = Clock::now();
    Response response = router.answer(request);
    bool whole = false;
    try {
      whole = body.finish();
    } catch (const Failure&) {
      // The rest of the body is malformed: what follows it cannot be a request.
    }
    bodyLeft_ = !whole;
    const bool keep = whole && head_.keepAlive && !stop.stop_requested();
    tell(&request, response, begun);
    send(response, keep);
    keep_ = keep;
  } catch (const std::exception&) {
    // The client has gone, or the stream of the answer broke: the cut tells the reader.
    broken_ = true;
  }
}

Connection::Next Connection::resume(bool stopping) noexcept {
  if (broken_) return Next::kClose;
  if (keep_ && !stopping) {
    state_ = State::kHead;
    answered_ = true;
    headBegun_ = false;
    deadline_ = Clock::now() + settings_.limits.idleTime;
    return advance();
  }
  stream_.endWriting();
  if (!bodyLeft_ && input_.empty()) return Next::kClose;
  state_ = State::kDraining;
  deadline_ = Clock::now() + kDrainTime;
  return advance();
}

void Connection::send(const Response& response, bool keepAlive) {
  Patience patience(settings_.limits);
  std::string head = responseHead(response, keepAlive);
  if (head_.method == "HEAD" || !mayHaveBody(response.status)) {
    writeAll(head, patience);
  } else if (response.stream) {
    writeAll(head, patience);
    ChunkWriter writer([&](std::string_view bytes) { writeAll(bytes, patience); });
    response.stream(writer);
    writeAll("0\r\n\r\n", patience);
  } else if (response.body.size() <= kSmallAnswer) {
    writeAll(head + response.body, patience);
  } else {
    writeAll(head, patience);
    writeAll(response.body, patience);
  }
}

void Connection::writeAll(std::string_view bytes, Patience& patience) {
  while (!bytes.empty()) {
    std::size_t count = 0;
    const Progress progress = stream_.write(bytes, count);
    if (progress == Progress::kClosed) {
      throw Failure("net.closed", "The client went before it had the whole answer.");
    }
    bytes.remove_prefix(count);
    patience.moved(count);
    if (progress != Progress::kDone) patience.wait(stream_, progress);
  }
}

}  // namespace waystation::http

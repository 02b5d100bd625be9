#include "server/commands/control_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <list>
#include <thread>

#include "server/commands/line_channel.h"

namespace waystation::commands {
namespace {

constexpr int kWaiting = 16;
constexpr std::size_t kSessions = 32;

// A socket's address holds 107 bytes; through the directory's descriptor every path fits.
class SocketAddress {
 public:
  explicit SocketAddress(const std::filesystem::path& directory)
      : descriptor_(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {
    address_.sun_family = AF_UNIX;
    const std::string name = "/proc/self/fd/" + std::to_string(descriptor_) + "/control";
    std::memcpy(address_.sun_path, name.c_str(), name.size() + 1);
  }
  ~SocketAddress() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  SocketAddress(const SocketAddress&) = delete;
  SocketAddress& operator=(const SocketAddress&) = delete;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address_); }
  const char* path() const { return address_.sun_path; }

 private:
  int descriptor_;
  sockaddr_un address_{};
};

// The terminal at the other end.
class SessionOutput : public Output {
 public:
  SessionOutput(bool isJson, LineChannel& channel, const std::atomic<bool>& stopping)
      : Output(isJson), channel_(channel), stopping_(stopping) {}

  void line(const std::string& text) override { send({{"out", text}}); }
  void warn(const std::string& sentence) override { send({{"err", sentence}}); }
  void progress(std::uint64_t done, std::uint64_t total, std::uint64_t rows) override {
    send({{"progress", {done, total, rows}}});
  }
  bool isCancelled() override { return stopping_ || isGone_ || channel_.hasPeerGone(); }

  void send(const http::Json& message) {
    const std::lock_guard guard(mutex_);
    if (!isGone_ && !channel_.write(message.dump(-1, ' ', false, kReplace))) isGone_ = true;
  }

 private:
  static constexpr auto kReplace = http::Json::error_handler_t::replace;

  LineChannel& channel_;
  const std::atomic<bool>& stopping_;
  std::mutex mutex_;
  std::atomic<bool> isGone_ = false;
};

bool isOwner(int descriptor) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == ::geteuid() || peer.uid == 0);
}

http::Json runRequest(const std::string& request, LineChannel& channel,
                      const std::atomic<bool>& stopping, const ControlServer::Runner& runner) {
  try {
    const http::Json json = http::parseJson(request);
    const Command* command = findCommand(json.at("command").get<std::string>());
    if (command == nullptr || !command->run) {
      throw Failure("control.unknown-command",
                    "The running server does not know this command: it is of another version. "
                    "Restart it.");
    }
    Options options;
    for (const auto& [name, value] : json.at("options").items()) {
      options.set(name, value.get<std::string>());
    }
    SessionOutput output(options.has("json"), channel, stopping);
    return {{"exit", runner(*command, options, output)}};
  } catch (const Failure& failure) {
    return {{"failed", failure.code()}, {"sentence", failure.what()}};
  } catch (const std::exception& error) {
    return {{"failed", "internal"}, {"sentence", error.what()}};
  }
}

}  // namespace

class ControlServer::Listener {
 public:
  Listener(const std::filesystem::path& directory, Runner runner)
      : directory_(directory), runner_(std::move(runner)) {
    listen();
    wake_ = ::eventfd(0, EFD_CLOEXEC);
    thread_ = std::thread([this] { accept(); });
  }

  ~Listener() {
    cancel();
    join();
    ::close(wake_);
  }

  void cancel() {
    stopping_ = true;
    const std::uint64_t one = 1;
    if (::write(wake_, &one, sizeof one) < 0) std::abort();
  }

  void join() {
    if (!thread_.joinable()) return;
    thread_.join();
    for (Session& session : sessions_) session.thread.join();
    sessions_.clear();
    ::unlink((directory_ / "control").c_str());
    ::close(socket_);
  }

 private:
  struct Session {
    explicit Session(int descriptor) : channel(descriptor) {}
    LineChannel channel;
    std::atomic<bool> done = false;
    std::thread thread;
  };

  void listen() {
    const SocketAddress address(directory_);
    ::unlink((directory_ / "control").c_str());
    socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    // Nobody else can connect between bind and chmod: the directory itself is 0700.
    if (socket_ < 0 || ::bind(socket_, address.get(), sizeof(sockaddr_un)) != 0 ||
        ::chmod(address.path(), 0600) != 0 || ::listen(socket_, kWaiting) != 0) {
      const std::string reason = std::strerror(errno);
      if (socket_ >= 0) ::close(socket_);
      throw Failure("control.cannot-listen", "The socket `control` in " + directory_.string() +
                                                 " can't be made: " + reason + ".");
    }
  }

  void accept() {
    while (!stopping_) {
      pollfd events[] = {{socket_, POLLIN, 0}, {wake_, POLLIN, 0}};
      ::poll(events, 2, -1);
      if (stopping_ || (events[0].revents & POLLIN) == 0) continue;
      const int client = ::accept4(socket_, nullptr, nullptr, SOCK_CLOEXEC);
      if (client < 0) continue;
      reap();
      if (!isOwner(client) || sessions_.size() >= kSessions) {
        ::close(client);
        continue;
      }
      Session& session = sessions_.emplace_back(client);
      session.thread = std::thread([this, &session] { serve(session); });
    }
    for (Session& session : sessions_) ::shutdown(session.channel.descriptor(), SHUT_RD);
  }

  void serve(Session& session) {
    if (const std::optional<std::string> request = session.channel.read()) {
      const http::Json last = runRequest(*request, session.channel, stopping_, runner_);
      session.channel.write(last.dump(-1, ' ', false, http::Json::error_handler_t::replace));
    }
    session.channel.shutDown();
    session.done = true;
  }

  void reap() {
    sessions_.remove_if([](Session& session) {
      if (!session.done) return false;
      session.thread.join();
      return true;
    });
  }

  std::filesystem::path directory_;
  Runner runner_;
  int socket_ = -1;
  int wake_ = -1;
  std::atomic<bool> stopping_ = false;
  std::list<Session> sessions_;  // touched by the thread, and after it has ended
  std::thread thread_;
};

ControlServer::ControlServer(const std::filesystem::path& directory, Runner runner)
    : listener_(std::make_unique<Listener>(directory, std::move(runner))) {}
ControlServer::~ControlServer() = default;
void ControlServer::cancel() {
  listener_->cancel();
}
void ControlServer::join() {
  listener_->join();
}

std::optional<int> runInServer(const std::filesystem::path& directory, const Command& command,
                               const Options& options, Output& output) {
  const SocketAddress address(directory);
  LineChannel channel(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(channel.descriptor(), address.get(), sizeof(sockaddr_un)) != 0) {
    if (errno != EACCES && errno != EPERM) return std::nullopt;
    throw Failure("control.not-owner", "The server in " + directory.string() +
                                           " belongs to another user; run this as that user.");
  }
  const http::Json request = {{"command", command.form.words}, {"options", options.values()}};
  channel.write(http::canonicalJson(request));
  while (const std::optional<std::string> line = channel.read()) {
    const http::Json message = http::parseJson(*line);
    if (message.contains("out")) {
      output.line(message["out"].get<std::string>());
    } else if (message.contains("err")) {
      output.warn(message["err"].get<std::string>());
    } else if (message.contains("progress")) {
      const http::Json& progress = message["progress"];
      output.progress(progress.at(0), progress.at(1), progress.at(2));
    } else if (message.contains("failed")) {
      throw Failure(message["failed"].get<std::string>(), message["sentence"].get<std::string>());
    } else if (message.contains("exit")) {
      return message["exit"].get<int>();
    }
  }
  output.throwIfCancelled();
  throw Failure("control.ended",
                "The server ended before the command was done. What it had saved is kept; start "
                "the server and repeat the command.");
}

}  // namespace waystation::commands

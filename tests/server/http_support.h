#pragma once

#include <Poco/Net/StreamSocket.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "crypto/certificate.h"
#include "crypto/failure.h"
#include "crypto/tls_context.h"
#include "server/http/client.h"
#include "server/http/server.h"
#include "server/http/tls_stream.h"

namespace waystation::http::testing {

inline constexpr std::int64_t kDay = 86400;

inline crypto::KeyAndCertificate makeAuthority(const std::string& name) {
  const std::int64_t now = std::time(nullptr);
  return crypto::createAuthority(name, now - kDay, now + 10 * kDay);
}

// A certificate in date, or one that ran out yesterday.
inline crypto::KeyAndCertificate makeIdentity(const crypto::KeyAndCertificate& authority,
                                              const std::string& name, bool expired = false) {
  const std::int64_t now = std::time(nullptr);
  const crypto::KeyAndRequest request = crypto::createRequest(name);
  crypto::CertificateTerms terms;
  terms.commonName = name;
  terms.dnsNames = {name};
  terms.notBefore = now - 5 * kDay;
  terms.notAfter = expired ? now - kDay : now + kDay;
  return {request.privateKeyPem, crypto::signRequest(authority, request.requestPem, terms)};
}

// One authority for all tests of this program: making keys takes time.
inline const crypto::KeyAndCertificate& authority() {
  static const crypto::KeyAndCertificate one = makeAuthority("Test HQ");
  return one;
}

inline const crypto::KeyAndCertificate& serverIdentity() {
  static const crypto::KeyAndCertificate one = makeIdentity(authority(), "office-one");
  return one;
}

inline ServerSettings serverSettings() {
  ServerSettings settings;
  settings.address = "127.0.0.1";
  settings.certificatePem = serverIdentity().certificatePem;
  settings.privateKeyPem = serverIdentity().privateKeyPem;
  return settings;
}

inline ClientSettings clientSettings(const Server& server) {
  ClientSettings settings;
  settings.host = "127.0.0.1";
  settings.port = server.port();
  settings.expectedName = "office-one";
  settings.authorityPem = authority().certificatePem;
  return settings;
}

// A TLS connection on which a test says exactly what it wants.
class RawConnection {
 public:
  explicit RawConnection(std::uint16_t port) : stream_(dial(port), context()) {
    while (true) {
      const auto progress = stream_.handshake();
      if (progress == TlsStream::Progress::kDone) return;
      stream_.wait(progress, patience());
    }
  }

  // False once the server takes no more.
  bool send(std::string_view bytes) {
    try {
      while (!bytes.empty()) {
        std::size_t count = 0;
        const auto progress = stream_.write(bytes, count);
        if (progress == TlsStream::Progress::kClosed) return false;
        bytes.remove_prefix(count);
        if (progress != TlsStream::Progress::kDone) stream_.wait(progress, patience());
      }
    } catch (const Failure&) {
      return false;
    }
    return true;
  }

  void endSending() { stream_.endWriting(); }

  // Reads until the server closes; what it said.
  std::string readToEnd() {
    while (fetch()) {
    }
    return std::move(input_);
  }

  // Reads one answer with Content-Length.
  std::string readAnswer() {
    std::size_t head = 0;
    while ((head = input_.find("\r\n\r\n")) == std::string::npos) {
      if (!fetch()) return std::move(input_);
    }
    const std::size_t field = input_.find("Content-Length: ");
    const std::size_t length = field < head ? std::stoul(input_.substr(field + 16)) : 0;
    while (input_.size() < head + 4 + length && fetch()) {
    }
    std::string answer = input_.substr(0, head + 4 + length);
    input_.erase(0, answer.size());
    return answer;
  }

 private:
  static Poco::Net::Context::Ptr context() {
    Poco::Net::Context::Ptr context = new Poco::Net::Context(Poco::Net::Context::TLSV1_3_CLIENT_USE,
                                                             "", Poco::Net::Context::VERIFY_NONE);
    crypto::setUpTlsClient(context->sslContext(),
                           {"", "", authority().certificatePem, "office-one"});
    return context;
  }

  static Poco::Net::StreamSocket dial(std::uint16_t port) {
    Poco::Net::StreamSocket socket(Poco::Net::SocketAddress("127.0.0.1", port));
    socket.setNoDelay(true);
    return socket;
  }

  static Deadline patience() { return Clock::now() + std::chrono::seconds(60); }

  bool fetch() {
    std::array<char, 16384> buffer;
    try {
      while (true) {
        std::size_t count = 0;
        const auto progress = stream_.read(buffer.data(), buffer.size(), count);
        if (progress == TlsStream::Progress::kClosed) return false;
        if (progress == TlsStream::Progress::kDone) {
          input_.append(buffer.data(), count);
          return true;
        }
        stream_.wait(progress, patience());
      }
    } catch (const Failure& failure) {
      if (failure.code() == "net.timeout") throw;
      return false;
    }
  }

  TlsStream stream_;
  std::string input_;
};

// A door that tests open: handlers wait behind it.
class Gate {
 public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

  void waitUntilOpen() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

inline int statusIn(const std::string& answer) {
  return answer.size() > 12 ? std::stoi(answer.substr(9, 3)) : 0;
}

// The code of the Failure that this throws; empty if it throws none.
template <typename Action>
std::string failureCode(Action action) {
  try {
    action();
  } catch (const Failure& failure) {
    return failure.code();
  }
  return {};
}

}  // namespace waystation::http::testing

#pragma once

#include <Poco/Net/Context.h>
#include <Poco/Net/SecureStreamSocket.h>

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace waystation::http {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;

// One end of a TLS connection on a socket that never blocks; whoever wants to wait says until when.
// One thread at a time, but for interrupt().
class TlsStream {
 public:
  enum class Progress { kDone, kWantRead, kWantWrite, kClosed };

  // Takes the connected socket over; which end of the handshake it is, the context says.
  TlsStream(const Poco::Net::StreamSocket& socket, Poco::Net::Context::Ptr context);

  TlsStream(const TlsStream&) = delete;
  TlsStream& operator=(const TlsStream&) = delete;

  // One step each, without waiting. They throw Failure("net.certificate") where one side refused
  // the other's certificate, ("net.tls") for any other breach of TLS, ("net.closed") where the
  // connection broke.
  Progress handshake();
  Progress read(char* buffer, std::size_t size, std::size_t& count);
  Progress write(std::string_view bytes, std::size_t& count);

  // Waits until the socket is ready for what `progress` wants. `wakeDescriptor` (or -1) becoming
  // readable ends the wait too. Throws Failure("net.timeout"), ("net.cancelled").
  void wait(Progress progress, Deadline deadline, int wakeDescriptor = -1) const;

  // Tells the other side that no more is coming, and keeps reading open. Never throws.
  void endWriting() noexcept;

  // Cuts the connection under a thread that waits on it.
  void interrupt() noexcept;

  // Whether something, or the connection's end, is waiting to be read. After an answer was read
  // whole it can only be the end.
  bool readable() const;

  int descriptor() const { return descriptor_; }

  // The other side's certificate, or empty. After the handshake.
  std::string peerCertificatePem() const;

 private:
  template <typename Operation>
  Progress attempt(Operation operation, std::size_t& count);

  Poco::Net::SecureStreamSocket socket_;
  int descriptor_;
};

// Waits until a socket is ready, as TlsStream::wait does.
void waitForSocket(int descriptor, TlsStream::Progress progress, Deadline deadline,
                   int wakeDescriptor);

// Writing to a connection that the other side has closed must be an error, not the end of the
// process. To be called before the first connection.
void ignoreBrokenPipes();

}  // namespace waystation::http

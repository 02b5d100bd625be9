#pragma once

#include <atomic>
#include <cstdint>
#include <thread>

namespace waystation::bench {

// A line on loopback between one caller and one server that counts the TCP payload each way and
// can be cut after so many bytes upward. One thread, joined by the destructor.
class CountingRelay {
 public:
  // Listens on a port of its own; each connection is led on to 127.0.0.1:`server`.
  explicit CountingRelay(std::uint16_t server);
  ~CountingRelay();
  CountingRelay(const CountingRelay&) = delete;
  CountingRelay& operator=(const CountingRelay&) = delete;

  std::uint16_t port() const { return port_; }
  std::uint64_t up() const { return up_; }
  std::uint64_t down() const { return down_; }
  std::uint64_t connections() const { return connections_; }

  // Closes the connection once so many more bytes have gone up; once only.
  void cutAfter(std::uint64_t bytesUp) { cutAt_ = up_ + bytesUp; }

 private:
  struct Line;
  void run();
  bool carry(Line& line);

  std::uint16_t server_;
  std::uint16_t port_ = 0;
  int listener_ = -1;
  int wake_[2] = {-1, -1};
  std::atomic<std::uint64_t> up_{0};
  std::atomic<std::uint64_t> down_{0};
  std::atomic<std::uint64_t> connections_{0};
  std::atomic<std::uint64_t> cutAt_{UINT64_MAX};
  std::thread thread_;
};

}  // namespace waystation::bench

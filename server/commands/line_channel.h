#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace waystation::commands {

// Lines over a stream socket, which it owns.
class LineChannel {
 public:
  explicit LineChannel(int descriptor) : descriptor_(descriptor) {}
  ~LineChannel();
  LineChannel(const LineChannel&) = delete;
  LineChannel& operator=(const LineChannel&) = delete;

  // The next line without its end; nullopt when the other side has gone, a signal came, or the line
  // is longer than 1 MiB.
  std::optional<std::string> read();
  // False when the other side has gone or takes nothing for 10 s.
  bool write(std::string_view line);
  bool hasPeerGone() const;
  // From any thread: reads and writes end at once.
  void shutDown();

  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
  std::string buffer_;
};

}  // namespace waystation::commands

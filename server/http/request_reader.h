#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace waystation::http {

// How much of a request's head is taken. Bytes, unless the name says otherwise.
struct HeadLimits {
  std::size_t headBytes = 16384;
  std::size_t targetBytes = 8000;
  std::size_t fieldBytes = 4096;  // one field line
  std::size_t fields = 100;       // count
  std::uint64_t bodyBytes = std::uint64_t{1} << 31;
};

// A request's head, read and found unambiguous.
struct RequestHead {
  std::string method;
  std::string target;
  std::string path;
  std::map<std::string, std::string> query;
  std::map<std::string, std::string> headers;  // lower-case names
  std::optional<std::uint64_t> contentLength;
  bool chunked = false;
  bool keepAlive = true;
  bool expectsContinue = false;
};

// Reads the head of a request (RFC 9112) from bytes as they come; no sockets, no clock. It takes
// one reading of the standard, the narrowest: CR LF only, no folded lines, no space around a
// field's name, HTTP/1.1, one Host, one Content-Length of digits or exactly "chunked", each field
// once unless it is a list. Whatever could be read in two ways is refused.
class RequestReader {
 public:
  explicit RequestReader(HeadLimits limits) : limits_(limits) {}

  // Takes bytes and says how many; fewer than given only once the head is complete. Throws
  // Failure("http.*"): the connection must then be closed, for where the request ends is unknown.
  std::size_t feed(std::string_view bytes);

  bool complete() const { return complete_; }

  // Whether a byte of a head has come.
  bool started() const { return taken_ > 0; }

  // The head, once complete; the reader is then ready for the next request.
  RequestHead take();

 private:
  void checkSizes() const;
  void takeLine(std::string_view line);
  void takeRequestLine(std::string_view line);
  void takeField(std::string_view line);
  void addField(std::string name, std::string_view value);
  void finish();
  void readFraming();

  HeadLimits limits_;
  RequestHead head_;
  std::string line_;
  std::size_t taken_ = 0;
  std::size_t fields_ = 0;
  bool complete_ = false;
};

// Whether this is a token of RFC 9110 (method, field name).
bool isToken(std::string_view text);

// Digits and nothing else, without overflow.
std::optional<std::uint64_t> parseDigits(std::string_view text);

}  // namespace waystation::http

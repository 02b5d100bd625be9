#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "server/http/json.h"

namespace waystation::http {

// The body of a request, read as it arrives; a view that the connection owns.
class BodyReader {
 public:
  virtual ~BodyReader() = default;

  // Up to `size` bytes; 0 only at the body's true end. Throws Failure("http.body-cut") where the
  // peer stopped early, ("http.body-too-slow"), ("http.chunk-malformed"), ("http.body-too-large").
  virtual std::size_t read(char* buffer, std::size_t size) = 0;

  // The bytes announced, or nothing for a chunked body.
  virtual std::optional<std::uint64_t> length() const = 0;

  // The rest of the body. Throws Failure("http.body-too-large") beyond `limit` bytes, before
  // reading where the length was announced.
  std::string readAll(std::size_t limit);
};

// A body that is already in memory: for calling a handler without a connection.
class StringBodyReader final : public BodyReader {
 public:
  explicit StringBodyReader(std::string body) : body_(std::move(body)) {}

  std::size_t read(char* buffer, std::size_t size) override;

  std::optional<std::uint64_t> length() const override { return body_.size(); }

 private:
  std::string body_;
  std::size_t offset_ = 0;
};

// One request, framed and decoded; nothing in it has been judged beyond that.
struct Request {
  std::string method;                          // "GET", "HEAD", "POST", "PUT" or "DELETE"
  std::string target;                          // as sent: path and query
  std::string path;                            // decoded; begins with '/', no empty or dot segments
  std::map<std::string, std::string> query;    // decoded; each name once
  std::map<std::string, std::string> headers;  // lower-case names; list fields joined by ", "
  std::string clientAddress;                   // without port
  std::string peerCertificatePem;              // empty without a client certificate
  BodyReader& body;
  std::stop_token stop = {};  // for condition_variable_any::wait in a long poll
  std::string route = {};     // the pattern of the address, once the router has found it

  // The field's value, or nothing where it was not sent.
  std::optional<std::string> header(const std::string& lowerCaseName) const;

  // Whether the server is being stopped: a handler that waits must then answer at once.
  bool stopping() const { return stop.stop_requested(); }
};

// Where a streamed answer goes.
class BodyWriter {
 public:
  virtual ~BodyWriter() = default;

  // Sends these bytes now. Throws Failure("net.closed") or ("net.timeout") when nobody takes them.
  virtual void write(std::string_view bytes) = 0;
};

// One answer. With `stream` the body is what the function writes (chunked) and `body` is ignored;
// if it throws, the connection is cut so that the reader notices.
struct Response {
  int status = 200;
  std::map<std::string, std::string> headers = {};  // they replace the server's own of that name
  std::string body = {};
  std::function<void(BodyWriter&)> stream = {};
  bool bare = false;      // without the house's own fields: for machines that count bytes
  std::string code = {};  // of the problem that it tells of; not sent again
};

// An answer with a JSON body.
Response json(int status, const Json& value);

// An answer of application/problem+json (RFC 9457): type, title, status, detail, code.
Response problem(int status, const std::string& code, const std::string& detail);

// The standard's phrase: "Not Found". Empty where there is none.
std::string_view reasonPhrase(int status);

}  // namespace waystation::http

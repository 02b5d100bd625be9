// Malformed and hostile requests over real TLS connections: each is refused, what follows it on the
// connection is never taken for a request, and the connection ends.
#include <gtest/gtest.h>

#include <vector>

#include "tests/server/http_support.h"

namespace waystation::http::testing {
namespace {

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text;
  return all;
}

class HttpFraming : public ::testing::Test {
 protected:
  HttpFraming() {
    router_.add("POST", "/echo", [this](Request& request, const PathParameters&) {
      ++begun_;
      Response response;
      response.body = request.body.readAll(1 << 20);
      ++done_;
      return response;
    });
    router_.add("GET", "/{name}", [this](Request& request, const PathParameters&) {
      ++begun_;
      ++done_;
      Response response;
      response.body = request.path;
      return response;
    });
    // What an attacker hopes to have run in the shadow of another request.
    router_.add("POST", "/smuggled", [this](Request&, const PathParameters&) {
      ++smuggled_;
      return Response{};
    });
    router_.add("GET", "/smuggled", [this](Request&, const PathParameters&) {
      ++smuggled_;
      return Response{};
    });
    router_.add("GET", "/fields/{name}", [this](Request& request, const PathParameters& names) {
      seen_ = request.header(names.at("name")).value_or("");
      return Response{};
    });
    router_.add("POST", "/unread/one", [](Request&, const PathParameters&) { return Response{}; });
    ServerSettings settings = serverSettings();
    settings.limits.head.bodyBytes = 1 << 20;
    settings.hosts = {"office"};
    settings.openPaths = {"/open"};
    server_.emplace(settings, router_);
    server_->start();
  }

  Router router_;
  std::atomic<int> begun_{0};
  std::atomic<int> done_{0};
  std::atomic<int> smuggled_{0};
  std::string seen_;
  std::optional<Server> server_;
};

struct Malformed {
  const char* what;
  std::string bytes;
  int status;
};

const std::string kSmuggled = "GET /smuggled HTTP/1.1\r\nHost: office\r\n\r\n";

std::string post(const std::string& fields, const std::string& body = "") {
  return "POST /echo HTTP/1.1\r\nHost: office\r\n" + fields + "\r\n" + body;
}

std::string get(const std::string& target, const std::string& fields = "Host: office\r\n") {
  return "GET " + target + " HTTP/1.1\r\n" + fields + "\r\n";
}

std::vector<Malformed> ambiguousLengths() {
  const std::string chunkedField = "Transfer-Encoding: chunked\r\n";
  return {
      {"both lengths", post("Content-Length: 5\r\n" + chunkedField, "0\r\n\r\n"), 400},
      {"two lengths", post("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"), 400},
      {"two lengths in one", post("Content-Length: 5, 5\r\n", "hello"), 400},
      {"negative length", post("Content-Length: -1\r\n"), 400},
      {"signed length", post("Content-Length: +5\r\n", "hello"), 400},
      {"hexadecimal length", post("Content-Length: 0x5\r\n", "hello"), 400},
      {"overflowing length", post("Content-Length: 18446744073709551616\r\n"), 400},
      {"empty length", post("Content-Length: \r\n"), 400},
      {"length past the limit", post("Content-Length: 1048577\r\n"), 413},
      {"no length", post(""), 411},
      {"two codings", post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501},
      {"two codings and a length",
       post("Transfer-Encoding: gzip, chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"), 400},
      {"coding twice", post(chunkedField + chunkedField, "0\r\n\r\n"), 400},
      {"disguised coding", post("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"), 501},
      {"body on a reading request", get("/a", "Host: office\r\nContent-Length: 5\r\n"), 400},
      {"nine-digit chunk size", post(chunkedField, "000000005\r\nhello\r\n0\r\n\r\n"), 400},
      {"signed chunk size", post(chunkedField, "+5\r\nhello\r\n0\r\n\r\n"), 400},
      {"hexadecimal prefix in a chunk size", post(chunkedField, "0x5\r\nhello\r\n0\r\n\r\n"), 400},
      {"chunk extension", post(chunkedField, "5;a=b\r\nhello\r\n0\r\n\r\n"), 400},
      {"chunk of another size", post(chunkedField, "4\r\nhello\r\n0\r\n\r\n"), 400},
      {"bare line feed in chunks", post(chunkedField, "5\nhello\n0\n\n"), 400},
      {"empty chunk size", post(chunkedField, "\r\nhello\r\n0\r\n\r\n"), 400},
      {"trailers", post(chunkedField, "5\r\nhello\r\n0\r\nX-A: b\r\n\r\n"), 400},
      {"chunks past the limit", post(chunkedField, "100001\r\n"), 413},
  };
}

std::vector<Malformed> malformedHeads() {
  return {
      {"bare line feeds", "GET /a HTTP/1.1\nHost: office\n\n", 400},
      {"bare carriage return", get("/a", "Host: office\r\nX-A: b\rX-C: d\r\n"), 400},
      {"space before the colon", post("Content-Length : 5\r\n", "hello"), 400},
      {"line without colon", get("/a", "Host: office\r\nnothing\r\n"), 400},
      {"lines without colon, for ever", get("/a", repeated("nothing\r\n", 100000)), 400},
      {"folded line", get("/a", "Host: office\r\nX-A: b\r\n c\r\n"), 400},
      {"NUL in a value", get("/a", std::string("Host: office\r\nX-A: b\0c\r\n", 24)), 400},
      {"empty field name", get("/a", "Host: office\r\n: b\r\n"), 400},
      {"101 fields", get("/a", "Host: office\r\n" + repeated("X-A: b\r\n", 100)), 400},
      {"101 different fields",
       [] {
         std::string fields = "Host: office\r\n";
         for (int i = 0; i < 100; ++i) fields += "X-" + std::to_string(i) + ": b\r\n";
         return get("/a", fields);
       }(),
       431},
      {"8 kB value", get("/a", "Host: office\r\nX-A: " + std::string(8000, 'b') + "\r\n"), 431},
      {"20 kB address", get("/" + std::string(20000, 'a')), 414},
      {"no host", get("/a", ""), 400},
      {"empty host", get("/a", "Host:\r\n"), 400},
      {"two hosts", get("/a", "Host: office\r\nHost: office\r\n"), 400},
      {"foreign host", get("/a", "Host: attacker.example\r\n"), 421},
      {"host with a path", get("/a", "Host: office/x\r\n"), 400},
      {"TRACE", "TRACE /a HTTP/1.1\r\nHost: office\r\n\r\n", 501},
      {"CONNECT", "CONNECT office:443 HTTP/1.1\r\nHost: office\r\n\r\n", 501},
      {"unknown method", "BREW /a HTTP/1.1\r\nHost: office\r\n\r\n", 501},
      {"lower-case method", "get /a HTTP/1.1\r\nHost: office\r\n\r\n", 501},
      {"HTTP/1.0", "GET /a HTTP/1.0\r\nHost: office\r\n\r\n", 505},
      {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 501},
      {"no version", "GET /a\r\n", 400},
      {"leading empty line", "\r\n" + get("/a"), 400},
      {"unknown expectation", post("Content-Length: 5\r\nExpect: 200-ok\r\n", "hello"), 417},
  };
}

std::vector<Malformed> malformedTargets() {
  return {
      {"encoded dots", get("/%2e%2e%2fetc"), 400},
      {"dot segments", get("/a/../b"), 400},
      {"encoded slash", get("/a%2fb"), 400},
      {"encoded NUL", get("/a%00b"), 400},
      {"overlong UTF-8", get("/%c0%af"), 400},
      {"surrogate", get("/%ed%a0%80"), 400},
      {"half an escape", get("/a%2"), 400},
      {"no escape", get("/a%zz"), 400},
      {"empty segment", get("//a"), 400},
      {"backslash", get("/a\\b"), 400},
      {"raw UTF-8", get("/\xc3\xa9"), 400},
      {"space", get("/a b"), 400},
      {"absolute form", get("http://office/a"), 400},
      {"asterisk form", get("*"), 400},
      {"query name twice", get("/a?b=1&b=2"), 400},
      {"fragment", get("/a#b"), 400},
  };
}

TEST_F(HttpFraming, RefusesEveryMalformedRequestAndRunsNothingBehindIt) {
  std::vector<Malformed> all = ambiguousLengths();
  for (const auto& more : {malformedHeads(), malformedTargets()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  for (const Malformed& one : all) {
    SCOPED_TRACE(one.what);
    RawConnection connection(server_->port());
    connection.send(one.bytes + kSmuggled);
    const std::string answer = connection.readToEnd();
    EXPECT_EQ(statusIn(answer), one.status) << answer;
    EXPECT_EQ(answer.find("HTTP/1.1 200"), std::string::npos) << answer;
  }
  EXPECT_EQ(done_, 0);
  EXPECT_EQ(smuggled_, 0);
}

TEST_F(HttpFraming, AnswersOnlyToTheNamesThatItGoesBy) {
  const auto answerTo = [&](const std::string& host, const std::string& path = "/fields/host") {
    RawConnection connection(server_->port());
    connection.send(get(path, "Host: " + host + "\r\nConnection: close\r\n"));
    return connection.readToEnd();
  };
  for (const char* host : {"office", "office:8443", "OFFICE", "office.", "Office.:8443"}) {
    EXPECT_EQ(statusIn(answerTo(host)), 200) << host;
  }
  for (const char* host :
       {"attacker.example", "attacker.example:8443", "office.attacker.example",
        "127.0.0.1.attacker.example", "office..", "localhost.attacker.example"}) {
    const std::string answer = answerTo(host);
    EXPECT_EQ(statusIn(answer), 421) << host;
    EXPECT_NE(answer.find("\"http.host-unknown\""), std::string::npos) << answer;
    EXPECT_EQ(statusIn(answerTo(host, "/open")), 200) << host;
  }
}

TEST_F(HttpFraming, AnAddressAndLocalhostAreAlwaysRightAndNamesCountAtOnce) {
  RawConnection connection(server_->port());
  const auto answerTo = [&](const std::string& host) {
    connection.send(get("/fields/host", "Host: " + host + "\r\n"));
    return statusIn(connection.readAnswer());
  };
  for (const char* host : {"127.0.0.1", "192.168.1.10:8443", "[::1]", "[2001:db8::1]:8443",
                           "localhost", "LocalHost:8443", "localhost."}) {
    EXPECT_EQ(answerTo(host), 200) << host;
  }
  server_->useHosts({"Nbo.Example.org"});
  EXPECT_EQ(answerTo("nbo.example.org"), 200);
  EXPECT_EQ(answerTo("office"), 421);
}

TEST_F(HttpFraming, RefusesABodyThatIsCutShort) {
  for (const std::string& bytes :
       {post("Content-Length: 1000\r\n", "hello"), post("Content-Length: 100000\r\n", "hello"),
        post("Transfer-Encoding: chunked\r\n", "3e8\r\nhello"),
        post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n")}) {
    RawConnection connection(server_->port());
    ASSERT_TRUE(connection.send(bytes));
    connection.endSending();
    EXPECT_NE(statusIn(connection.readToEnd()), 200);
  }
  EXPECT_EQ(done_, 0);
}

TEST_F(HttpFraming, LeavesEncodedWordsInAFieldAsTheyCame) {
  RawConnection connection(server_->port());
  connection.send(get("/fields/x-a", "Host: office\r\nX-A: =?UTF-8?B?DQo=?=\r\n"));
  EXPECT_EQ(statusIn(connection.readAnswer()), 200);
  EXPECT_EQ(seen_, "=?UTF-8?B?DQo=?=");
}

TEST_F(HttpFraming, IgnoresARangeOfAThousandParts) {
  RawConnection connection(server_->port());
  connection.send(get("/a", "Host: office\r\nRange: bytes=" + repeated("0-0,", 900) + "0-0\r\n"));
  const std::string answer = connection.readAnswer();
  EXPECT_EQ(statusIn(answer), 200);
  EXPECT_TRUE(answer.ends_with("/a"));
}

TEST_F(HttpFraming, AnswersPipelinedRequestsInOrderOnOneConnection) {
  RawConnection connection(server_->port());
  connection.send(post("Content-Length: 5\r\n", "first") +
                  post("Transfer-Encoding: chunked\r\n", "3\r\nsec\r\n3\r\nond\r\n0\r\n\r\n") +
                  get("/third"));
  EXPECT_TRUE(connection.readAnswer().ends_with("\r\n\r\nfirst"));
  EXPECT_TRUE(connection.readAnswer().ends_with("\r\n\r\nsecond"));
  EXPECT_TRUE(connection.readAnswer().ends_with("\r\n\r\n/third"));
  EXPECT_EQ(done_, 3);
  EXPECT_EQ(server_->counters().accepted, 1U);
}

TEST_F(HttpFraming, TakesARequestThatComesByteByByte) {
  RawConnection connection(server_->port());
  for (const char byte : post("Content-Length: 5\r\n", "hello")) {
    ASSERT_TRUE(connection.send(std::string_view(&byte, 1)));
  }
  EXPECT_TRUE(connection.readAnswer().ends_with("\r\n\r\nhello"));
}

TEST_F(HttpFraming, InvitesTheBodyOfAClientThatWaitsForIt) {
  RawConnection connection(server_->port());
  connection.send(post("Content-Length: 5\r\nExpect: 100-continue\r\n"));
  EXPECT_EQ(connection.readAnswer(), "HTTP/1.1 100 Continue\r\n\r\n");
  connection.send("hello");
  EXPECT_TRUE(connection.readAnswer().ends_with("\r\n\r\nhello"));
}

TEST_F(HttpFraming, EndsAConnectionWhoseBodyNobodyRead) {
  RawConnection connection(server_->port());
  connection.send("POST /unread/one HTTP/1.1\r\nHost: office\r\nContent-Length: 100000\r\n\r\n" +
                  kSmuggled);
  const std::string answer = connection.readToEnd();
  EXPECT_EQ(statusIn(answer), 200);
  EXPECT_NE(answer.find("Connection: close"), std::string::npos);
  EXPECT_EQ(smuggled_, 0);
}

TEST_F(HttpFraming, SaysItsSecurityRulesWithEveryAnswer) {
  for (const std::string& bytes : {get("/a"), get("/no/such/thing"), get("/%zz")}) {
    RawConnection connection(server_->port());
    connection.send(bytes);
    const std::string answer = connection.readAnswer();
    for (const char* field : {"Strict-Transport-Security: max-age=", "default-src 'none'",
                              "X-Content-Type-Options: nosniff", "Referrer-Policy: no-referrer",
                              "Cache-Control: no-store"}) {
      EXPECT_NE(answer.find(field), std::string::npos) << field << " in " << answer;
    }
  }
}

TEST_F(HttpFraming, ClosesOnAnythingThatIsNotTls13) {
  const std::string clientHelloOfTls11("\x16\x03\x01\x00\x2f\x01\x00\x00\x2b\x03\x02", 11);
  for (const std::string& bytes :
       {get("/a"), std::string(600, '\xff'), clientHelloOfTls11 + std::string(41, '\0')}) {
    Poco::Net::StreamSocket socket(Poco::Net::SocketAddress("127.0.0.1", server_->port()));
    socket.sendBytes(bytes.data(), static_cast<int>(bytes.size()));
    std::string said;
    std::array<char, 512> buffer;
    try {
      while (const int count = socket.receiveBytes(buffer.data(), buffer.size())) {
        said.append(buffer.data(), static_cast<std::size_t>(count));
      }
    } catch (const Poco::Exception&) {
      // A reset ends it as well.
    }
    EXPECT_EQ(said.find("HTTP"), std::string::npos);
  }
  EXPECT_EQ(server_->counters().failedHandshakes, 3U);
  EXPECT_EQ(done_, 0);
}

}  // namespace
}  // namespace waystation::http::testing

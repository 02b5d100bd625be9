#include <Poco/Net/ServerSocket.h>
#include <gtest/gtest.h>

#include <thread>

#include "server/http/client.h"
#include "tests/server/http_support.h"

namespace waystation::http::testing {
namespace {

class HttpClient : public ::testing::Test {
 protected:
  HttpClient() {
    router_.add("POST", "/count", [this](Request&, const PathParameters&) {
      Response response;
      response.body = std::to_string(++count_);
      return response;
    });
    router_.add("GET", "/large", [](Request&, const PathParameters&) {
      Response response;
      response.body = std::string(100000, 'x');
      return response;
    });
    router_.add("GET", "/wait", [this](Request& request, const PathParameters&) {
      entered_.open();
      std::mutex mutex;
      std::unique_lock lock(mutex);
      std::condition_variable_any never;
      never.wait(lock, request.stop, [] { return false; });
      return Response{};
    });
    restart();
  }

  void restart(std::uint16_t port = 0) {
    ServerSettings settings = serverSettings();
    settings.port = port;
    server_ = std::make_unique<Server>(settings, router_);
    server_->start();
  }

  std::atomic<int> count_{0};
  Gate entered_;
  Router router_;
  std::unique_ptr<Server> server_;
};

TEST_F(HttpClient, ConnectsAgainAfterTheServerWasRestarted) {
  Client client(clientSettings(*server_));
  EXPECT_EQ(client.send("POST", "/count").body, "1");
  EXPECT_EQ(client.send("POST", "/count").body, "2");
  EXPECT_EQ(client.connections(), 1U);
  const std::uint16_t port = server_->port();
  server_.reset();
  EXPECT_EQ(failureCode([&] { client.send("POST", "/count"); }), "net.unreachable");
  restart(port);
  EXPECT_EQ(client.send("POST", "/count").body, "3");
  EXPECT_EQ(client.connections(), 2U);
}

TEST_F(HttpClient, TrustsOnlyTheGivenAuthorityAndName) {
  ClientSettings stranger = clientSettings(*server_);
  stranger.authorityPem = makeAuthority("Somebody").certificatePem;
  EXPECT_EQ(failureCode([&] { Client(stranger).send("POST", "/count"); }), "net.certificate");
  ClientSettings misled = clientSettings(*server_);
  misled.expectedName = "hq";
  EXPECT_EQ(failureCode([&] { Client(misled).send("POST", "/count"); }), "net.certificate");
  EXPECT_EQ(count_, 0);
}

TEST_F(HttpClient, RefusesAServerWhoseCertificateRanOut) {
  const auto expired = makeIdentity(authority(), "office-one", true);
  ServerSettings settings = serverSettings();
  settings.certificatePem = expired.certificatePem;
  settings.privateKeyPem = expired.privateKeyPem;
  Server server(settings, router_);
  server.start();
  EXPECT_EQ(failureCode([&] { Client(clientSettings(server)).send("POST", "/count"); }),
            "net.certificate");
}

TEST_F(HttpClient, WakesWhenItIsCancelled) {
  Client client(clientSettings(*server_));
  std::string code;
  std::thread waiting([&] { code = failureCode([&] { client.send("GET", "/wait"); }); });
  entered_.waitUntilOpen();
  client.cancel();
  waiting.join();
  EXPECT_EQ(code, "net.cancelled");
  EXPECT_EQ(failureCode([&] { client.send("POST", "/count"); }), "net.cancelled");
  client.allow();
  EXPECT_EQ(client.send("POST", "/count").body, "1");
}

TEST_F(HttpClient, GivesUpOnAServerThatSaysNothing) {
  Poco::Net::ServerSocket silent(Poco::Net::SocketAddress("127.0.0.1", 0));
  ClientSettings settings = clientSettings(*server_);
  settings.port = silent.address().port();
  settings.connectTime = std::chrono::milliseconds(100);
  EXPECT_EQ(failureCode([&] { Client(settings).send("GET", "/large"); }), "net.timeout");

  settings = clientSettings(*server_);
  settings.stallTime = std::chrono::milliseconds(100);
  EXPECT_EQ(failureCode([&] { Client(settings).send("GET", "/wait"); }), "net.timeout");
}

TEST_F(HttpClient, RefusesAnAnswerLargerThanItTakes) {
  ClientSettings settings = clientSettings(*server_);
  settings.responseBytes = 99999;
  EXPECT_EQ(failureCode([&] { Client(settings).send("GET", "/large"); }), "net.answer-too-large");
}

TEST_F(HttpClient, HandsABodyOverInPieces) {
  std::string whole;
  int pieces = 0;
  Client client(clientSettings(*server_));
  const ClientResponse response = client.send("GET", "/large", {}, {}, [&](std::string_view piece) {
    whole.append(piece);
    ++pieces;
  });
  EXPECT_EQ(whole, std::string(100000, 'x'));
  EXPECT_GT(pieces, 1);
  EXPECT_EQ(response.body, "");
}

TEST_F(HttpClient, ReachesTheServerThroughARelay) {
  ClientSettings settings = clientSettings(*server_);
  settings.connectHost = "127.0.0.1";
  settings.connectPort = settings.port;
  settings.host = "hq.example";
  settings.port = 9;
  EXPECT_EQ(Client(settings).send("POST", "/count").body, "1");
}

}  // namespace
}  // namespace waystation::http::testing

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "server/http/server.h"
#include "server/http/static_files.h"
#include "tests/server/http_support.h"

namespace waystation::http::testing {
namespace {

class HttpServer : public ::testing::Test {
 protected:
  HttpServer() {
    router_.add("GET", "/hello", [](Request&, const PathParameters&) {
      return json(200, Json{{"hello", "you"}});
    });
    router_.add("POST", "/echo", [](Request& request, const PathParameters&) {
      Response response;
      response.body = request.body.readAll(std::size_t{64} << 20);
      return response;
    });
    router_.add("POST", "/bare", [](Request&, const PathParameters&) {
      Response response;
      response.bare = true;
      response.body = "frames";
      return response;
    });
    router_.add("GET", "/who", [](Request& request, const PathParameters&) {
      Response response;
      response.body = crypto::readCertificate(request.peerCertificatePem).commonName;
      return response;
    });
    router_.add("GET", "/stream", [](Request&, const PathParameters&) {
      Response response;
      response.stream = [](BodyWriter& writer) {
        for (int i = 0; i < 1000; ++i) writer.write(std::string(1000, 'x'));
      };
      return response;
    });
    router_.add("GET", "/broken-stream", [](Request&, const PathParameters&) {
      Response response;
      response.stream = [](BodyWriter& writer) {
        writer.write("half");
        throw Failure("store.damaged", "The rest cannot be read.");
      };
      return response;
    });
    router_.add("GET", "/behind-the-gate", [this](Request&, const PathParameters&) {
      entered_.open();
      gate_.waitUntilOpen();
      return json(200, Json{{"finished", true}});
    });
    router_.add("GET", "/long-poll", [this](Request& request, const PathParameters&) {
      entered_.open();
      std::mutex mutex;
      std::unique_lock lock(mutex);
      std::condition_variable_any never;
      never.wait(lock, request.stop, [] { return false; });
      return json(200, Json{{"stopping", request.stopping()}});
    });
  }

  Server& start(ServerSettings settings = serverSettings()) {
    server_ = std::make_unique<Server>(std::move(settings), router_);
    server_->start();
    return *server_;
  }

  // The last to be made, so that it has stopped before the gates go.
  Router router_;
  Gate entered_;
  Gate gate_;
  std::unique_ptr<Server> server_;
};

TEST_F(HttpServer, AnswersManyRequestsOnOneConnection) {
  Client client(clientSettings(start()));
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(client.send("GET", "/hello").body, "{\"hello\":\"you\"}");
  }
  EXPECT_EQ(server_->counters().accepted, 1U);
  EXPECT_EQ(server_->counters().requests, 20U);
}

TEST_F(HttpServer, CarriesLargeBodiesBothWays) {
  Client client(clientSettings(start()));
  const std::string body(5000000, 'b');
  EXPECT_EQ(client.send("POST", "/echo", {}, body).body, body);
  EXPECT_EQ(client.send("GET", "/stream").body, std::string(1000000, 'x'));
}

TEST_F(HttpServer, CutsTheConnectionWhenAStreamBreaks) {
  Client client(clientSettings(start()));
  EXPECT_EQ(failureCode([&] { client.send("GET", "/broken-stream"); }), "net.closed");
}

TEST_F(HttpServer, AnswersHeadWithoutABody) {
  Client client(clientSettings(start()));
  const ClientResponse response = client.send("HEAD", "/hello");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.at("content-length"), "15");
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(client.send("GET", "/hello").body.size(), 15U);
}

TEST_F(HttpServer, KeepsABareAnswerSmall) {
  Client client(clientSettings(start()));
  EXPECT_EQ(client.send("POST", "/bare", {}, "frames").body, "frames");
  EXPECT_EQ(client.bytesDown(),
            std::string("HTTP/1.1 200 \r\nContent-Length: 6\r\n\r\nframes").size());
  EXPECT_EQ(client.bytesUp(),
            std::string("POST /bare HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 6\r\n\r\nframes")
                .size());
}

TEST_F(HttpServer, SaysThatThePortIsTakenAndByWhichNumber) {
  ServerSettings settings = serverSettings();
  settings.port = start().port();
  Server second(settings, router_);
  try {
    second.start();
    FAIL() << "two servers on one port";
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code(), "http.port-in-use");
    EXPECT_NE(std::string(failure.what()).find(std::to_string(settings.port)), std::string::npos);
  }
}

TEST_F(HttpServer, RefusesAKeyThatIsNotItsCertificates) {
  ServerSettings settings = serverSettings();
  settings.privateKeyPem = makeIdentity(authority(), "office-one").privateKeyPem;
  EXPECT_EQ(failureCode([&] { Server server(settings, router_); }), "tls.key-mismatch");
}

TEST_F(HttpServer, TakesOnlyClientsWithACertificateOfItsAuthority) {
  ServerSettings settings = serverSettings();
  settings.clientAuthorityPem = authority().certificatePem;
  start(settings);
  const auto ask = [&](const crypto::KeyAndCertificate& identity) {
    ClientSettings mine = clientSettings(*server_);
    mine.certificatePem = identity.certificatePem;
    mine.privateKeyPem = identity.privateKeyPem;
    return Client(mine).send("GET", "/who").body;
  };
  EXPECT_EQ(ask(makeIdentity(authority(), "office-two")), "office-two");
  EXPECT_EQ(failureCode([&] { ask({}); }), "net.certificate");
  const auto foreign = makeIdentity(makeAuthority("Somebody"), "office-two");
  EXPECT_EQ(failureCode([&] { ask(foreign); }), "net.certificate");
  const auto expired = makeIdentity(authority(), "office-two", true);
  EXPECT_EQ(failureCode([&] { ask(expired); }), "net.certificate");
  server_->stop();
  EXPECT_EQ(server_->counters().requests, 1U);
  EXPECT_EQ(server_->counters().failedHandshakes, 3U);
}

TEST_F(HttpServer, AnswersAnHonestClientBesideTwoHundredSlowOnes) {
  ServerSettings settings = serverSettings();
  settings.limits.connectionsPerAddress = 1000;
  settings.limits.threads = 8;
  start(settings);
  std::vector<std::unique_ptr<RawConnection>> slow;
  for (int i = 0; i < 200; ++i) {
    slow.push_back(std::make_unique<RawConnection>(server_->port()));
    // Half of them stall in the head, half in the body.
    ASSERT_TRUE(slow.back()->send(i % 2 == 0 ? "G"
                                             : "POST /echo HTTP/1.1\r\nHost: a\r\n"
                                               "Content-Length: 1000\r\n\r\n1"));
  }
  Client honest(clientSettings(*server_));
  for (int i = 0; i < 10; ++i) {
    for (const auto& one : slow) one->send("E");
    EXPECT_EQ(honest.send("GET", "/hello").status, 200);
  }
}

TEST_F(HttpServer, RefusesAHeadThatTakesTooLong) {
  ServerSettings settings = serverSettings();
  settings.limits.headTime = std::chrono::milliseconds(300);
  start(settings);
  RawConnection connection(server_->port());
  ASSERT_TRUE(connection.send("GET /hello HT"));
  EXPECT_EQ(statusIn(connection.readToEnd()), 408);
}

TEST_F(HttpServer, RefusesABodyThatTakesTooLong) {
  ServerSettings settings = serverSettings();
  settings.limits.graceTime = std::chrono::milliseconds(200);
  settings.limits.bytesPerSecond = 1000000;
  start(settings);
  for (const char* framing :
       {"Content-Length: 10", "Content-Length: 100000", "Transfer-Encoding: chunked"}) {
    RawConnection connection(server_->port());
    ASSERT_TRUE(
        connection.send(std::string("POST /echo HTTP/1.1\r\nHost: a\r\n") + framing + "\r\n\r\n"));
    EXPECT_EQ(statusIn(connection.readToEnd()), 408) << framing;
  }
}

TEST_F(HttpServer, ClosesConnectionsPastTheCapOfAnAddress) {
  ServerSettings settings = serverSettings();
  settings.limits.connectionsPerAddress = 2;
  start(settings);
  {
    Client first(clientSettings(*server_));
    Client second(clientSettings(*server_));
    Client third(clientSettings(*server_));
    EXPECT_EQ(first.send("GET", "/hello").status, 200);
    EXPECT_EQ(second.send("GET", "/hello").status, 200);
    EXPECT_NE(failureCode([&] { third.send("GET", "/hello"); }), "");
    EXPECT_EQ(server_->counters().refusedConnections, 1U);
    EXPECT_EQ(first.send("GET", "/hello").status, 200);
  }
}

TEST_F(HttpServer, ClosesConnectionsPastTheCapOfAll) {
  ServerSettings settings = serverSettings();
  settings.limits.connections = 2;
  start(settings);
  Client first(clientSettings(*server_));
  EXPECT_EQ(first.send("GET", "/hello").status, 200);
  RawConnection idle(server_->port());
  for (int i = 0; i < 100; ++i) {
    EXPECT_NE(failureCode([&] { Client(clientSettings(*server_)).send("GET", "/hello"); }), "");
  }
  EXPECT_EQ(server_->counters().refusedConnections, 100U);
  EXPECT_EQ(first.send("GET", "/hello").status, 200);
}

TEST_F(HttpServer, CutsAClientThatDoesNotReadItsAnswer) {
  ServerSettings settings = serverSettings();
  settings.limits.threads = 1;
  settings.limits.graceTime = std::chrono::milliseconds(200);
  settings.limits.bytesPerSecond = 1'000'000'000;
  router_.add("GET", "/endless", [](Request&, const PathParameters&) {
    Response response;
    response.stream = [](BodyWriter& writer) {
      while (true) writer.write(std::string(65536, 'x'));
    };
    return response;
  });
  start(settings);
  RawConnection slow(server_->port());
  ASSERT_TRUE(slow.send("GET /endless HTTP/1.1\r\nHost: a\r\n\r\n"));
  // Waits for the only thread.
  EXPECT_EQ(Client(clientSettings(*server_)).send("GET", "/hello").status, 200);
}

TEST_F(HttpServer, TellsOfEachRequestByItsPatternAndItsId) {
  ServerSettings settings = serverSettings();
  std::mutex mutex;
  std::vector<ServedRequest> told;
  settings.served = [&](const ServedRequest& request) {
    const std::lock_guard lock(mutex);
    told.push_back(request);
  };
  router_.add("GET", "/cases/{id}", [](Request&, const PathParameters&) -> Response {
    throw Failure("record.not-found", "There is no case of Amina.");
  });
  start(settings);
  Client client(clientSettings(*server_));
  const std::string id = client.send("GET", "/cases/17").headers.at("request-id");
  client.send("GET", "/amina");
  EXPECT_FALSE(client.send("POST", "/bare", {}, "x").headers.contains("request-id"));
  RawConnection broken(server_->port());
  broken.send("GET /amina HTTP/1.0\r\n\r\n");
  EXPECT_EQ(statusIn(broken.readToEnd()), 505);
  server_->stop();
  ASSERT_EQ(told.size(), 4U);
  EXPECT_EQ(told[0].id, id);
  EXPECT_EQ(told[0].method + " " + told[0].route, "GET /cases/{id}");
  EXPECT_EQ(told[0].code, "record.not-found");
  EXPECT_EQ(told[1].route, "");
  EXPECT_EQ(told[1].status, 404);
  EXPECT_EQ(told[2].route, "/bare");
  EXPECT_EQ(told[3].method + told[3].route, "");
  EXPECT_EQ(told[3].code, "http.version");
  for (std::size_t i = 1; i < told.size(); ++i) EXPECT_NE(told[i].id, told[i - 1].id);
}

TEST_F(HttpServer, SaysThatItIsBusyWhenThreadsAndQueueAreFull) {
  ServerSettings settings = serverSettings();
  settings.limits.threads = 1;
  settings.limits.waiting = 0;
  start(settings);
  std::thread waiting([&] {
    EXPECT_EQ(Client(clientSettings(*server_)).send("GET", "/behind-the-gate").status, 200);
  });
  entered_.waitUntilOpen();
  const ClientResponse refused = Client(clientSettings(*server_)).send("GET", "/hello");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(parseJson(refused.body)["code"], "busy.server");
  EXPECT_TRUE(refused.headers.contains("retry-after"));
  gate_.open();
  waiting.join();
}

TEST_F(HttpServer, FinishesTheAnswerInProgressWhenItStops) {
  start();
  RawConnection idle(server_->port());
  std::thread asking([&] {
    EXPECT_EQ(Client(clientSettings(*server_)).send("GET", "/behind-the-gate").status, 200);
  });
  entered_.waitUntilOpen();
  std::thread stopping([&] { server_->stop(); });
  // Only a server that is stopping closes an idle connection this early.
  EXPECT_EQ(idle.readToEnd(), "");
  gate_.open();
  asking.join();
  stopping.join();
}

TEST_F(HttpServer, WakesALongPollWhenItStops) {
  start();
  std::string answer;
  std::thread asking(
      [&] { answer = Client(clientSettings(*server_)).send("GET", "/long-poll").body; });
  entered_.waitUntilOpen();
  server_->stop();
  asking.join();
  EXPECT_EQ(answer, "{\"stopping\":true}");
}

TEST_F(HttpServer, ServesTheWebClientFromMemory) {
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / "waystation-static";
  std::filesystem::create_directories(folder / "assets");
  std::ofstream(folder / "index.html") << "<!doctype html>";
  std::ofstream(folder / "assets" / "app-1a2b.js") << "run()";
  std::ofstream(folder.parent_path() / "waystation-outside.txt") << "secret";
  const StaticFiles files(folder);
  std::filesystem::remove_all(folder);
  router_.setFallback(
      [&](Request& request, const PathParameters&) { return files.answer(request); });
  Client client(clientSettings(start()));

  const ClientResponse page = client.send("GET", "/");
  EXPECT_EQ(page.body, "<!doctype html>");
  EXPECT_EQ(page.headers.at("content-type"), "text/html; charset=utf-8");
  EXPECT_NE(page.headers.at("content-security-policy").find("script-src 'self'"),
            std::string::npos);
  EXPECT_EQ(page.headers.at("content-security-policy").find("unsafe-inline"), std::string::npos);
  EXPECT_EQ(client.send("GET", "/cases/17").body, "<!doctype html>");
  EXPECT_EQ(client.send("GET", "/", {{"If-None-Match", page.headers.at("etag")}}).status, 304);
  const ClientResponse script = client.send("GET", "/assets/app-1a2b.js");
  EXPECT_EQ(script.body, "run()");
  EXPECT_NE(script.headers.at("cache-control").find("immutable"), std::string::npos);
  EXPECT_EQ(client.send("GET", "/assets/gone.js").status, 404);
  EXPECT_EQ(client.send("GET", "/api/v1/nothing").status, 404);
  EXPECT_EQ(client.send("GET", "/../waystation-outside.txt").status, 400);
  EXPECT_EQ(client.send("POST", "/").status, 404);
}

}  // namespace
}  // namespace waystation::http::testing

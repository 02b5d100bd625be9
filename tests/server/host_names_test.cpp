// By which names people reach a node that runs as it does in an office.
#include "server/access/leaf_certificates.h"
#include "tests/server/application_support.h"

namespace waystation::server {
namespace {

using testing::RunningNode;

class HostNames : public ::testing::Test {
 protected:
  HostNames() { office_.start(); }

  // As a program on this machine asks for that host.
  http::ClientResponse ask(const std::string& host, const std::string& path = "/health") {
    http::ClientSettings settings = office_.peopleSettings();
    settings.connectHost = "127.0.0.1";
    settings.connectPort = settings.port;
    settings.host = host;
    return http::Client(settings).send("GET", path);
  }

  RunningNode office_{Role::kOffice, "NBO"};
};

TEST_F(HostNames, APageOfAnotherSiteThatPointsItsNameToTheServerIsAnsweredNothing) {
  for (const char* path : {"/health", "/metrics", "/api/v1/session", "/"}) {
    const http::ClientResponse answer = ask("rebound.example", path);
    EXPECT_EQ(answer.status, 421) << path;
    EXPECT_NE(answer.body.find("certificate hosts --host"), std::string::npos) << answer.body;
    EXPECT_EQ(answer.body.find("NBO"), std::string::npos) << answer.body;
  }
  for (const char* name : {"NBO", "nbo", "localhost", "127.0.0.1", "192.168.1.10"}) {
    EXPECT_EQ(ask(name).status, 200) << name;
  }
}

TEST_F(HostNames, ANameThatATechnicianGivesCountsAtOnceAndOneThatTheCertificateNamesStays) {
  EXPECT_EQ(ask("nbo.example.org").status, 421);
  access::setOwnHosts(office_.node(), {"nbo.example.org"});
  office_.application().certificateChanged();
  EXPECT_EQ(ask("nbo.example.org").status, 200);

  RunningNode hq(Role::kHeadquarters, "HQ");
  hq.start();
  office_.stop();
  office_.join(hq);
  access::setOwnHosts(office_.node(), {"nairobi.example.org"});
  office_.start();
  EXPECT_EQ(ask("nairobi.example.org").status, 200);
  EXPECT_EQ(ask("nbo.example.org").status, 200) << "the certificate still names it";
  EXPECT_EQ(ask("rebound.example").status, 421);
}

TEST(HostNamesOfHeadquarters, AnOfficeJoinsByAnyNameOfHeadquarters) {
  RunningNode hq(Role::kHeadquarters, "HQ");
  hq.start();
  http::ClientSettings settings = hq.peopleSettings();
  settings.connectHost = "127.0.0.1";
  settings.connectPort = settings.port;
  settings.host = "hq.example.org";
  http::Client client(settings);
  const http::ClientResponse answer =
      client.send("POST", "/api/v1/enrolment", {{"Content-Type", "application/json"}}, "{}");
  EXPECT_NE(answer.status, 421) << answer.body;
  EXPECT_EQ(client.send("GET", "/health").status, 421);
}

}  // namespace
}  // namespace waystation::server

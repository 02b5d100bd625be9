#include "crypto/hash.h"
#include "storage/renamed_rows.h"
#include "tests/server/application_support.h"

namespace waystation::http {
namespace {

using server::Role;
using server::testing::RunningNode;
using server::testing::waitUntil;
using testing::failureCode;

// So long that nothing in these tests happens because time has passed.
SyncTimes never() {
  SyncTimes times;
  times.interval = std::chrono::hours(1);
  return times;
}

class SyncLink : public ::testing::Test {
 protected:
  SyncLink() {
    hq_.start();
    office_.join(hq_);
  }

  ClientSettings officeSettings() {
    const server::NodeIdentity identity = office_.node().identity();
    ClientSettings settings;
    settings.host = "127.0.0.1";
    settings.port = hq_.application().syncPort();
    settings.expectedName = "HQ";
    settings.authorityPem = identity.authorityPem;
    settings.certificatePem = identity.tls.certificatePem;
    settings.privateKeyPem = identity.tls.privateKeyPem;
    return settings;
  }

  std::string exchangeBody() {
    return sync::LeafExchange(office_.node().replica(), office_.node().connections(),
                              office_.node().signingKey())
        .request();
  }

  RunningNode hq_{Role::kHeadquarters, "HQ"};
  RunningNode office_{Role::kOffice, "NBO"};
};

TEST_F(SyncLink, ARecordSavedAtTheOfficeComesToHeadquarters) {
  const std::string id = office_.person("Otieno");
  SyncClient client(office_.node());
  const ExchangeSummary summary = client.syncNow();
  EXPECT_TRUE(summary.ok);
  EXPECT_EQ(summary.changesUp, 1U);
  EXPECT_TRUE(hq_.has(id));
  EXPECT_EQ(cases::showRecord(office_.node(), id)["durability"], "hq");
  EXPECT_EQ(client.syncNow().changesUp, 0U);
  EXPECT_EQ(client.view().state, LinkState::kConnected);
}

TEST_F(SyncLink, GoesUpByItselfOnceSavedAndComesDownByNews) {
  office_.start(never());
  ASSERT_TRUE(waitUntil([&] { return office_.link().view().state == LinkState::kConnected; }));
  const std::string id = office_.person("Otieno");
  ASSERT_TRUE(waitUntil([&] { return hq_.has(id); }));
  Json record = cases::showRecord(hq_.node(), id);
  const Json edits = {
      {{"record", id}, {"fields", {{"given_name", "Zahra"}}}, {"seen", record["tag"]}}};
  cases::saveChanges(hq_.node(), "officer", {{"edits", edits}});
  EXPECT_TRUE(waitUntil(
      [&] { return cases::showRecord(office_.node(), id)["fields"]["given_name"] == "Zahra"; }));
}

TEST_F(SyncLink, AgreesWithHeadquartersWhenNothingIsLeft) {
  office_.person("Otieno");
  office_.start(never());
  EXPECT_TRUE(waitUntil([&] { return office_.application().status()["agree"] == true; }));
  const Json status = office_.application().status();
  EXPECT_EQ(status["state"], "connected");
  EXPECT_EQ(status["backlogUp"], 0);
  EXPECT_EQ(status["backlogDown"], 0);
  EXPECT_EQ(status["records"], 1);
  EXPECT_GT(status["certificateDays"].get<int>(), 80);
  const Json hub = hq_.application().status();
  ASSERT_EQ(hub["leaves"].size(), 1U);
  EXPECT_EQ(hub["leaves"][0]["office"], "NBO");
  EXPECT_EQ(hub["leaves"][0]["state"], "connected");
}

TEST_F(SyncLink, AnIdleExchangeIsSmall) {
  SyncClient client(office_.node());
  client.syncNow();
  const ExchangeSummary idle = client.syncNow();
  EXPECT_EQ(idle.roundTrips, 1U);
  EXPECT_LE(idle.up, 256U);
  EXPECT_LE(idle.down, 160U);
  RecordProperty("up", static_cast<int>(idle.up));
  RecordProperty("down", static_cast<int>(idle.down));
}

TEST_F(SyncLink, HoldsWhilePausedAlsoOverARestart) {
  office_.start(never());
  office_.link().pause();
  const std::string id = office_.person("Otieno");
  EXPECT_EQ(office_.link().view().state, LinkState::kPaused);
  office_.stop();
  office_.start(never());
  EXPECT_EQ(office_.link().view().state, LinkState::kPaused);
  EXPECT_FALSE(hq_.has(id));
  office_.link().resume();
  EXPECT_TRUE(waitUntil([&] { return hq_.has(id); }));
}

TEST_F(SyncLink, ASpentBudgetHoldsAllButWhatIsUrgentAndWhatAPersonAsksFor) {
  office_.start(never());
  ASSERT_TRUE(waitUntil([&] { return office_.link().view().state == LinkState::kConnected; }));
  office_.link().setBudget(1, "month");
  const std::string before = office_.person("Otieno");
  ASSERT_TRUE(waitUntil([&] { return office_.link().view().budget.isSpent(); }));
  EXPECT_TRUE(hq_.has(before));
  const std::string held = office_.person("Wanjiru");
  const Json edits = {{{"record", "new:1"},
                       {"kind", "person"},
                       {"fields", {{"given_name", "Zahra"}, {"risk_level", "high"}}}}};
  const Json answer = cases::saveChanges(office_.node(), "amina", {{"edits", edits}});
  const std::string alert = answer["records"]["new:1"]["id"].get<std::string>();
  EXPECT_TRUE(waitUntil([&] { return hq_.has(alert); }));
  EXPECT_FALSE(hq_.has(held));
  EXPECT_EQ(office_.application().status()["backlogUp"], 2) << "a copy moves no cursor";
  office_.stop();
  office_.start(never());
  const Json budget = office_.application().status()["lineBudget"];
  EXPECT_EQ(budget["bytes"], 1);
  EXPECT_EQ(budget["per"], "month");
  EXPECT_GT(budget["used"], 300) << "also over a restart";
  office_.link().now();
  EXPECT_TRUE(waitUntil([&] { return hq_.has(held); }));
  office_.link().setBudget(0, "day");
  const std::string after = office_.person("Njoroge");
  EXPECT_TRUE(waitUntil([&] { return hq_.has(after); }));
  EXPECT_EQ(failureCode([&] { office_.link().setBudget(5, "week"); }), "sync.budget-period");
}

TEST_F(SyncLink, SaysThatHeadquartersIsAwayAndComesBackWhenAsked) {
  const std::uint16_t port = hq_.application().syncPort();
  hq_.stop();
  office_.start(never());
  ASSERT_TRUE(waitUntil([&] { return !office_.link().view().exchanges.empty(); }));
  EXPECT_EQ(office_.link().view().state, LinkState::kOffline);
  EXPECT_EQ(office_.link().view().exchanges.front().code, "net.unreachable");
  server::NodeConfig config = hq_.node().config();
  config.syncPort = port;
  hq_.node().changeConfig(config);
  server::ApplicationSettings settings;
  settings.port = 0;
  settings.syncPort = port;
  server::Application again(hq_.node(), settings);
  again.start();
  office_.link().now();
  EXPECT_TRUE(waitUntil([&] { return office_.link().view().state == LinkState::kConnected; }));
}

TEST_F(SyncLink, AnOfficeThatHasNotJoinedSaysSo) {
  RunningNode alone(Role::kOffice, "DKR");
  SyncClient client(alone.node());
  EXPECT_EQ(failureCode([&] { client.syncNow(); }), "sync.not-enrolled");
  EXPECT_EQ(client.view().state, LinkState::kNotEnrolled);
}

TEST_F(SyncLink, RefusesACertificateOfAnotherAuthority) {
  ClientSettings settings = officeSettings();
  settings.certificatePem = testing::serverIdentity().certificatePem;
  settings.privateKeyPem = testing::serverIdentity().privateKeyPem;
  Client client(settings);
  const std::string code =
      failureCode([&] { client.send("POST", "/sync/v1/exchange", {}, exchangeBody()); });
  EXPECT_TRUE(code == "net.certificate" || code == "net.tls" || code == "net.closed") << code;
}

TEST_F(SyncLink, RefusesACertificateThatIsNoOffices) {
  ClientSettings settings = officeSettings();
  settings.certificatePem = hq_.node().identity().tls.certificatePem;
  settings.privateKeyPem = hq_.node().identity().tls.privateKeyPem;
  const ClientResponse answer = Client(settings).send("POST", "/sync/v1/exchange", {}, "x");
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(parseJson(answer.body)["code"], "sync.unknown-leaf");
}

// A request that waits for news does so for 55 seconds, and would end as "net.timeout" here.
TEST_F(SyncLink, ARequestForNewsThatNeedNotWaitIsAnsweredAtOnce) {
  Client client(officeSettings());
  client.setStallTime(std::chrono::seconds(20));
  EXPECT_EQ(client.send("GET", "/sync/v1/news?after=0&now=1").body, "0");
  EXPECT_EQ(client.send("GET", "/sync/v1/news?after=0&now=1").body, "0");
  EXPECT_EQ(client.connections(), 1U);
}

TEST_F(SyncLink, RefusesARevokedOfficeOnAnOpenConnection) {
  Client client(officeSettings());
  EXPECT_EQ(client.send("POST", "/sync/v1/exchange", {}, exchangeBody()).status, 200);
  hq_.node().write([](sync::Work& work) {
    storage::LeafRow leaf = *work.store().leafByName("NBO");
    leaf.revoked = true;
    work.store().putLeaf(leaf);
  });
  const ClientResponse answer = client.send("POST", "/sync/v1/exchange", {}, exchangeBody());
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(parseJson(answer.body)["code"], "sync.revoked");
}

TEST_F(SyncLink, ABoxThatWasReplacedIsRefused) {
  const ClientSettings old = officeSettings();
  office_.join(hq_);
  const ClientResponse answer = Client(old).send("POST", "/sync/v1/exchange", {}, exchangeBody());
  EXPECT_EQ(answer.status, 403);
  EXPECT_EQ(parseJson(answer.body)["code"], "sync.certificate-replaced");
}

TEST_F(SyncLink, WholeFramesOfACutRequestAreKept) {
  for (int i = 0; i < 40; ++i) {
    Json edits = Json::array();
    for (int k = 0; k < 50; ++k) {
      const std::string noise = crypto::toHex(office_.node().random().bytes(60));
      edits.push_back({{"record", "new:" + std::to_string(k)},
                       {"kind", "person"},
                       {"fields", {{"family_name", noise}, {"given_name", "A"}}}});
    }
    cases::saveChanges(office_.node(), "amina", {{"edits", edits}});
  }
  const std::string body = exchangeBody();
  ASSERT_GT(body.size(), 100'000U);
  const ClientSettings settings = officeSettings();
  {
    StringBodyReader cut(body.substr(0, body.size() / 2));
    Request request{.method = "POST",
                    .target = "/sync/v1/exchange",
                    .path = "/sync/v1/exchange",
                    .query = {},
                    .headers = {},
                    .clientAddress = "127.0.0.1",
                    .peerCertificatePem = settings.certificatePem,
                    .body = cut};
    SyncEndpoint endpoint(hq_.node());
    Router router;
    endpoint.addRoutes(router);
    EXPECT_EQ(router.answer(request).status, 400);
  }
  const auto records = [&] {
    return hq_.node().read([](storage::Store& store) { return store.countRecords("person"); });
  };
  const std::int64_t kept = records();
  EXPECT_GT(kept, 0);
  EXPECT_LT(kept, 2000);
  SyncClient client(office_.node());
  client.syncNow();
  EXPECT_EQ(records(), 2000);
}

// Headquarters has something else under the name of what the office saved; the office is at its
// beginning again.
TEST_F(SyncLink, AnOfficeThatWasSetBackWhileItRanMakesItsSavesAgain) {
  office_.person("Otieno");
  SyncClient client(office_.node());
  client.syncNow();
  hq_.node().write([](sync::Work& work) {
    storage::Store& store = work.store();
    const storage::JournalRow entry = *store.journal(store.lastJournalSeq());
    sync::Change other = sync::decodeChange(entry.body);
    other.author = "of-the-other-time@NBO";
    storage::RenamedRows(store).putJournal(entry.seq, entry.replica, entry.counter,
                                           sync::encodeChange(other));
  });
  office_.node().write([](sync::Work& work) { sync::writeLeafState(work.store(), "", {}); });
  EXPECT_EQ(failureCode([&] { client.syncNow(); }), "sync.set-back");
  client.syncNow();
  client.syncNow();
  EXPECT_EQ(client.view().agree, true);
  const auto persons = [](storage::Store& store) { return store.countRecords("person"); };
  EXPECT_EQ(hq_.node().read(persons), 2);
  EXPECT_EQ(office_.node().read(persons), 2);
}

TEST_F(SyncLink, StoppingDoesNotWaitForThePollOfNews) {
  office_.start(never());
  ASSERT_TRUE(waitUntil([&] {
    const Json hub = hq_.application().status();
    return hub["leaves"][0]["state"] == "connected";
  }));
  office_.stop();
  hq_.stop();
}

}  // namespace
}  // namespace waystation::http

#include "server/access/revocation.h"

#include <algorithm>
#include <future>

#include "crypto/hash.h"
#include "server/audit.h"
#include "server/bundles.h"
#include "server/http/sync_endpoint.h"
#include "storage/named_values.h"
#include "sync/hub.h"
#include "sync/reports.h"
#include "tests/server/application_support.h"

namespace waystation::access {
namespace {

using http::Client;
using http::ClientResponse;
using http::Json;
using http::testing::failureCode;
using server::Role;
using server::testing::RunningNode;
using server::testing::waitUntil;

constexpr const char* kPhone = "NBO-P1";
constexpr const char* kWaitForNews = "/sync/v1/news?after=1000000";

// Headquarters, an office, and one of the office's phones with a certificate of headquarters'.
class Revocation : public ::testing::Test {
 protected:
  Revocation() : endpoint_(office_.node()) {
    hq_.start();
    office_.join(hq_);
    const crypto::KeyAndRequest request = crypto::createRequest(kPhone);
    crypto::CertificateTerms terms;
    terms.commonName = kPhone;
    terms.notBefore = hq_.node().clock().nowMs() / 1000 - 60;
    terms.notAfter = terms.notBefore + 86'400;
    phoneKey_ = request.privateKeyPem;
    phoneCertificate_ = crypto::signRequest(hq_.node().authority(), request.requestPem, terms);
    const std::string key = crypto::SigningKey::generate(office_.node().random()).publicKey();
    office_.node().write([&](sync::Work& work) {
      sync::enrolLeaf(work, kPhone, key, crypto::readCertificate(phoneCertificate_).fingerprintHex,
                      "NBO");
    });
    startForPhones();
    http::SyncClient(office_.node()).syncNow();
  }

  // Headquarters goes back to what it knew before anybody was revoked, and waits for its offices.
  std::vector<std::pair<std::string, std::string>> revocationsOfHeadquarters() {
    return hq_.node().read(
        [](storage::Store& store) { return storage::metaUnder(store.database(), "revocations."); });
  }
  void setBackHeadquarters(const std::vector<std::pair<std::string, std::string>>& before) {
    hq_.node().write([&](sync::Work& work) {
      storage::Store& store = work.store();
      store.database().execute("DELETE FROM meta WHERE name GLOB 'revocations.*'");
      for (const auto& [row, value] : before) store.setMeta(row, value);
      for (storage::LeafRow& leaf : store.leaves()) {
        leaf.revoked = false;
        store.putLeaf(leaf);
      }
      sync::noteSetBack(store);
    });
  }

  void startForPhones() {
    endpoint_.addRoutes(router_);
    http::ServerSettings settings = http::testing::serverSettings();
    settings.certificatePem = office_.node().identity().tls.certificatePem;
    settings.privateKeyPem = office_.node().identity().tls.privateKeyPem;
    settings.clientAuthorityPem = office_.node().identity().authorityPem;
    forPhones_ = std::make_unique<http::Server>(settings, router_);
    forPhones_->start();
    office_.node().onCommitted([this](bool, bool forLeaves) {
      if (forLeaves) endpoint_.wake();
    });
  }

  http::ClientSettings settings(std::uint16_t port, const std::string& expected) {
    http::ClientSettings settings;
    settings.host = "127.0.0.1";
    settings.port = port;
    settings.expectedName = expected;
    settings.authorityPem = hq_.node().identity().authorityPem;
    return settings;
  }

  http::ClientSettings officeSettings() {
    http::ClientSettings is = settings(hq_.application().syncPort(), "HQ");
    is.certificatePem = office_.node().identity().tls.certificatePem;
    is.privateKeyPem = office_.node().identity().tls.privateKeyPem;
    return is;
  }

  http::ClientSettings phoneSettings() {
    http::ClientSettings is = settings(forPhones_->port(), "NBO");
    is.certificatePem = phoneCertificate_;
    is.privateKeyPem = phoneKey_;
    return is;
  }

  static std::string codeOf(const ClientResponse& answer) {
    return answer.status == 200 ? "" : http::parseJson(answer.body)["code"].get<std::string>();
  }

  std::size_t deeds(server::Node& node, const std::string& deed) {
    storage::AuditQuery query;
    query.deed = deed;
    return node.read(
        [&](storage::Store& store) { return server::searchAudit(store, query)["entries"].size(); });
  }

  RunningNode hq_{Role::kHeadquarters, "HQ"};
  RunningNode office_{Role::kOffice, "NBO"};
  std::string phoneKey_;
  std::string phoneCertificate_;
  http::Router router_;
  http::SyncEndpoint endpoint_;
  std::unique_ptr<http::Server> forPhones_;
};

TEST_F(Revocation, AnOfficeAndAPhoneWithOpenSessionsAreRefusedAtTheirNextRequests) {
  Client office(officeSettings());
  Client phone(phoneSettings());
  EXPECT_EQ(office.send("GET", "/sync/v1/revocations").status, 200);
  EXPECT_EQ(phone.send("GET", "/sync/v1/revocations").status, 200);

  revoke(hq_.node(), kPhone, "director");
  http::SyncClient(office_.node()).syncNow();
  EXPECT_EQ(codeOf(phone.send("GET", "/sync/v1/revocations")), "sync.revoked");
  EXPECT_EQ(codeOf(phone.send("POST", "/sync/v1/exchange", {}, "x")), "sync.revoked");
  EXPECT_EQ(phone.connections(), 1U);
  EXPECT_EQ(codeOf(office.send("GET", "/sync/v1/revocations")), "");

  revoke(hq_.node(), "NBO", "director");
  EXPECT_EQ(codeOf(office.send("GET", "/sync/v1/revocations")), "sync.revoked");
  EXPECT_EQ(codeOf(office.send("POST", "/sync/v1/exchange", {}, "x")), "sync.revoked");
  EXPECT_EQ(office.connections(), 1U);
  // Nor on connections made anew.
  EXPECT_EQ(codeOf(Client(officeSettings()).send("GET", kWaitForNews)), "sync.revoked");
  EXPECT_EQ(codeOf(Client(phoneSettings()).send("GET", kWaitForNews)), "sync.revoked");
  EXPECT_EQ(failureCode([&] { http::SyncClient(office_.node()).syncNow(); }), "sync.revoked");
  EXPECT_EQ(deeds(hq_.node(), "office-revoked"), 1U);
  EXPECT_EQ(deeds(hq_.node(), "phone-revoked"), 1U);
  EXPECT_EQ(deeds(office_.node(), "phone-revoked"), 1U);
}

TEST_F(Revocation, ALongPollUnderWayIsEnded) {
  Client office(officeSettings());
  Client phone(phoneSettings());
  const auto wait = [](Client& client) {
    return std::async(std::launch::async, [&client] {
      return client.send("GET", kWaitForNews, {{"Revocations", "9"}});
    });
  };
  auto phoneWaits = wait(phone);
  ASSERT_TRUE(waitUntil([&] { return endpoint_.contacts()[kPhone].waiting > 0; }));
  revoke(hq_.node(), kPhone, "director");
  http::SyncClient(office_.node()).syncNow();
  EXPECT_EQ(codeOf(phoneWaits.get()), "sync.revoked");

  auto officeWaits = wait(office);
  ASSERT_TRUE(
      waitUntil([&] { return hq_.application().status()["leaves"][0]["state"] == "connected"; }));
  revoke(hq_.node(), "NBO", "director");
  EXPECT_EQ(codeOf(officeWaits.get()), "sync.revoked");
}

TEST_F(Revocation, OfOthersIsNewsForWhoeverWaits) {
  office_.start();
  ASSERT_TRUE(
      waitUntil([&] { return office_.link().view().state == http::LinkState::kConnected; }));
  revoke(hq_.node(), kPhone, "director");
  EXPECT_TRUE(waitUntil([&] {
    return office_.node().read(revocations).number == hq_.node().read(revocations).number;
  }));
}

TEST_F(Revocation, IsForeseenWithoutChangingAnything) {
  const RevocationForesight sight = foreseeRevocation(hq_.node(), "NBO");
  EXPECT_FALSE(sight.isPhone);
  EXPECT_EQ(sight.phones, std::vector<std::string>{kPhone});
  EXPECT_TRUE(foreseeRevocation(hq_.node(), kPhone).isPhone);
  EXPECT_EQ(hq_.node().read(revocations).number, 0U);
  EXPECT_EQ(failureCode([&] { revoke(hq_.node(), "DKR", "director"); }), "revocation.unknown-node");
  EXPECT_EQ(failureCode([&] { revoke(office_.node(), kPhone, "x"); }), "node.not-headquarters");
  revoke(hq_.node(), "NBO", "director");
  EXPECT_EQ(failureCode([&] { revoke(hq_.node(), "NBO", "x"); }), "revocation.already-revoked");
}

TEST_F(Revocation, ABoxThatWasFoundIsLetInAgain) {
  revoke(hq_.node(), kPhone, "director");
  http::SyncClient(office_.node()).syncNow();
  takeBack(hq_.node(), kPhone, "director");
  http::SyncClient(office_.node()).syncNow();
  EXPECT_EQ(codeOf(Client(phoneSettings()).send("GET", "/sync/v1/revocations")), "");
  revoke(hq_.node(), "NBO", "director");
  takeBack(hq_.node(), "NBO", "director");
  http::SyncClient(office_.node()).syncNow();
  EXPECT_EQ(failureCode([&] { takeBack(hq_.node(), "NBO", "x"); }), "revocation.not-revoked");
}

TEST_F(Revocation, AnOfficeThatJoinsAnewIsTakenOffTheList) {
  revoke(hq_.node(), "NBO", "director");
  office_.join(hq_);
  http::SyncClient(office_.node()).syncNow();
  EXPECT_TRUE(hq_.node().read(revocations).nodes.empty());
}

TEST_F(Revocation, MakesTokensGivenOutBeforeItVoid) {
  const std::string token = issueToken(hq_.node(), "NBO");
  revoke(hq_.node(), "NBO", "director");
  RunningNode thief(Role::kOffice, "NBO");
  EXPECT_EQ(failureCode([&] { enrol(thief.node(), token, "127.0.0.1", hq_.application().port()); }),
            "enrolment.token-expired");
}

// A bundle from headquarters, read at the office.
TEST_F(Revocation, TravelsOnAStickAndAnOlderStickTakesNothingBack) {
  const auto written = [&] { return server::testing::bundleFor(hq_.node(), "NBO"); };
  const auto read = [&](const std::string& bytes) {
    server::testing::readBundleAt(office_.node(), bytes);
  };
  revoke(hq_.node(), kPhone, "director");
  const std::string older = written();
  takeBack(hq_.node(), kPhone, "director");
  revoke(hq_.node(), kPhone, "director");
  const std::string newer = written();
  read(newer);
  EXPECT_EQ(office_.node().read(revocationText), hq_.node().read(revocationText));
  EXPECT_EQ(codeOf(Client(phoneSettings()).send("GET", "/sync/v1/revocations")), "sync.revoked");
  read(older);
  EXPECT_EQ(office_.node().read(revocationText), hq_.node().read(revocationText));
}

TEST_F(Revocation, OnlyANewerListOfHeadquartersIsTaken) {
  revoke(hq_.node(), kPhone, "director");
  const std::string first = hq_.node().read(revocationText);
  takeBack(hq_.node(), kPhone, "director");
  const std::string second = hq_.node().read(revocationText);
  server::Node& node = office_.node();
  EXPECT_TRUE(takeRevocations(node, second));
  EXPECT_FALSE(takeRevocations(node, second));
  EXPECT_EQ(failureCode([&] { takeRevocations(node, first); }), "revocation.older");
  const std::string body = first.substr(0, first.find('.'));
  const std::string signature = second.substr(second.find('.'));
  EXPECT_EQ(failureCode([&] { takeRevocations(node, body + signature); }), "revocation.signature");
  EXPECT_EQ(failureCode([&] { takeRevocations(node, "nonsense"); }), "revocation.malformed");
  EXPECT_EQ(node.read(revocationText), second);
}

// Headquarters put back from a copy has forgotten whom it revoked; its offices have the list.
TEST_F(Revocation, ComesBackToAHeadquartersThatWasRestored) {
  server::Node& hq = hq_.node();
  const auto before = revocationsOfHeadquarters();
  revoke(hq, kPhone, "director");
  http::SyncClient(office_.node()).syncNow();
  const std::string held = office_.node().read(revocationText);
  setBackHeadquarters(before);
  ASSERT_TRUE(hq.read(revocations).nodes.empty());
  http::SyncClient(office_.node()).syncNow();
  EXPECT_EQ(hq.read(revocationText), held);
  EXPECT_TRUE(hq.read(sync::unreported).empty());
  takeBack(hq, kPhone, "director");
  http::SyncClient(office_.node()).syncNow();
  EXPECT_TRUE(office_.node().read(revocations).nodes.empty());
}

// It has counted on from the same number, so the offices would not notice that the list is another.
TEST_F(Revocation, OfBeforeAndAfterARestoreAreBothOnTheNextList) {
  server::Node& hq = hq_.node();
  const auto before = revocationsOfHeadquarters();
  revoke(hq, kPhone, "director");
  http::SyncClient(office_.node()).syncNow();
  setBackHeadquarters(before);
  const std::string other = "KRT";
  hq.write([&](sync::Work& work) { sync::enrolLeaf(work, other, std::string(32, 'k'), ""); });
  revoke(hq, other, "director");
  ASSERT_EQ(hq.read(revocations).number, office_.node().read(revocations).number);
  http::SyncClient(office_.node()).syncNow();
  EXPECT_EQ(hq.read(revocations).number, 2U);
  EXPECT_EQ(hq.read(revocations).nodes.size(), 2U);
  EXPECT_EQ(office_.node().read(revocationText), hq.read(revocationText));
}

// Offices hand in what each has of what was lost, in any order.
TEST_F(Revocation, ThatIsKnownIsNotAskedForAgain) {
  server::Node& hq = hq_.node();
  const auto before = revocationsOfHeadquarters();
  revoke(hq, kPhone, "director");
  const std::string lost = hq.read(revocationText);
  takeBack(hq, kPhone, "director");
  const std::string newer = hq.read(revocationText);
  setBackHeadquarters(before);
  EXPECT_TRUE(takeLostRevocations(hq, lost));
  EXPECT_FALSE(takeLostRevocations(hq, lost));
  EXPECT_TRUE(takeLostRevocations(hq, newer));
  // Nobody can tell why the phone is not on the newer one: it stays out.
  EXPECT_EQ(hq.read(revocations).nodes.size(), 1U);
  EXPECT_FALSE(takeLostRevocations(hq, hq.read(revocationText)));
  EXPECT_EQ(failureCode([&] { takeLostRevocations(hq, "nonsense"); }), "revocation.malformed");
  const std::string body = lost.substr(0, lost.find('.'));
  const std::string signature = newer.substr(newer.find('.'));
  EXPECT_EQ(failureCode([&] { takeLostRevocations(hq, body + signature); }),
            "revocation.signature");
}

TEST_F(Revocation, IsNotTakenBackBeforeAllHaveReportedAndTravelsByTheLinkAlone) {
  server::Node& hq = hq_.node();
  revoke(hq, kPhone, "director");
  hq.write([](sync::Work& work) { sync::noteSetBack(work.store()); });
  EXPECT_EQ(failureCode([&] { takeBack(hq, kPhone, "director"); }), "hub.awaits-reports");
  EXPECT_EQ(hq_.application().status()["awaitsReports"], Json{"NBO"});
  const auto onStick = [&] { return server::bundleNode(hq).beside("NBO"); };
  EXPECT_EQ(onStick(), "");
  hq.write([](sync::Work& work) { sync::stopWaiting(work.store()); });
  EXPECT_NE(onStick(), "");
  takeBack(hq, kPhone, "director");
}

}  // namespace
}  // namespace waystation::access

#include "server/access/phones.h"

#include <filesystem>
#include <fstream>

#include "crypto/hash.h"
#include "server/access/enrolment_by_stick.h"
#include "server/access/revocation.h"
#include "server/audit.h"
#include "server/http/hub_call.h"
#include "server/intake.h"
#include "server/locked_file.h"
#include "server/locked_server.h"
#include "sync/leaf.h"
#include "tests/server/application_support.h"
#include "tests/support/sync_nodes.h"

namespace waystation::access {
namespace {

using http::Client;
using http::ClientResponse;
using http::ClientSettings;
using http::Json;
using http::testing::failureCode;
using server::Role;
using server::testing::RunningNode;

constexpr const char* kPhone = "NBO-P1";

// A phone as its office sees it: a leaf that seals what it writes, and what it needs to join.
class Phone {
 public:
  explicit Phone(const std::string& token) {
    const std::string coded = token.substr(token.rfind("wst1.") + 5);
    token_ = http::parseJson(crypto::fromBase64Url(coded.substr(0, coded.find('.'))));
    node_ = std::make_unique<waystation::testing::TestNode>(name(), true, 7, "NBO");
    node_->clock().set(sync::SystemClock().nowMs());
    keys_ = crypto::createRequest(name());
  }

  std::string name() const { return token_.at("office").get<std::string>(); }
  const Json& token() const { return token_; }

  Json request() {
    const std::string sealingKey = node_->sealingKey().publicKey();
    const std::string proof = node_->key().sign("waystation enrolment v1\n" + name() + "\n" +
                                                keys_.requestPem + sealingKey);
    return {{"secret", token_.at("secret")},
            {"office", name()},
            {"request", keys_.requestPem},
            {"publicKey", crypto::toBase64Url(node_->key().publicKey())},
            {"sealingKey", crypto::toBase64Url(sealingKey)},
            {"proof", crypto::toBase64Url(proof)}};
  }

  // At the office's own address, as its token says whom to trust.
  ClientResponse join(RunningNode& office) {
    ClientSettings settings = office.peopleSettings();
    settings.expectedName = token_.at("hq").get<std::string>();
    EXPECT_EQ(crypto::toBase64Url(authorityPin(settings.authorityPem)), token_.at("pin"));
    authority_ = settings.authorityPem;
    const ClientResponse answer =
        Client(settings).send("POST", "/api/v1/enrolment", {{"Content-Type", "application/json"}},
                              http::canonicalJson(request()));
    if (answer.status == 200) joined_ = http::parseJson(answer.body);
    return answer;
  }

  ClientSettings settings() const { return settings(joined_.at("syncPort").get<std::uint16_t>()); }

  ClientSettings settings(std::uint16_t port) const {
    ClientSettings settings;
    settings.host = "127.0.0.1";
    settings.port = port;
    settings.expectedName = token_.at("hq").get<std::string>();
    settings.authorityPem = authority_;
    settings.certificatePem = joined_.at("certificate").get<std::string>();
    settings.privateKeyPem = keys_.privateKeyPem;
    return settings;
  }

  // A certificate for a new key in the place of its own; the code of what was answered instead.
  std::string renew() {
    const crypto::KeyAndRequest keys = crypto::createRequest(name());
    const Json asked = {{"use", "node"}, {"request", keys.requestPem}};
    const ClientResponse answer =
        Client(settings())
            .send("POST", "/sync/v1/certificate", {{"Content-Type", "application/json"}},
                  http::canonicalJson(asked));
    if (answer.status != 200) return http::refusalOf(answer).code();
    keys_ = keys;
    joined_["certificate"] = http::parseJson(answer.body).at("certificate");
    return {};
  }

  std::string certificate() const { return joined_.at("certificate").get<std::string>(); }

  // Something written on the phone, not sent yet; its id.
  std::string write(const std::string& familyName) {
    return node_->create("person", {{"family_name", Json(familyName).dump()}}).uuid();
  }

  // One exchange; the code of what was answered instead, or empty.
  std::string exchange(const ClientSettings& settings) {
    sync::LeafExchange exchange(node_->replica(), node_->connections(), node_->key());
    const ClientResponse answer =
        Client(settings).send("POST", "/sync/v1/exchange", {}, exchange.request());
    if (answer.status != 200) return http::refusalOf(answer).code();
    return failureCode([&] {
      exchange.receive(answer.body);
      exchange.finish();
    });
  }

 private:
  Json token_;
  Json joined_;
  crypto::KeyAndRequest keys_;
  std::string authority_;
  std::unique_ptr<waystation::testing::TestNode> node_;
};

class Phones : public ::testing::Test {
 protected:
  Phones() {
    hq_.start();
    office_.join(hq_);
    office_.start();
  }

  std::string token(const std::string& name = kPhone) {
    std::string token = issuePhoneToken(office_.node(), name);
    office_.application().listenForPhones();
    return token;
  }

  static std::string codeOf(const ClientResponse& answer) {
    return answer.status == 200 ? "" : http::parseJson(answer.body)["code"].get<std::string>();
  }

  std::size_t deeds(const std::string& deed) {
    storage::AuditQuery query;
    query.deed = deed;
    return office_.node().read(
        [&](storage::Store& store) { return server::searchAudit(store, query)["entries"].size(); });
  }

  RunningNode hq_{Role::kHeadquarters, "HQ"};
  RunningNode office_{Role::kOffice, "NBO"};
};

TEST_F(Phones, ATechnicianLetsOneJoinFromTheBrowser) {
  access::addAccount(office_.node(), {"ali", "technician"}, server::testing::kPassword);
  const std::string session = office_.application().entrance().open("ali");
  Client client(office_.peopleSettings());
  const auto ask = [&](const std::string& body) {
    return client.send(
        "POST", "/api/v1/phone-tokens",
        {{"Authorization", "Bearer " + session}, {"Content-Type", "application/json"}}, body);
  };
  EXPECT_EQ(codeOf(ask("{}")), "enrolment.request-malformed");
  EXPECT_EQ(codeOf(ask(R"({"phone":1})")), "enrolment.request-malformed");
  EXPECT_EQ(codeOf(ask(R"({"phone":"MBA-P1"})")), "enrolment.phone-malformed");
  EXPECT_EQ(office_.application().syncPort(), 0);
  const ClientResponse made = ask(R"({"phone":"NBO-P1"})");
  ASSERT_EQ(codeOf(made), "") << made.body;
  EXPECT_EQ(deeds("phone-token"), 1U);
  Phone phone(http::parseJson(made.body).at("token").get<std::string>());
  ASSERT_EQ(codeOf(phone.join(office_)), "");
  const std::string person = phone.write("Hirsi");
  EXPECT_EQ(phone.exchange(phone.settings()), "");
  EXPECT_TRUE(office_.has(person));
}

TEST_F(Phones, OneJoinsItsOfficeWithATokenAndExchangesWithIt) {
  Phone phone(token());
  ASSERT_EQ(codeOf(phone.join(office_)), "");
  EXPECT_EQ(deeds("joined"), 1U);
  const std::string person = phone.write("Hirsi");
  EXPECT_EQ(phone.exchange(phone.settings()), "");
  EXPECT_TRUE(office_.has(person));
  const auto leaf =
      office_.node().read([](storage::Store& store) { return store.leafByName(kPhone); });
  ASSERT_TRUE(leaf);
  EXPECT_EQ(leaf->home, "NBO");
}

TEST_F(Phones, OnesCertificateIsRenewedByItsOffice) {
  Phone phone(token());
  phone.join(office_);
  const ClientSettings before = phone.settings();
  ASSERT_EQ(phone.renew(), "");
  const crypto::CertificateFacts facts = crypto::readCertificate(phone.certificate());
  EXPECT_EQ(facts.commonName, kPhone);
  EXPECT_LE(facts.notAfter - facts.notBefore, (kPhoneCertificateDays + 1) * http::testing::kDay);
  EXPECT_EQ(phone.exchange(before), "") << "until the new one is shown";
  EXPECT_EQ(phone.exchange(phone.settings()), "");
  EXPECT_EQ(phone.exchange(before), "sync.certificate-replaced");
  EXPECT_EQ(deeds("certificate-renewed"), 1U);
}

TEST_F(Phones, ATokenIsGoodOnceAndForItsTime) {
  const std::string first = token();
  Phone phone(first);
  EXPECT_EQ(codeOf(phone.join(office_)), "");
  EXPECT_EQ(codeOf(phone.join(office_)), "");  // its answer was lost
  Phone thief(first);
  EXPECT_EQ(codeOf(thief.join(office_)), "enrolment.token-spent");
  Phone late(token("NBO-P2"));
  office_.node().write([](sync::Work& work) {
    auto rows = work.store().database().statement(
        "UPDATE meta SET value = replace(value, '\"expires\":1', '\"expires\":-1') WHERE name "
        "LIKE 'enrolment.%'");
    rows.run();
  });
  EXPECT_EQ(codeOf(late.join(office_)), "enrolment.token-expired");
}

TEST_F(Phones, TokensAreTheOfficesToGiveAndNameItsPhones) {
  for (const char* wrong : {"NBO", "NBO-", "P1", "DKR-P1", "NBO-p1", "NBO-P1234567890123"}) {
    EXPECT_EQ(failureCode([&] { issuePhoneToken(office_.node(), wrong); }),
              "enrolment.phone-malformed")
        << wrong;
  }
  EXPECT_EQ(failureCode([&] { issuePhoneToken(hq_.node(), "HQ-P1"); }), "enrolment.not-an-office");
  RunningNode alone(Role::kOffice, "DKR");
  EXPECT_EQ(failureCode([&] { issuePhoneToken(alone.node(), "DKR-P1"); }),
            "enrolment.not-an-office");
  EXPECT_EQ(failureCode([&] { issuePhoneToken(office_.node(), kPhone, 0); }),
            "enrolment.minutes-malformed");
}

TEST_F(Phones, ACertificateOfHeadquartersIsNoPhonesAndOnesOfPhonesAreNoOffices) {
  Phone phone(token());
  phone.join(office_);
  ClientSettings office = phone.settings();
  office.certificatePem = office_.node().identity().tls.certificatePem;
  office.privateKeyPem = office_.node().identity().tls.privateKeyPem;
  EXPECT_NE(failureCode([&] { Client(office).send("GET", "/sync/v1/revocations"); }), "");
  ClientSettings atHq = phone.settings(hq_.application().syncPort());
  atHq.expectedName = "HQ";
  EXPECT_NE(failureCode([&] { Client(atHq).send("GET", "/sync/v1/revocations"); }), "");
}

TEST_F(Phones, ARevokedOneIsRefusedAtItsNextRequest) {
  Phone phone(token());
  phone.join(office_);
  office_.link().syncNow();
  Client client(phone.settings());
  EXPECT_EQ(client.send("GET", "/sync/v1/revocations").status, 200);
  revoke(hq_.node(), kPhone, "director");
  office_.link().syncNow();
  EXPECT_EQ(codeOf(client.send("GET", "/sync/v1/revocations")), "sync.revoked");
  EXPECT_EQ(client.connections(), 1U);
}

// While the office is locked.

class LockedPhones : public Phones {
 protected:
  LockedPhones() {
    phone_.join(office_);
    office_.link().syncNow();  // also what it shows while it is locked
    directory_ = office_.node().directory();
    file_ = server::readLockedFile(directory_).value();
  }

  std::uint16_t lock() {
    office_.stop();
    locked_ =
        std::make_unique<server::LockedServer>(office_.node().config(), file_, directory_,
                                               "127.0.0.1", std::uint16_t{0}, std::uint16_t{0});
    locked_->start();
    return locked_->phonePort();
  }

  std::filesystem::path spool() const { return directory_ / "intake.spool"; }

  std::string spooled() const {
    std::ifstream in(spool(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  Phone phone_{token()};
  std::filesystem::path directory_;
  server::LockedFile file_;
  std::unique_ptr<server::LockedServer> locked_;
};

TEST_F(LockedPhones, WhatTheySendIsKeptSealedAndAppliedOnceTheOfficeIsOpen) {
  const std::uint16_t port = lock();
  const std::string person = phone_.write("Hirsi");
  EXPECT_EQ(phone_.exchange(phone_.settings(port)), "node.kept");
  EXPECT_EQ(phone_.exchange(phone_.settings(port)), "node.kept");
  EXPECT_FALSE(spooled().empty());
  EXPECT_EQ(spooled().find("Hirsi"), std::string::npos);
  EXPECT_EQ(spooled().find("CERTIFICATE"), std::string::npos);
  EXPECT_FALSE(office_.has(person));
  locked_.reset();
  const server::IntakeOutcome outcome = server::applyIntake(office_.node());
  EXPECT_EQ(outcome.applied, 2U);
  EXPECT_EQ(outcome.refused, 0U);
  EXPECT_TRUE(office_.has(person));
  EXPECT_FALSE(std::filesystem::exists(spool()));
  EXPECT_EQ(deeds("intake-applied"), 1U);
  // The phone was told nothing else, and goes on as if that had never been.
  office_.start();
  EXPECT_EQ(phone_.exchange(phone_.settings(office_.application().syncPort())), "");
}

TEST_F(LockedPhones, WhatAPowerCutLeftBehindIsWrittenOverAndLosesNothingBeforeIt) {
  const std::uint16_t port = lock();
  const std::string person = phone_.write("Hirsi");
  EXPECT_EQ(phone_.exchange(phone_.settings(port)), "node.kept");
  const std::string whole = spooled();
  std::ofstream(spool(), std::ios::binary | std::ios::app) << whole.substr(0, whole.size() / 2);
  const std::string second = phone_.write("Warsame");
  EXPECT_EQ(phone_.exchange(phone_.settings(port)), "node.kept");
  EXPECT_EQ(spooled().substr(0, whole.size()), whole);
  const server::IntakeOutcome outcome = server::applyIntake(office_.node());
  EXPECT_EQ(outcome.applied, 2U);
  EXPECT_TRUE(office_.has(person));
  EXPECT_TRUE(office_.has(second));
}

TEST_F(LockedPhones, WhatARevokedOneOrAStrangerSentIsDropped) {
  const std::uint16_t port = lock();
  const std::string person = phone_.write("Hirsi");
  EXPECT_EQ(phone_.exchange(phone_.settings(port)), "node.kept");
  revoke(hq_.node(), kPhone, "director");
  http::SyncClient(office_.node()).syncNow();
  std::ofstream(spool(), std::ios::binary | std::ios::app) << std::string("\0\0\0\x05hello", 9);
  const server::IntakeOutcome outcome = server::applyIntake(office_.node());
  EXPECT_EQ(outcome.applied, 0U);
  EXPECT_EQ(outcome.refused, 2U);
  EXPECT_FALSE(office_.has(person));
}

TEST_F(LockedPhones, ThereIsABoundToWhatIsKept) {
  const std::uint16_t port = lock();
  Client client(phone_.settings(port));
  const std::string large(server::IntakeSpool::kMostRequestBytes + 1, 'x');
  EXPECT_EQ(codeOf(client.send("POST", "/sync/v1/exchange", {}, large)), "http.body-too-large");
  {
    std::ofstream full(spool(), std::ios::binary);
    const std::size_t size = server::IntakeSpool::kMostBytes - 4;
    for (const int shift : {24, 16, 8, 0}) full.put(static_cast<char>(size >> shift & 0xff));
    full.seekp(static_cast<std::streamoff>(server::IntakeSpool::kMostBytes - 1));
    full.put('x');
  }
  EXPECT_EQ(codeOf(client.send("POST", "/sync/v1/exchange", {}, "x")), "store.full");
  // Nothing else is answered to a phone.
  EXPECT_EQ(codeOf(client.send("GET", "/sync/v1/news?after=0")), "node.locked");
  EXPECT_EQ(codeOf(client.send("POST", "/sync/v1/exchange?name=a&ask=1", {}, "")), "sync.not-kept");
}

// An office that has only ever exchanged by stick; headquarters answers nobody.
TEST(PhonesOfAnOfficeWithoutALine, JoinExchangeAreKeptWhileItIsLockedAndAreRevoked) {
  RunningNode hq(Role::kHeadquarters, "HQ");
  RunningNode office(Role::kOffice, "NBO");
  const std::string token = issueToken(hq.node(), "NBO");
  joinByFile(office.node(), token,
             answerFile(hq.node(), fileToJoin(office.node(), token), 8444).file, "");
  const auto carry = [&] {
    server::testing::readBundleAt(hq.node(), server::testing::bundleFor(office.node(), "HQ"));
    server::testing::readBundleAt(office.node(), server::testing::bundleFor(hq.node(), "NBO"));
  };
  carry();
  office.start();
  const std::string phoneToken = issuePhoneToken(office.node(), kPhone);
  office.application().listenForPhones();
  Phone phone(phoneToken);
  ASSERT_EQ(phone.join(office).status, 200);
  const std::string first = phone.write("Hirsi");
  EXPECT_EQ(phone.exchange(phone.settings()), "");
  EXPECT_TRUE(office.has(first));

  const std::filesystem::path directory = office.node().directory();
  office.stop();
  const std::string second = phone.write("Otieno");
  {
    server::LockedServer locked(office.node().config(), server::readLockedFile(directory),
                                directory, "127.0.0.1", 0, 0);
    locked.start();
    EXPECT_EQ(phone.exchange(phone.settings(locked.phonePort())), "node.kept");
  }
  office.start();
  EXPECT_TRUE(office.has(second));
  carry();
  EXPECT_TRUE(hq.has(second));

  revoke(hq.node(), kPhone, "director");
  carry();
  EXPECT_EQ(phone.exchange(phone.settings(office.application().syncPort())), "sync.revoked");
}

}  // namespace
}  // namespace waystation::access

#include "server/access/leaf_certificates.h"

#include <Poco/Net/SecureStreamSocket.h>

#include <array>

#include "server/access/hub_share.h"
#include "server/access/renewal_by_stick.h"
#include "server/access/revocation.h"
#include "server/audit.h"
#include "server/http/certificate_exchange.h"
#include "server/http/hub_settings.h"
#include "server/locked_file.h"
#include "tests/server/application_support.h"

namespace waystation::access {
namespace {

using http::Client;
using http::ClientSettings;
using http::Json;
using http::testing::failureCode;
using http::testing::kDay;
using server::Role;
using server::testing::bundleFor;
using server::testing::readBundleAt;
using server::testing::RunningNode;

class Certificates : public ::testing::Test {
 protected:
  Certificates() {
    hq_.start();
    office_.join(hq_);
  }

  std::int64_t now() { return hq_.node().clock().nowMs() / 1000; }

  // As if the office's certificate had been signed so long ago that this many of its days are left.
  void age(std::int64_t daysLeft) {
    const crypto::KeyAndRequest keys = crypto::createRequest("NBO");
    crypto::CertificateTerms terms = termsFor("NBO", {}, now(), daysLeft);
    terms.notBefore = terms.notAfter - kCertificateDays * kDay;
    const std::string signedOne =
        crypto::signRequest(hq_.node().authority(), keys.requestPem, terms);
    server::NodeIdentity identity = office_.node().identity();
    identity.tls = {keys.privateKeyPem, signedOne};
    office_.node().setIdentity(identity);
    hq_.node().write([&](sync::Work& work) {
      storage::LeafRow leaf = work.store().leafByName("NBO").value();
      leaf.certificateHash = crypto::readCertificate(signedOne).fingerprintHex;
      work.store().putLeaf(leaf);
    });
  }

  std::string certificate() { return office_.node().identity().tls.certificatePem; }
  std::int64_t daysLeft() {
    return (crypto::readCertificate(certificate()).notAfter - now()) / kDay;
  }

  // Whether the certificate that the office shows to browsers names this host.
  bool shows(RunningNode& node, const std::string& host) {
    ClientSettings settings = node.peopleSettings();
    settings.expectedName = host;
    settings.authorityPem = hq_.node().identity().authorityPem;
    return failureCode([&] { Client(settings).send("GET", "/health"); }).empty();
  }

  RunningNode hq_{Role::kHeadquarters, "HQ"};
  RunningNode office_{Role::kOffice, "NBO"};
};

TEST_F(Certificates, AreRenewedByAnExchangeWhenAThirdOfTheirTimeIsLeft) {
  age(31);
  const std::string early = certificate();
  http::SyncClient(office_.node()).syncNow();
  EXPECT_EQ(certificate(), early);
  age(30);
  const std::string due = certificate();
  http::SyncClient link(office_.node());
  link.syncNow();
  EXPECT_NE(certificate(), due);
  EXPECT_GE(daysLeft(), kCertificateDays - 1);
  EXPECT_NE(crypto::readCertificate(certificate()).publicKeyHashHex,
            crypto::readCertificate(due).publicKeyHashHex);
  EXPECT_NO_THROW(link.syncNow());
}

TEST_F(Certificates, OneWhoseTimeIsOverIsRenewedAndAnswersNothingElse) {
  age(-5);
  Client client(http::hubSettings(office_.node()));
  const http::ClientResponse refused = client.send("POST", "/sync/v1/exchange", {}, "x");
  EXPECT_EQ(refused.status, 403);
  EXPECT_EQ(http::parseJson(refused.body)["code"], "sync.certificate-expired");
  EXPECT_EQ(client.send("GET", "/sync/v1/revocations").status, 403);
  const std::string person = office_.person("Hirsi");
  http::SyncClient(office_.node()).syncNow();
  EXPECT_GE(daysLeft(), kCertificateDays - 1);
  EXPECT_TRUE(hq_.has(person));
}

TEST_F(Certificates, TheOneBeforeCountsUntilTheNewOneIsUsed) {
  age(10);
  const ClientSettings before = http::hubSettings(office_.node());
  const auto judge = [&](const std::string& pem) {
    return failureCode([&] { judgeLeaf(hq_.node(), pem); });
  };
  // An answer that was lost: nobody has the key of that certificate.
  const auto leaf =
      hq_.node().read([](storage::Store& store) { return store.leafByName("NBO").value(); });
  renewCertificate(hq_.node(), leaf, crypto::createRequest("NBO").requestPem, {});
  EXPECT_EQ(judge(before.certificatePem), "");
  http::SyncClient(office_.node()).syncNow();
  EXPECT_EQ(judge(certificate()), "");
  EXPECT_EQ(judge(before.certificatePem), "sync.certificate-replaced");
}

TEST_F(Certificates, ARevokedOfficeGetsNone) {
  age(-5);
  revoke(hq_.node(), "NBO", "director");
  http::SyncClient link(office_.node());
  EXPECT_EQ(failureCode([&] { link.syncNow(); }), "sync.revoked");
  EXPECT_LT(daysLeft(), 0);
}

TEST_F(Certificates, OneWhoseTimeIsOverLocksNoneOfTheOfficesPeopleOut) {
  age(-5);
  hq_.stop();
  office_.start();
  // A browser that was told to go on.
  const Poco::Net::Context::Ptr context = new Poco::Net::Context(
      Poco::Net::Context::TLSV1_3_CLIENT_USE, "", Poco::Net::Context::VERIFY_NONE);
  Poco::Net::SecureStreamSocket browser(
      Poco::Net::SocketAddress("127.0.0.1", office_.application().port()), context);
  const std::string request = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
  browser.sendBytes(request.data(), static_cast<int>(request.size()));
  std::array<char, 4096> answer{};
  const int count = browser.receiveBytes(answer.data(), static_cast<int>(answer.size()));
  ASSERT_GT(count, 0);
  EXPECT_TRUE(std::string(answer.data()).starts_with("HTTP/1.1 200"));
}

TEST_F(Certificates, BrowsersGetARenewedOneWithoutARestart) {
  office_.start();
  EXPECT_FALSE(shows(office_, "nbo.example.org"));
  office_.link().syncNow();
  const auto locked = [&] { return server::readLockedFile(office_.node().directory())->door; };
  const crypto::KeyAndCertificate before = locked();
  setOwnHosts(office_.node(), {"NBO.example.org", "192.168.1.10"});
  office_.link().syncNow();
  EXPECT_TRUE(shows(office_, "nbo.example.org"));
  EXPECT_TRUE(shows(office_, "192.168.1.10"));
  EXPECT_TRUE(shows(office_, "NBO"));
  // What it shows while it is locked names them too, from the next exchange on.
  EXPECT_TRUE(server::testing::waitUntil([&] {
    office_.link().syncNow();
    return locked() != before;
  }));
  setOwnHosts(hq_.node(), {"hq.example.org"});
  EXPECT_TRUE(renewOwn(hq_.node()));
  hq_.application().certificateChanged();
  EXPECT_TRUE(shows(hq_, "hq.example.org"));
}

TEST_F(Certificates, AHostOfAnotherNodeIsNotNamed) {
  setOwnHosts(hq_.node(), {"hq.example.org", "10.0.0.1"});
  setOwnHosts(office_.node(), {"hq.example.org"});
  http::SyncClient link(office_.node());
  // The records go all the same.
  EXPECT_NO_THROW(link.syncNow());
  EXPECT_NE(link.view().certificateFailure.find("hq.example.org"), std::string::npos);
  // Many offices have the same address in their own network.
  setOwnHosts(office_.node(), {"10.0.0.1"});
  link.syncNow();
  EXPECT_EQ(link.view().certificateFailure, "");
}

TEST_F(Certificates, HostsThatNoBrowserGoesToAreRefused) {
  for (const char* wrong : {"", "HQ", "localhost", "a b.example.org", "1.2.3", "x.", ".x", "*.a.b",
                            "https://nbo.example.org", "nbo.example.org:8443"}) {
    EXPECT_EQ(failureCode([&] { hostsIn({wrong}); }), "certificate.host-malformed") << wrong;
  }
  EXPECT_EQ(hostsIn({"A.b", "a.b", "2001:db8::1"}).size(), 2U);
  EXPECT_EQ(failureCode([&] { hostsIn(std::vector<std::string>(17, "a.b")); }), "");
}

// Headquarters' share.

// An office whose certificate is due and that never has a line.
class CertificatesByStick : public Certificates {
 protected:
  CertificatesByStick() { age(20); }

  std::string up() { return bundleFor(office_.node(), "HQ"); }
  std::string down() { return bundleFor(hq_.node(), "NBO"); }
  void atHq(const std::string& bundle) { readBundleAt(hq_.node(), bundle); }
  void atOffice(const std::string& bundle) { readBundleAt(office_.node(), bundle); }
  std::string codeOverTheLink() {
    return failureCode([&] { http::SyncClient(office_.node()).syncNow(); });
  }
};

TEST_F(CertificatesByStick, AreAskedForSignedAndTakenOverByTheBundlesThatGoAnyway) {
  const std::string before = certificate();
  atHq(up());
  EXPECT_EQ(certificate(), before);
  const std::string answer = down();
  EXPECT_EQ(readBundleAt(office_.node(), answer),
            (std::vector<std::string>{"This office's certificate is renewed.",
                                      "What this office shows while it is locked is renewed."}));
  EXPECT_NE(certificate(), before);
  EXPECT_GE(daysLeft(), kCertificateDays - 1);
  EXPECT_TRUE(readBundleAt(hq_.node(), up()).empty()) << "nothing more is due";
  EXPECT_EQ(codeOverTheLink(), "");
}

TEST_F(CertificatesByStick, WhatTheOfficeShowsWhileItIsLockedIsSignedByThemToo) {
  const std::filesystem::path directory = office_.node().directory();
  ASSERT_FALSE(server::readLockedFile(directory));  // there never was a line
  atHq(up());
  const std::string lost = down();
  atHq(up());
  readBundleAt(office_.node(), down());
  const auto file = server::readLockedFile(directory);
  ASSERT_TRUE(file);
  EXPECT_TRUE(crypto::isSignedBy(file->door.certificatePem, file->authorityPem));
  EXPECT_TRUE(crypto::belongTogether(file->door));
  EXPECT_EQ(file->hubName, "HQ");
  EXPECT_EQ(file->sealingKey, office_.node().sealingKey().publicKey());
  atOffice(lost);
  EXPECT_EQ(server::readLockedFile(directory), file);
  EXPECT_TRUE(readBundleAt(hq_.node(), up()).empty()) << "nothing more is due";
}

// What was signed by stick may never arrive: until the link renews it, both count.
TEST_F(CertificatesByStick, TheOneShownWhileLockedBeforeCountsUntilTheLinkHasRenewedIt) {
  http::SyncClient before(office_.node());
  before.syncNow();  // its own
  before.syncNow();  // and the other
  const std::filesystem::path directory = office_.node().directory();
  const std::string first = server::readLockedFile(directory)->door.certificatePem;
  const auto codeOf = [&](const std::string& certificate) {
    return hq_.node().read([&](storage::Store& store) {
      return failureCode(
          [&] { judgeDoor(hq_.node(), store, crypto::readCertificate(certificate)); });
    });
  };
  setOwnHosts(office_.node(), {"nbo.example.org"});
  atHq(up());
  atOffice(down());
  const std::string second = server::readLockedFile(directory)->door.certificatePem;
  EXPECT_NE(second, first);
  EXPECT_EQ(codeOf(first), "");
  EXPECT_EQ(codeOf(second), "");
  setOwnHosts(office_.node(), {"nairobi.example.org"});
  http::SyncClient link(office_.node());
  link.syncNow();  // its own
  link.syncNow();  // and the other
  const std::string third = server::readLockedFile(directory)->door.certificatePem;
  EXPECT_EQ(codeOf(first), "sync.certificate-replaced");
  EXPECT_EQ(codeOf(second), "sync.certificate-replaced");
  EXPECT_EQ(codeOf(third), "");
}

TEST_F(CertificatesByStick, LostLateAndRepeatedSticksLeaveOneThatCounts) {
  const std::string first = up();
  const std::string again = up();
  atHq(first);
  const std::string lost = down();
  atHq(again);
  atOffice(down());
  const std::string renewed = certificate();
  atOffice(lost);
  EXPECT_EQ(certificate(), renewed);
  EXPECT_EQ(codeOverTheLink(), "");
}

// The link was had meanwhile: what the stick brings would lock the office out.
TEST_F(CertificatesByStick, AnAnswerThatTheLinkOvertookIsNotTaken) {
  atHq(up());
  const std::string answer = down();
  http::SyncClient link(office_.node());
  link.syncNow();
  const std::string renewed = certificate();
  atOffice(answer);
  EXPECT_EQ(certificate(), renewed);
  EXPECT_EQ(codeOverTheLink(), "");
}

TEST_F(CertificatesByStick, OneThatWasNeverShownOverALinkCountsWhenTheNextIsAskedFor) {
  atHq(up());
  atOffice(down());
  setOwnHosts(office_.node(), {"nbo.example.org"});  // another one is wanted already
  atHq(up());
  EXPECT_EQ(codeOverTheLink(), "");  // with the one that it has
}

TEST_F(CertificatesByStick, ARequestThatIsRefusedKeepsNobodysWorkFromComingIn) {
  RunningNode other(Role::kOffice, "DKR");
  setOwnHosts(other.node(), {"nbo.example.org"});
  other.join(hq_);
  setOwnHosts(office_.node(), {"nbo.example.org"});
  const std::string person = office_.person("Hirsi");
  const std::vector<std::string> told = readBundleAt(hq_.node(), up());
  ASSERT_EQ(told.size(), 1U);
  EXPECT_NE(told[0].find("host of another node"), std::string::npos) << told[0];
  EXPECT_TRUE(hq_.has(person));
}

TEST_F(CertificatesByStick, WhatIsNoRequestIsRefusedByItsCode) {
  for (const char* asked : {"[]", "{}", R"({"request":1,"shows":""})", R"({"request":"x"})",
                            R"({"request":"x","shows":1})", R"({"request":"x","shows":""})",
                            R"({"hosts":1,"request":"x","shows":""})"}) {
    const std::string code = failureCode([&] { signRenewal(hq_.node(), "NBO", asked); });
    EXPECT_TRUE(code == "certificate.request-malformed" || code == "certificate.host-malformed")
        << asked << ": " << code;
  }
  EXPECT_EQ(failureCode([&] { signRenewal(hq_.node(), "NBO", "nonsense"); }), "json.malformed");
  EXPECT_TRUE(renewedFor(hq_.node(), "NBO").empty());
}

class Share : public Certificates {
 protected:
  Share() {
    http::SyncClient(office_.node()).syncNow();
    file_ = server::readLockedFile(office_.node().directory()).value();
  }

  void keep(const std::string& half) {
    keepHalf(hq_.node(), "NBO",
             sealHalf(office_.node().random(), file_.hubSealingKey, "NBO", half));
  }

  std::string askWith(const crypto::KeyAndCertificate& identity) {
    ClientSettings settings = http::hubSettings(office_.node());
    settings.certificatePem = identity.certificatePem;
    settings.privateKeyPem = identity.privateKeyPem;
    Client client(settings);
    return http::askForHalf(client);
  }

  std::string refusal() {
    return failureCode([&] { askWith(file_.door); });
  }

  std::size_t deeds(const std::string& deed) {
    storage::AuditQuery query;
    query.deed = deed;
    return hq_.node().read(
        [&](storage::Store& store) { return server::searchAudit(store, query)["entries"].size(); });
  }

  server::LockedFile file_;
  const std::string half_ = std::string(kHalfSize, 'h');
};

TEST_F(Share, IsReleasedToTheLockedOfficeAndNoted) {
  EXPECT_EQ(refusal(), "share.unknown");
  keep(half_);
  EXPECT_EQ(askWith(file_.door), half_);
  EXPECT_EQ(askWith(file_.door), half_);
  EXPECT_EQ(deeds("share-released"), 2U);
  EXPECT_EQ(deeds("share-kept"), 1U);
  const Json state =
      hq_.node().read([](storage::Store& store) { return shareState(store, "NBO"); });
  EXPECT_EQ(state["releases"], 2);
  EXPECT_TRUE(state["released"].is_string());
}

TEST_F(Share, IsRefusedToAFlaggedAndToARevokedOffice) {
  keep(half_);
  flag(hq_.node(), "NBO", "director");
  EXPECT_EQ(refusal(), "share.flagged");
  EXPECT_EQ(refusal(), "share.flagged");
  EXPECT_EQ(deeds("share-refused"), 1U);  // an hour has not passed
  EXPECT_NO_THROW(http::SyncClient(office_.node()).syncNow());
  unflag(hq_.node(), "NBO", "director");
  EXPECT_EQ(askWith(file_.door), half_);
  revoke(hq_.node(), "NBO", "director");
  EXPECT_EQ(refusal(), "sync.revoked");
  EXPECT_EQ(deeds("office-flagged") + deeds("office-unflagged"), 2U);
}

TEST_F(Share, WhatTheLockedOfficeShowsOpensNothingElse) {
  keep(half_);
  const auto codeAt = [&](const char* method, const char* path) {
    ClientSettings settings = http::hubSettings(office_.node());
    settings.certificatePem = file_.door.certificatePem;
    settings.privateKeyPem = file_.door.privateKeyPem;
    return http::parseJson(Client(settings).send(method, path, {}, "").body)["code"]
        .get<std::string>();
  };
  EXPECT_EQ(codeAt("POST", "/sync/v1/exchange"), "sync.certificate-replaced");
  EXPECT_EQ(codeAt("GET", "/sync/v1/news?after=0"), "sync.certificate-replaced");
  EXPECT_EQ(codeAt("POST", "/sync/v1/certificate"), "sync.certificate-replaced");
  EXPECT_EQ(codeAt("PUT", "/sync/v1/share"), "sync.certificate-replaced");
  // Nor does the other one release the share.
  EXPECT_EQ(failureCode([&] { askWith(office_.node().identity().tls); }),
            "sync.certificate-replaced");
}

TEST_F(Share, IsNotThatOfAnotherOfficeOrOfWhatSomebodyElseSealed) {
  RunningNode other(Role::kOffice, "DKR");
  other.join(hq_);
  http::SyncClient(other.node()).syncNow();
  keep(half_);
  const auto theirs = server::readLockedFile(other.node().directory()).value();
  EXPECT_EQ(failureCode([&] { askWith(theirs.door); }), "share.unknown");
  const std::string sealed =
      sealHalf(office_.node().random(), file_.hubSealingKey, "NBO", std::string(kHalfSize, 'x'));
  EXPECT_EQ(failureCode([&] { keepHalf(hq_.node(), "DKR", sealed); }), "share.malformed");
  EXPECT_EQ(failureCode([&] { keepHalf(hq_.node(), "NBO", "x"); }), "share.malformed");
  EXPECT_EQ(askWith(file_.door), half_);
}

TEST_F(Share, ANewBoxOfTheSameNameGetsNothingOfTheOldOnes) {
  keep(half_);
  RunningNode box(Role::kOffice, "NBO");
  box.join(hq_);
  EXPECT_EQ(refusal(), "sync.certificate-replaced");
  http::SyncClient(box.node()).syncNow();
  const auto theirs = server::readLockedFile(box.node().directory()).value();
  EXPECT_EQ(failureCode([&] { askWith(theirs.door); }), "share.unknown");
}

}  // namespace
}  // namespace waystation::access

#include "server/access/enrolment.h"

#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "server/access/enrolment_by_stick.h"
#include "tests/server/application_support.h"

namespace waystation::access {
namespace {

using http::testing::failureCode;
using server::Role;
using server::testing::RunningNode;

class EnrolmentTest : public ::testing::Test {
 protected:
  EnrolmentTest() { hq_.start(); }

  void join(RunningNode& office, const std::string& token) {
    enrol(office.node(), token, "127.0.0.1", hq_.application().port());
  }

  // Puts the token's end into the past at HQ.
  void expireTokens() {
    hq_.node().write([](sync::Work& work) {
      auto rows = work.store().database().statement(
          "UPDATE meta SET value = replace(value, '\"expires\":1', '\"expires\":-1') WHERE name "
          "LIKE 'enrolment.%'");
      rows.run();
    });
  }

  RunningNode hq_{Role::kHeadquarters, "HQ"};
  RunningNode office_{Role::kOffice, "NBO"};
};

TEST_F(EnrolmentTest, AnOfficeJoinsWithATokenAndIsKnown) {
  join(office_, issueToken(hq_.node(), "NBO"));
  const server::NodeIdentity identity = office_.node().identity();
  EXPECT_EQ(crypto::readCertificate(identity.tls.certificatePem).commonName, "NBO");
  EXPECT_TRUE(crypto::isSignedBy(identity.tls.certificatePem, hq_.node().identity().authorityPem));
  EXPECT_EQ(office_.node().config().hqSyncPort, hq_.application().syncPort());
  EXPECT_EQ(hubName(office_.node()), "HQ");
  const auto leaf = hq_.node().read([](storage::Store& store) { return store.leafByName("NBO"); });
  ASSERT_TRUE(leaf);
  EXPECT_EQ(leaf->publicKey, office_.node().signingKey().publicKey());
  EXPECT_EQ(leaf->sealingKey, office_.node().sealingKey().publicKey());
  const HubKeys keys = hubKeys(office_.node());
  EXPECT_EQ(keys.signingKey, hq_.node().signingKey().publicKey());
  EXPECT_EQ(keys.sealingKey, hq_.node().sealingKey().publicKey());
}

TEST_F(EnrolmentTest, ATokenIsGoodOnce) {
  const std::string token = issueToken(hq_.node(), "NBO");
  join(office_, token);
  RunningNode thief(Role::kOffice, "NBO");
  EXPECT_EQ(failureCode([&] { join(thief, token); }), "enrolment.token-spent");
  EXPECT_TRUE(hubName(thief.node()).empty());
}

TEST_F(EnrolmentTest, AnAnswerThatWasLostIsGivenAgain) {
  const http::Json request = [&] {
    const crypto::KeyAndRequest keys = crypto::createRequest("NBO");
    const std::string token = issueToken(hq_.node(), "NBO");
    const std::string coded = token.substr(token.rfind("wst1.") + 5);
    const http::Json payload =
        http::parseJson(crypto::fromBase64Url(coded.substr(0, coded.find('.'))));
    const std::string& sealingKey = office_.node().sealingKey().publicKey();
    const std::string proof = office_.node().signingKey().sign("waystation enrolment v1\nNBO\n" +
                                                               keys.requestPem + sealingKey);
    return http::Json{{"secret", payload.at("secret")},
                      {"office", "NBO"},
                      {"request", keys.requestPem},
                      {"publicKey", crypto::toBase64Url(office_.node().signingKey().publicKey())},
                      {"sealingKey", crypto::toBase64Url(sealingKey)},
                      {"proof", crypto::toBase64Url(proof)}};
  }();
  const http::Json first = admit(hq_.node(), request, 1);
  EXPECT_EQ(admit(hq_.node(), request, 1), first);
  http::Json forged = request;
  forged["request"] = crypto::createRequest("NBO").requestPem;
  EXPECT_EQ(failureCode([&] { admit(hq_.node(), forged, 1); }), "enrolment.request-malformed");
}

TEST_F(EnrolmentTest, RefusesATokenAfterItsTime) {
  const std::string token = issueToken(hq_.node(), "NBO", 1);
  expireTokens();
  EXPECT_EQ(failureCode([&] { join(office_, token); }), "enrolment.token-expired");
}

TEST_F(EnrolmentTest, RefusesATokenThatHeadquartersDidNotGiveOut) {
  const std::string token = issueToken(hq_.node(), "NBO");
  hq_.node().write([](sync::Work& work) {
    work.store().database().execute("DELETE FROM meta WHERE name LIKE 'enrolment.%'");
  });
  EXPECT_EQ(failureCode([&] { join(office_, token); }), "enrolment.token-unknown");
}

TEST_F(EnrolmentTest, RefusesAHeadquartersThatIsNotTheTokens) {
  RunningNode other(Role::kHeadquarters, "HQ");
  const std::string token = issueToken(other.node(), "NBO");
  EXPECT_EQ(failureCode([&] { join(office_, token); }), "net.certificate");
}

TEST_F(EnrolmentTest, RefusesATokenOfAnotherOffice) {
  const std::string token = issueToken(hq_.node(), "DKR");
  EXPECT_EQ(failureCode([&] { join(office_, token); }), "enrolment.other-office");
}

TEST_F(EnrolmentTest, RefusesATokenThatWasCutOrMistyped) {
  const std::string token = issueToken(hq_.node(), "NBO");
  const std::size_t begin = token.rfind("wst1.");
  EXPECT_EQ(failureCode([&] { join(office_, ""); }), "enrolment.token-malformed");
  EXPECT_EQ(failureCode([&] { join(office_, token.substr(0, token.size() - 4)); }),
            "enrolment.token-malformed");
  std::string mistyped = token;
  mistyped[begin + 100] = mistyped[begin + 100] == 'A' ? 'B' : 'A';
  EXPECT_EQ(failureCode([&] { join(office_, mistyped); }), "enrolment.token-malformed");
  EXPECT_NO_THROW(join(office_, token));
}

TEST_F(EnrolmentTest, OnlyHeadquartersGivesOutTokens) {
  EXPECT_EQ(failureCode([&] { issueToken(office_.node(), "DKR"); }), "node.not-headquarters");
  EXPECT_EQ(failureCode([&] { issueToken(hq_.node(), "HQ"); }), "enrolment.office-malformed");
  EXPECT_EQ(failureCode([&] { issueToken(hq_.node(), "nbo"); }), "enrolment.office-malformed");
  EXPECT_EQ(failureCode([&] { issueToken(hq_.node(), "NBO", 0); }), "enrolment.hours-malformed");
}

// Two files carried by somebody, and the first bundles both ways.
TEST_F(EnrolmentTest, AnOfficeWithoutALineJoinsByStick) {
  const std::string token = issueToken(hq_.node(), "NBO");
  const std::string request = fileToJoin(office_.node(), token);
  const JoiningAnswered answered = answerFile(hq_.node(), request, 8444);
  EXPECT_EQ(answered.office, "NBO");
  joinByFile(office_.node(), token, answered.file, "");
  EXPECT_EQ(hubName(office_.node()), "HQ");
  EXPECT_EQ(hubKeys(office_.node()).sealingKey, hq_.node().sealingKey().publicKey());
  EXPECT_TRUE(crypto::isSignedBy(office_.node().identity().tls.certificatePem,
                                 hq_.node().identity().authorityPem));
  const std::string person = office_.person("Hirsi");
  server::testing::readBundleAt(hq_.node(), server::testing::bundleFor(office_.node(), "HQ"));
  EXPECT_TRUE(hq_.has(person));
  server::testing::readBundleAt(office_.node(), server::testing::bundleFor(hq_.node(), "NBO"));
}

TEST_F(EnrolmentTest, AnAnswerByStickThatWasLostIsGivenAgain) {
  const std::string token = issueToken(hq_.node(), "NBO");
  answerFile(hq_.node(), fileToJoin(office_.node(), token), 8444);
  const std::string again = answerFile(hq_.node(), fileToJoin(office_.node(), token), 8444).file;
  joinByFile(office_.node(), token, again, "hq.example.org");
  EXPECT_EQ(office_.node().config().hqHost, "hq.example.org");
  EXPECT_EQ(office_.node().config().hqSyncPort, 8444);
}

TEST_F(EnrolmentTest, FilesOfOthersDamagedOrForgedLetNobodyIn) {
  const std::string token = issueToken(hq_.node(), "NBO");
  const std::string request = fileToJoin(office_.node(), token);
  for (std::size_t at : {std::size_t{3}, std::size_t{16}, std::size_t{40}, request.size() - 1}) {
    std::string damaged = request;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_EQ(failureCode([&] { answerFile(hq_.node(), damaged, 1); }), "enrolment.file-malformed");
  }
  const std::string answer = answerFile(hq_.node(), request, 1).file;
  RunningNode other(Role::kOffice, "NBO");
  EXPECT_EQ(failureCode([&] { joinByFile(other.node(), token, answer, ""); }),
            "enrolment.file-malformed");
  EXPECT_EQ(failureCode([&] { joinByFile(office_.node(), token, request, ""); }),
            "enrolment.file-malformed");
  // Another headquarters that got hold of the request's content.
  RunningNode forger(Role::kHeadquarters, "HQ");
  const std::string theirs = issueToken(forger.node(), "NBO");
  const std::string forged = answerFile(forger.node(), fileToJoin(office_.node(), theirs), 1).file;
  EXPECT_EQ(failureCode([&] { joinByFile(office_.node(), token, forged, ""); }),
            "enrolment.file-malformed");
  EXPECT_TRUE(hubName(office_.node()).empty());
  joinByFile(office_.node(), token, answer, "");
  EXPECT_EQ(hubName(office_.node()), "HQ");
}

// Sealed to the office by anybody who knows its key.
TEST_F(EnrolmentTest, AnAnswerOfAnotherShapeLetsNobodyIn) {
  const std::string token = issueToken(hq_.node(), "NBO");
  const std::string head = std::string("waystation-join1") + '\2';
  for (const char* content :
       {"[]", "1", "{}", R"({"answer":{},"signature":7})", R"({"answer":[],"signature":""})",
        R"({"answer":{},"signature":"?"})", R"({"answer":{},"signature":"AAAA"})"}) {
    const std::string file =
        head + crypto::hpkeSeal(hq_.node().random(), office_.node().sealingKey().publicKey(),
                                "waystation enrolment file v1", head, content);
    EXPECT_EQ(failureCode([&] { joinByFile(office_.node(), token, file, ""); }),
              "enrolment.file-malformed")
        << content;
  }
  EXPECT_TRUE(hubName(office_.node()).empty());
}

TEST_F(EnrolmentTest, ByStickTooATokenIsGoodOnce) {
  const std::string token = issueToken(hq_.node(), "NBO");
  answerFile(hq_.node(), fileToJoin(office_.node(), token), 1);
  RunningNode thief(Role::kOffice, "NBO");
  const std::string request = fileToJoin(thief.node(), token);
  EXPECT_EQ(failureCode([&] { answerFile(hq_.node(), request, 1); }), "enrolment.token-spent");
}

}  // namespace
}  // namespace waystation::access

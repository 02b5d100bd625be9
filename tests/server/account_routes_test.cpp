#include "crypto/hash.h"
#include "crypto/totp.h"
#include "server/access/password_rules.h"
#include "server/audit.h"
#include "tests/server/application_support.h"

namespace waystation::http {
namespace {

using server::Role;
using server::testing::kPassword;
using server::testing::RunningNode;
using testing::failureCode;

TEST(PasswordRules, RefuseWhatIsMadeOfACommonWordOfRunsOrOfTheName) {
  const auto code = [](const std::string& password, const std::string& name) {
    return failureCode([&] { access::checkNewPassword(password, name); });
  };
  const std::vector<std::string> weak = {
      "elevenchars",        "Password12345!",      "p@ssw0rd!2026",       "aaaaaaaaaaaaaa",
      "123123123123",       "abcdefghijklm",       "qwertyuiopas",        "administrator",
      "AdminISTRATOR99",    "letmeinletmein",      "amina-amina!123",     "aminaamina2026",
      "seven\ngreen words", "bad\xff utf-8 words", std::string(1025, 'x')};
  for (const std::string& password : weak) {
    EXPECT_EQ(code(password, "amina"), "account.password-weak") << password;
  }
  for (const char* good : {"seven green bicycles", "correct horse battery staple",
                           "دراجات خضراء سبع", "x7Kp-93fa-Qe2m"}) {
    EXPECT_EQ(code(good, "amina"), "") << good;
  }
  EXPECT_EQ(failureCode([] { access::checkNewPassword("seven green bicycles", "a", "/nowhere"); }),
            "account.word-list-missing");
}

class AccountRoutes : public ::testing::Test {
 protected:
  AccountRoutes() {
    access::addAccount(office_.node(), {"amina", "caseworker"}, kPassword);
    access::addAccount(office_.node(), {"tom", "technician"}, kPassword);
    office_.start();
    client_ = std::make_unique<Client>(office_.peopleSettings());
  }

  using Headers = std::map<std::string, std::string>;

  ClientResponse ask(const std::string& method, const std::string& path, const std::string& token,
                     const Json& body = nullptr) {
    Headers headers;
    if (!token.empty()) headers["Authorization"] = "Bearer " + token;
    if (!body.is_null()) headers["Content-Type"] = "application/json";
    return client_->send(method, "/api/v1" + path, headers,
                         body.is_null() ? "" : canonicalJson(body));
  }

  ClientResponse logIn(const std::string& user, const Json& code = nullptr) {
    Json body = {{"user", user}, {"password", kPassword}, {"token", true}};
    if (!code.is_null()) body["totp"] = code;
    return ask("POST", "/session", "", body);
  }

  std::string session(const std::string& user) {
    return office_.application().entrance().open(user);
  }

  static std::string codeOf(const ClientResponse& answer) {
    return parseJson(answer.body).value("code", "");
  }

  std::vector<std::string> deedsOf(const std::string& person) {
    const Json found = office_.node().read([&](storage::Store& store) {
      storage::AuditQuery query;
      query.person = person;
      return server::searchAudit(store, query);
    });
    std::vector<std::string> deeds;
    for (const Json& entry : found.at("entries")) deeds.push_back(entry["deed"].get<std::string>());
    return deeds;
  }

  RunningNode office_{Role::kOffice, "NBO"};
  std::unique_ptr<Client> client_;
};

TEST_F(AccountRoutes, ASecondFactorIsAskedForOnceItIsConfirmedAndACodeIsGoodOnce) {
  const std::string token = session("amina");
  EXPECT_EQ(ask("POST", "/me/totp", token, {{"password", "wrong password"}}).status, 403);
  const Json begun = parseJson(ask("POST", "/me/totp", token, {{"password", kPassword}}).body);
  EXPECT_TRUE(
      begun["uri"].get<std::string>().starts_with("otpauth://totp/Waystation%20NBO:amina?"));
  EXPECT_EQ(logIn("amina").status, 200);
  EXPECT_EQ(ask("PUT", "/me/totp", token, {{"code", "000000"}}).status, 422);
  const std::string secret = office_.node().read([](storage::Store& store) {
    const Json row = parseJson(*store.meta("account.amina"));
    return crypto::fromBase64Url(row.at("totpBegun").get<std::string>());
  });
  EXPECT_EQ(crypto::toBase32(secret), begun["secret"]);
  const auto step = static_cast<std::uint64_t>(office_.node().clock().nowMs() / 1000) / 30;
  EXPECT_EQ(ask("PUT", "/me/totp", token, {{"code", crypto::totpCode(secret, step)}}).status, 200);
  EXPECT_EQ(codeOf(logIn("amina")), "access.totp-needed");
  EXPECT_EQ(codeOf(logIn("amina", crypto::totpCode(secret, step))), "access.unauthenticated");
  EXPECT_EQ(codeOf(logIn("amina", crypto::totpCode(secret, step - 3))), "access.unauthenticated");
  EXPECT_EQ(logIn("amina", crypto::totpCode(secret, step + 1)).status, 200);
  EXPECT_EQ(ask("POST", "/me/totp/off", token, {{"password", kPassword}}).status, 200);
  EXPECT_EQ(logIn("amina").status, 200);
  const std::vector<std::string> deeds = deedsOf("amina");
  EXPECT_EQ(std::count(deeds.begin(), deeds.end(), "totp-on"), 1);
  EXPECT_EQ(std::count(deeds.begin(), deeds.end(), "totp-off"), 1);
}

TEST_F(AccountRoutes, SessionsAreListedAndEndedByTheirOwner) {
  const std::string here = session("amina");
  const std::string there = session("amina");
  session("tom");
  const Json listed = parseJson(ask("GET", "/me/sessions", here).body)["sessions"];
  ASSERT_EQ(listed.size(), 2U);
  for (const Json& each : listed) {
    if (each["current"].get<bool>()) continue;
    const std::string path = "/me/sessions/" + each["id"].get<std::string>();
    EXPECT_EQ(ask("DELETE", path, session("tom")).status, 404);
    EXPECT_EQ(ask("DELETE", path, here).status, 200);
  }
  EXPECT_EQ(ask("GET", "/me", there).status, 401);
  EXPECT_EQ(ask("GET", "/me", here).status, 200);
}

TEST_F(AccountRoutes, ANewPasswordEndsTheOtherSessions) {
  const std::string here = session("amina");
  const std::string there = session("amina");
  EXPECT_EQ(
      codeOf(ask("POST", "/me/password", here, {{"password", kPassword}, {"new", "password1234"}})),
      "account.password-weak");
  EXPECT_EQ(
      ask("POST", "/me/password", here, {{"password", kPassword}, {"new", "nine purple lanterns"}})
          .status,
      200);
  EXPECT_EQ(ask("GET", "/me", there).status, 401);
  EXPECT_EQ(ask("GET", "/me", here).status, 200);
  EXPECT_EQ(logIn("amina").status, 401);
}

TEST_F(AccountRoutes, WhoseRolesChangeIsLoggedOutAndTheNextRequestObeys) {
  const std::string token = session("amina");
  const std::string technician = session("tom");
  const Json wanted = {{"role", "reader"}, {"programmes", {{"casework", "supervisor"}}}};
  EXPECT_EQ(ask("PUT", "/accounts/amina", technician, wanted).status, 200);
  EXPECT_EQ(ask("GET", "/me", token).status, 401);
  const Json me = parseJson(ask("GET", "/me", session("amina")).body);
  EXPECT_EQ(me["role"], "reader");
  EXPECT_EQ(me["programmes"]["casework"], "supervisor");
  EXPECT_EQ(ask("PUT", "/accounts/tom", technician, {{"role", "supervisor"}}).status, 403);
  EXPECT_EQ(ask("PUT", "/accounts/amina", session("amina"), {{"role", "supervisor"}}).status, 403);
  EXPECT_EQ(deedsOf("tom"), std::vector<std::string>{"account-changed"});
}

TEST_F(AccountRoutes, RolesInASealedProgrammeAreGivenByItsOwnSupervisorsAlone) {
  access::addAccount(office_.node(),
                     {"sara", "supervisor", {{"counter-trafficking", "supervisor"}}}, kPassword);
  access::addAccount(office_.node(), {"sam", "supervisor"}, kPassword);
  const Json wanted = {{"role", "caseworker"}, {"programmes", {{"counter-trafficking", "reader"}}}};
  EXPECT_EQ(ask("PUT", "/accounts/amina", session("tom"), wanted).status, 403);
  EXPECT_EQ(ask("PUT", "/accounts/amina", session("sam"), wanted).status, 403);
  Json added = wanted;
  added["name"] = "eve";
  added["password"] = kPassword;
  EXPECT_EQ(ask("POST", "/accounts", session("tom"), added).status, 403);
  EXPECT_EQ(ask("PUT", "/accounts/amina", session("sara"), wanted).status, 200);
  const Json other = {{"role", "supervisor"}, {"programmes", wanted["programmes"]}};
  EXPECT_EQ(ask("PUT", "/accounts/amina", session("sara"), other).status, 403);
  EXPECT_FALSE(access::findAccount(office_.node(), "eve"));
}

TEST_F(AccountRoutes, ATechnicianAddsAccountsAndEndsSessions) {
  const std::string technician = session("tom");
  const Json added = {{"name", "nora"}, {"role", "reader"}, {"password", kPassword}};
  EXPECT_EQ(ask("POST", "/accounts", technician, added).status, 200);
  EXPECT_EQ(ask("POST", "/accounts", technician, added).status, 409);
  const std::string token = session("nora");
  EXPECT_EQ(parseJson(ask("DELETE", "/accounts/nora/sessions", technician).body)["ended"], 1);
  EXPECT_EQ(ask("GET", "/me", token).status, 401);
  EXPECT_EQ(ask("GET", "/accounts", technician).body.find("$argon2id"), std::string::npos);
}

}  // namespace
}  // namespace waystation::http

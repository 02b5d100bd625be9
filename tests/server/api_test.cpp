#include "tests/server/application_support.h"

namespace waystation::http {
namespace {

using server::Role;
using server::testing::kPassword;
using server::testing::RunningNode;

using Headers = std::map<std::string, std::string>;

class ApiTest : public ::testing::Test {
 protected:
  ApiTest() {
    for (const char* role : {"caseworker", "reader", "technician", "supervisor"}) {
      access::addAccount(office_.node(), {role, role}, kPassword);
    }
    access::addAccount(office_.node(),
                       {"member", "caseworker", {{"counter-trafficking", "caseworker"}}},
                       kPassword);
    office_.start();
  }

  ClientResponse ask(const std::string& method, const std::string& path, const Headers& headers,
                     const Json& body = nullptr) {
    Headers all = headers;
    if (!body.is_null()) all.emplace("Content-Type", "application/json");
    return client().send(method, path, all, body.is_null() ? "" : canonicalJson(body));
  }

  Client& client() {
    if (!client_) client_ = std::make_unique<Client>(office_.peopleSettings());
    return *client_;
  }

  Headers as(const std::string& user) {
    std::string& token = tokens_[user];
    if (token.empty()) {
      const ClientResponse answer = ask("POST", "/api/v1/session", {},
                                        {{"user", user}, {"password", kPassword}, {"token", true}});
      token = parseJson(answer.body).at("token").get<std::string>();
    }
    return {{"Authorization", "Bearer " + token}};
  }

  static Json newRecord(const std::string& kind, const Json& fields) {
    return {{"edits", {{{"record", "new:1"}, {"kind", kind}, {"fields", fields}}}}};
  }

  static Json person() {
    return newRecord("person", {{"family_name", "Otieno"}, {"given_name", "Amina"}});
  }

  std::string save(const std::string& user, const Json& change) {
    const ClientResponse answer = ask("POST", "/api/v1/changes", as(user), change);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return parseJson(answer.body)["records"]["new:1"]["id"].get<std::string>();
  }

  int statusAs(const std::string& user, const std::string& path) {
    return ask("GET", path, as(user)).status;
  }

  std::size_t listed(const std::string& user, const std::string& path) {
    return parseJson(ask("GET", path, as(user)).body).at("records").size();
  }

  RunningNode office_{Role::kOffice, "NBO"};
  std::unique_ptr<Client> client_;
  std::map<std::string, std::string> tokens_;
};

TEST_F(ApiTest, ABrowserLogsInByCookieAndOut) {
  const ClientResponse in = ask("POST", "/api/v1/session", {{"Sec-Fetch-Site", "same-origin"}},
                                {{"user", "reader"}, {"password", kPassword}});
  ASSERT_EQ(in.status, 200);
  EXPECT_FALSE(parseJson(in.body).contains("token"));
  const std::string cookie = in.headers.at("set-cookie");
  const Headers browser = {{"Cookie", cookie.substr(0, cookie.find(';'))}};
  const ClientResponse me = ask("GET", "/api/v1/me", browser);
  EXPECT_EQ(me.status, 200);
  EXPECT_EQ(parseJson(me.body), Json({{"user", "reader"},
                                      {"role", "reader"},
                                      {"programmes", Json::object()},
                                      {"office", "NBO"},
                                      {"language", "en"},
                                      {"totp", false}}));
  EXPECT_EQ(ask("DELETE", "/api/v1/session", browser).status, 200);
  EXPECT_EQ(ask("GET", "/api/v1/me", browser).status, 401);
}

TEST_F(ApiTest, SaysTheSameOfAWrongNameAndAWrongPassword) {
  const ClientResponse name =
      ask("POST", "/api/v1/session", {}, {{"user", "nobody"}, {"password", kPassword}});
  const ClientResponse password =
      ask("POST", "/api/v1/session", {}, {{"user", "reader"}, {"password", "wrong password"}});
  EXPECT_EQ(name.status, 401);
  EXPECT_EQ(name.body, password.body);
}

TEST_F(ApiTest, NothingButHealthAnswersAStranger) {
  for (const char* path : {"/api/v1/me", "/api/v1/programmes", "/api/v1/records",
                           "/api/v1/conflicts", "/api/v1/sync"}) {
    EXPECT_EQ(ask("GET", path, {}).status, 401) << path;
  }
  EXPECT_EQ(ask("POST", "/api/v1/changes", {}, person()).status, 401);
  EXPECT_EQ(ask("POST", "/api/v1/handovers", {}, person()).status, 401);
  const ClientResponse health = ask("GET", "/health", {});
  EXPECT_EQ(health.status, 200);
  EXPECT_EQ(parseJson(health.body)["role"], "office");
}

TEST_F(ApiTest, ACaseworkerSavesAndAReaderReads) {
  const std::string id = save("caseworker", person());
  const ClientResponse shown = ask("GET", "/api/v1/records/" + id, as("reader"));
  ASSERT_EQ(shown.status, 200);
  EXPECT_EQ(parseJson(shown.body)["fields"]["family_name"], "Otieno");
  EXPECT_EQ(listed("reader", "/api/v1/records?kind=person"), 1U);
  EXPECT_EQ(listed("reader", "/api/v1/records?q=otien"), 1U);
  const Json history =
      parseJson(ask("GET", "/api/v1/records/" + id + "/history", as("reader")).body);
  EXPECT_EQ(history["entries"].size(), 1U);
  EXPECT_EQ(ask("POST", "/api/v1/changes", as("reader"), person()).status, 403);
  EXPECT_EQ(statusAs("technician", "/api/v1/records/" + id), 403);
  EXPECT_EQ(listed("technician", "/api/v1/records"), 0U);
  EXPECT_EQ(statusAs("technician", "/api/v1/sync"), 200);
}

TEST_F(ApiTest, RefusesWhatAPageOfAnotherSiteSends) {
  const Headers session = as("caseworker");
  const auto send = [&](const std::string& name, const std::string& value) {
    Headers headers = session;
    headers[name] = value;
    return ask("POST", "/api/v1/changes", headers, person()).status;
  };
  EXPECT_EQ(send("Origin", "https://evil.example"), 403);
  EXPECT_EQ(send("Origin", "null"), 403);
  EXPECT_EQ(send("Sec-Fetch-Site", "cross-site"), 403);
  EXPECT_EQ(send("Sec-Fetch-Site", "same-site"), 403);
  EXPECT_EQ(send("Content-Type", "text/plain"), 415);
  EXPECT_EQ(listed("reader", "/api/v1/records"), 0U);
  EXPECT_EQ(send("Origin", "https://127.0.0.1"), 200);
}

TEST_F(ApiTest, SealedRecordsAreSeenByTheirProgrammeAlone) {
  const Json kind = [&] {
    const cases::Kind& found = office_.node().programmes().kind("ct_case");
    Json fields = Json::object();
    for (const cases::Field& field : found.fields) {
      if (!field.isRequired) continue;
      switch (field.type) {
        case cases::FieldType::kDate:
          fields[field.name] = "2026-01-02";
          break;
        case cases::FieldType::kCode:
          fields[field.name] = field.codes->codes.front().code;
          break;
        default:
          fields[field.name] = "Otieno";
      }
    }
    return fields;
  }();
  EXPECT_EQ(ask("POST", "/api/v1/changes", as("caseworker"), newRecord("ct_case", kind)).status,
            404);
  const std::string id = save("member", newRecord("ct_case", kind));
  const Json note = {{"edits",
                      {{{"record", "new:1"},
                        {"kind", "note"},
                        {"root", id},
                        {"fields", {{"text", "a note under a sealed case"}}}}}}};
  EXPECT_EQ(ask("POST", "/api/v1/changes", as("caseworker"), note).status, 404);
  const Json edit = {{"edits", {{{"record", id}, {"fields", Json::object()}}}}};
  for (const char* user : {"caseworker", "reader", "supervisor", "technician"}) {
    EXPECT_EQ(statusAs(user, "/api/v1/records/" + id), 404) << user;
    EXPECT_EQ(statusAs(user, "/api/v1/records/" + id + "/history"), 404) << user;
    EXPECT_EQ(listed(user, "/api/v1/records"), 0U) << user;
    EXPECT_EQ(listed(user, "/api/v1/records?kind=ct_case"), 0U) << user;
    EXPECT_EQ(listed(user, "/api/v1/records?root=" + id), 0U) << user;
    EXPECT_EQ(ask("POST", "/api/v1/changes", as(user), edit).status, 404) << user;
  }
  EXPECT_EQ(ask("POST", "/api/v1/handovers", as("supervisor"),
                {{"root", id}, {"to", "DKR"}, {"why", "moved"}})
                .status,
            404);
  EXPECT_EQ(statusAs("member", "/api/v1/records/" + id), 200);
  EXPECT_EQ(listed("member", "/api/v1/records?kind=ct_case"), 1U);
}

TEST_F(ApiTest, ProgrammesThatAreSealedAreNotDescribedToOthers) {
  const auto count = [&](const std::string& user) {
    return parseJson(ask("GET", "/api/v1/programmes", as(user)).body).size();
  };
  EXPECT_EQ(count("member"), office_.node().programmes().packs().size());
  EXPECT_EQ(count("reader") + 1, count("member"));
}

TEST_F(ApiTest, OnlyASupervisorHandsOver) {
  const std::string id = save("caseworker", person());
  const Json request = {{"root", id}, {"to", "DKR"}, {"why", "moved"}};
  EXPECT_EQ(ask("POST", "/api/v1/handovers", as("caseworker"), request).status, 403);
  EXPECT_EQ(ask("POST", "/api/v1/handovers", as("supervisor"), request).status, 200);
}

TEST_F(ApiTest, WhatIsMalformedIsRefusedInWords) {
  const Headers user = as("caseworker");
  EXPECT_EQ(ask("POST", "/api/v1/changes", user, Json::array()).status, 422);
  EXPECT_EQ(ask("POST", "/api/v1/changes", user, {{"edits", {1}}}).status, 422);
  EXPECT_EQ(ask("POST", "/api/v1/changes", user, {{"edits", {{{"record", 1}}}}}).status, 422);
  EXPECT_EQ(ask("POST", "/api/v1/changes", user, {{"edits", {{{"record", "nonsense"}}}}}).status,
            404);
  EXPECT_EQ(ask("GET", "/api/v1/records/nonsense", user).status, 404);
  EXPECT_EQ(ask("GET", "/api/v1/records?limit=0", user).status, 400);
  EXPECT_EQ(ask("GET", "/api/v1/records?limit=x", user).status, 400);
  EXPECT_EQ(ask("POST", "/api/v1/session", {}, {{"user", 1}}).status, 400);
}

TEST_F(ApiTest, AnOfficeTakesNobodyInWithoutAToken) {
  const ClientResponse answer = ask("POST", "/api/v1/enrolment", {}, Json::object());
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(parseJson(answer.body)["code"], "enrolment.request-malformed");
}

}  // namespace
}  // namespace waystation::http

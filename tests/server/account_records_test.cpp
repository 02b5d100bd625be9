// Accounts as records: headquarters knows and disables them, their office cannot undo it.

#include "server/access/account_records.h"

#include "server/audit.h"
#include "tests/server/application_support.h"

namespace waystation::access {
namespace {

using http::canonicalJson;
using http::ClientResponse;
using http::Json;
using http::parseJson;
using server::Role;
using server::testing::kPassword;
using server::testing::RunningNode;
using testing::TempDirectory;
using waystation::http::testing::failureCode;

class AccountRecords : public ::testing::Test {
 protected:
  AccountRecords() {
    addRow(hq_, "olga", "hq-operator");
    hq_.start();
    office_.join(hq_);
    addRow(office_, "amina", "caseworker");
    office_.start();
    sync();
  }

  // As a version of the program made it that knew no records of accounts; nobody can log in.
  static void addRow(RunningNode& at, const std::string& name, const std::string& role) {
    const Json row = {
        {"role", role}, {"programmes", Json::object()}, {"language", "en"}, {"hash", "none"}};
    at.node().write(
        [&](sync::Work& work) { work.store().setMeta(accountRow(name), canonicalJson(row)); });
  }

  void sync() { office_.link().syncNow(); }

  static ClientResponse ask(RunningNode& at, const std::string& token, const std::string& method,
                            const std::string& path, const Json& body = nullptr) {
    http::Client client(at.peopleSettings());
    std::map<std::string, std::string> headers;
    if (!token.empty()) headers["Authorization"] = "Bearer " + token;
    if (!body.is_null()) headers["Content-Type"] = "application/json";
    return client.send(method, "/api/v1" + path, headers,
                       body.is_null() ? "" : canonicalJson(body));
  }

  static std::string session(RunningNode& at, const std::string& user) {
    return at.application().entrance().open(user);
  }

  static std::string codeOf(const ClientResponse& answer) {
    return parseJson(answer.body).value("code", "");
  }

  // The account as headquarters lists it.
  Json known(const std::string& name) {
    const Json all = parseJson(ask(hq_, session(hq_, "olga"), "GET", "/account-records").body);
    for (const Json& account : all.at("accounts")) {
      if (account.at("name") == name) return account;
    }
    return nullptr;
  }

  ClientResponse disable(const std::string& name, bool isDisabled = true) {
    const std::string path = "/account-records/" + known(name).at("id").get<std::string>();
    return ask(hq_, session(hq_, "olga"), "PUT", path, {{"disabled", isDisabled}});
  }

  static std::vector<std::string> noted(RunningNode& at, const std::string& deed) {
    const Json found = at.node().read([&](storage::Store& store) {
      storage::AuditQuery query;
      query.deed = deed;
      return server::searchAudit(store, query);
    });
    std::vector<std::string> all;
    for (const Json& entry : found.at("entries")) {
      all.push_back(entry.at("by").get<std::string>() + " " + entry.at("detail").dump());
    }
    return all;
  }

  // What the office's own program would not save.
  void forge(const std::string& field, const std::string& value) {
    const auto id = *sync::RecordId::fromUuid(known("amina").at("id").get<std::string>());
    office_.node().write([&](sync::Work& work) {
      sync::DraftEdit edit;
      edit.record = id;
      edit.sawCurrent = true;
      edit.writes = {{field, value}};
      work.save("mallory", {edit});
    });
    sync();
  }

  // Why headquarters keeps changes aside.
  std::vector<std::string> reasonsAtHq() {
    return hq_.node().read([](storage::Store& store) {
      std::vector<std::string> reasons;
      for (const storage::QuarantineRow& row : store.quarantine(100)) reasons.push_back(row.reason);
      return reasons;
    });
  }

  RunningNode hq_{Role::kHeadquarters, "HQ"};
  RunningNode office_{Role::kOffice, "NBO"};
};

TEST_F(AccountRecords, HeadquartersKnowsTheOfficesAccountsAndNothingThatOpensThem) {
  const Json amina = known("amina");
  EXPECT_EQ(amina.at("office"), "NBO");
  EXPECT_EQ(amina.at("role"), "caseworker");
  EXPECT_EQ(amina.at("disabled"), false);
  EXPECT_EQ(known("olga").at("office"), "HQ");
  changeRoles(office_.node(), {"amina", "supervisor", {{"casework", "reader"}}}, "tom");
  sync();
  EXPECT_EQ(known("amina").at("role"), "supervisor");
  EXPECT_EQ(known("amina").at("programmes").at("casework"), "reader");
  hq_.node().read([](storage::Store& store) {
    store.eachRecord([](const storage::RecordRow& row) {
      EXPECT_EQ(row.state.find("hash"), std::string::npos);
      EXPECT_EQ(row.state.find("argon2"), std::string::npos);
    });
  });
}

TEST_F(AccountRecords, OneThatHeadquartersDisablesIsLoggedOutAndRefusedAtItsOffice) {
  addAccount(office_.node(), {"nora", "reader"}, kPassword, "tom");
  sync();
  const std::string token = session(office_, "nora");
  const Json login = {{"user", "nora"}, {"password", kPassword}, {"token", true}};
  EXPECT_EQ(ask(office_, token, "GET", "/me").status, 200);
  EXPECT_EQ(disable("nora").status, 200);
  EXPECT_EQ(ask(office_, token, "GET", "/me").status, 200);  // it has not heard of it
  sync();
  EXPECT_EQ(codeOf(ask(office_, token, "GET", "/me")), "access.account-disabled");
  EXPECT_EQ(codeOf(ask(office_, token, "GET", "/me")), "access.unauthenticated");
  const ClientResponse refused = ask(office_, "", "POST", "/session", login);
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(codeOf(refused), "access.account-disabled");
  Json guessed = login;
  guessed["password"] = "not the password";
  EXPECT_EQ(codeOf(ask(office_, "", "POST", "/session", guessed)), "access.unauthenticated");
  EXPECT_EQ(noted(hq_, "account-disabled"),
            std::vector<std::string>{R"(olga {"account":"nora","office":"NBO"})"});
  EXPECT_EQ(noted(office_, "account-disabled"),
            std::vector<std::string>{R"(olga@HQ {"account":"nora"})"});
  EXPECT_EQ(disable("nora", false).status, 200);
  sync();
  EXPECT_EQ(ask(office_, "", "POST", "/session", login).status, 200);
  EXPECT_EQ(noted(office_, "account-enabled").size(), 1U);
  EXPECT_EQ(noted(hq_, "account-enabled").size(), 1U);
}

TEST_F(AccountRecords, WhatHeadquartersDisabledTheOfficeCannotEnableRenameDeleteOrGiveAway) {
  disable("amina");
  sync();
  const std::string id = known("amina").at("id").get<std::string>();
  forge("disabled", "false");
  forge("name", "\"anna\"");
  forge("_deleted", "true");
  EXPECT_EQ(reasonsAtHq(), std::vector<std::string>(3, "field-is-headquarters"));
  const sync::RecordId root = *sync::RecordId::fromUuid(id);
  office_.node().write([&](sync::Work& work) {
    sync::DraftEdit asked;
    asked.record = work.newRecord();
    asked.isNew = true;
    asked.kind = "handover";
    asked.root = root;
    asked.writes = {{"status", "\"asked\""}, {"from", "\"NBO\""}, {"to", "\"HQ\""}};
    work.save("mallory", {asked});
  });
  sync();
  EXPECT_EQ(known("amina").at("office"), "NBO");
  EXPECT_EQ(known("amina").at("disabled"), true);
  // What the office may do, it still does.
  changeRoles(office_.node(), {"amina", "reader"}, "tom");
  sync();
  EXPECT_EQ(known("amina").at("role"), "reader");
  EXPECT_EQ(known("amina").at("disabled"), true);
}

TEST_F(AccountRecords, ANewBoxOfTheOfficeDoesNotMakeTheDisabledAccountAnew) {
  disable("amina");
  sync();
  RunningNode box(Role::kOffice, "NBO");
  box.join(hq_);
  http::SyncClient(box.node()).syncNow();
  EXPECT_EQ(failureCode([&] {
              addAccount(box.node(), {"amina", "supervisor"}, kPassword);
            }),
            "account.disabled");
  EXPECT_FALSE(findAccount(box.node(), "amina"));
  EXPECT_EQ(known("amina").at("role"), "caseworker");
}

TEST_F(AccountRecords, OneWhoseRecordIsErasedStaysDisabled) {
  disable("amina");
  sync();
  hq_.node().erase("olga", {*sync::RecordId::fromUuid(known("amina").at("id").get<std::string>())});
  sync();
  changeRoles(office_.node(), {"amina", "reader"}, "tom");
  sync();
  EXPECT_TRUE(findAccount(office_.node(), "amina")->isDisabled);
  EXPECT_TRUE(known("amina").is_null());
}

TEST_F(AccountRecords, AtHeadquartersItsOwnAreDisabledTooButNotOnesOwn) {
  addRow(hq_, "hans", "reader");
  announceAccounts(hq_.node());
  const std::string token = session(hq_, "hans");
  EXPECT_EQ(disable("olga").status, 403);
  EXPECT_EQ(disable("hans").status, 200);
  EXPECT_EQ(codeOf(ask(hq_, token, "GET", "/me")), "access.account-disabled");
  EXPECT_EQ(noted(hq_, "account-disabled").size(), 1U);
  const Json wrong = {{"disabled", "yes"}};
  const std::string path = "/account-records/" + known("hans").at("id").get<std::string>();
  EXPECT_EQ(ask(hq_, session(hq_, "olga"), "PUT", path, wrong).status, 422);
  EXPECT_EQ(
      ask(hq_, session(hq_, "olga"), "PUT", "/account-records/x", {{"disabled", true}}).status,
      404);
}

TEST_F(AccountRecords, AreListedPageByPageAndThoseOfHostileOfficesDoNoHarm) {
  office_.node().write([&](sync::Work& work) {
    for (const char* name : {"7", "\"amina\""}) {
      sync::DraftEdit odd;
      odd.record = work.newRecord();
      odd.isNew = true;
      odd.kind = kAccountKind;
      odd.writes = {{"name", name}, {"role", "[]"}, {"programmes", "\"x\""}};
      work.save("mallory", {odd});
    }
  });
  sync();
  hq_.node().read([](storage::Store& store) {
    std::vector<std::string> names;
    std::string cursor;
    do {
      const AccountPage page = accountRecords(store, cursor, 1);
      for (const AccountRecord& account : page.accounts) names.push_back(account.name);
      cursor = page.cursor;
    } while (!cursor.empty());
    std::sort(names.begin(), names.end());
    EXPECT_EQ(names, (std::vector<std::string>{"", "amina", "amina", "olga"}));
    EXPECT_EQ(failureCode([&] { accountRecords(store, "x", 1); }), "case.cursor-malformed");
  });
}

}  // namespace
}  // namespace waystation::access

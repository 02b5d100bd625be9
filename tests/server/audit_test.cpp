#include "server/audit.h"

#include "tests/server/application_support.h"

namespace waystation::server {
namespace {

using http::Json;
using http::testing::failureCode;
using testing::kPassword;
using testing::RunningNode;

class AuditTest : public ::testing::Test {
 protected:
  void note(const std::string& by, const std::string& deed,
            const std::vector<std::string>& records = {}) {
    node_->write([&](sync::Work& work) {
      noteDeed(work.store(), node_->clock(), {by, deed, records});
    });
  }

  std::optional<std::string> verify() {
    std::uint64_t entries = 0;
    return node_->read([&](storage::Store& store) { return verifyAudit(store, entries); });
  }

  // What verifyAudit says while this has been done to the tables; it is undone afterwards.
  std::optional<std::string> verifyAfter(const std::string& sql) {
    const storage::Connections::Lease writer = node_->connections().writer();
    const storage::Transaction undone(*writer);
    writer->execute("DROP TRIGGER audit_unchanged; DROP TRIGGER audit_kept; " + sql);
    storage::Store store(*writer);
    std::uint64_t entries = 0;
    return verifyAudit(store, entries);
  }

  Json search(const storage::AuditQuery& query) {
    return node_->read([&](storage::Store& store) { return searchAudit(store, query); });
  }

  waystation::testing::TempDirectory directory_;
  std::unique_ptr<Node> node_ =
      waystation::testing::makeNode(directory_.path() / "node", Role::kOffice, "NBO");
  const std::string record_ = "01234567-89ab-cdef-0123-456789abcdef";
};

TEST_F(AuditTest, FindsEntriesByPersonDeedAndRecordNewestFirst) {
  note("amina", "login");
  note("amina", "read", {record_});
  note("omar", "read", {record_});
  storage::AuditQuery query;
  EXPECT_EQ(search(query)["entries"].size(), 3U);
  EXPECT_EQ(search(query)["entries"][0]["by"], "omar");
  query.person = "amina";
  EXPECT_EQ(search(query)["entries"].size(), 2U);
  query.deed = "read";
  EXPECT_EQ(search(query)["entries"].size(), 1U);
  query = {};
  query.record = sync::RecordId::fromUuid(record_)->bytes();
  query.limit = 1;
  const Json page = search(query);
  EXPECT_EQ(page["entries"][0]["by"], "omar");
  query.beforeSeq = std::stoll(page["cursor"].get<std::string>());
  EXPECT_EQ(search(query)["entries"][0]["by"], "amina");
  query.from = "2999-01-01T00:00:00.000Z";
  EXPECT_TRUE(search(query)["entries"].empty());
}

TEST_F(AuditTest, AnEntryIsThereAfterARestartAndTheChainGoesOn) {
  note("amina", "login");
  node_.reset();
  node_ = waystation::testing::openNode(directory_.path() / "node");
  note("amina", "logout");
  EXPECT_EQ(verify(), std::nullopt);
  EXPECT_EQ(search({})["head"]["seq"], 2);
}

TEST_F(AuditTest, ADeedThatIsNotDoneLeavesNoEntry) {
  EXPECT_EQ(failureCode([&] {
              node_->write([&](sync::Work& work) {
                noteDeed(work.store(), node_->clock(), {"amina", "read"});
                throw Failure("test.stopped", "Stopped.");
              });
            }),
            "test.stopped");
  EXPECT_TRUE(search({})["entries"].empty());
}

TEST_F(AuditTest, NothingInItCanBeChangedOrRemovedBySql) {
  note("amina", "login");
  const storage::Connections::Lease writer = node_->connections().writer();
  EXPECT_THROW(writer->execute("UPDATE audit SET person = 'omar'"), Failure);
  EXPECT_THROW(writer->execute("DELETE FROM audit"), Failure);
}

TEST_F(AuditTest, TamperingWithAnyEntryIsDetected) {
  constexpr int kEntries = 12;
  for (int i = 0; i < kEntries; ++i) note(i % 2 == 0 ? "amina" : "omar", "read", {record_});
  EXPECT_EQ(verify(), std::nullopt);
  int tried = 0;
  const auto expectNoticed = [&](const std::string& sql) {
    ++tried;
    EXPECT_TRUE(verifyAfter(sql)) << sql;
  };
  for (int seq = 1; seq <= kEntries; ++seq) {
    const std::string at = " WHERE seq = " + std::to_string(seq);
    for (const char* column : {"at", "person", "deed"}) {
      expectNoticed("UPDATE audit SET " + std::string(column) + " = 'x'" + at);
    }
    expectNoticed("UPDATE audit SET body = replace(body, '\"by\":\"', '\"by\":\"x')" + at);
    expectNoticed("UPDATE audit SET hash = zeroblob(32)" + at);
    expectNoticed("DELETE FROM audit" + at);
    expectNoticed("DELETE FROM audit WHERE seq >= " + std::to_string(seq));
    expectNoticed("DELETE FROM audit_records" + at);
    expectNoticed("UPDATE audit_records SET record = zeroblob(16)" + at);
  }
  for (int seq = 1; seq < kEntries; ++seq) {
    const std::string one = std::to_string(seq);
    const std::string two = std::to_string(seq + 1);
    expectNoticed("UPDATE audit SET seq = -1 WHERE seq = " + one +
                  "; UPDATE audit SET seq = " + one + " WHERE seq = " + two +
                  "; UPDATE audit SET seq = " + two + " WHERE seq = -1");
  }
  expectNoticed("INSERT INTO audit SELECT 13, at, person, deed, body, hash FROM audit LIMIT 1");
  std::cout << "audit log: " << tried << " ways of tampering, each noticed\n";
  EXPECT_EQ(verify(), std::nullopt);
}

class AuditOverTheWire : public ::testing::Test {
 protected:
  AuditOverTheWire() {
    hq_.start();
    office_.join(hq_);
  }

  Json leafAtHq() { return hq_.application().status().at("leaves").at(0); }

  RunningNode hq_{Role::kHeadquarters, "HQ"};
  RunningNode office_{Role::kOffice, "NBO"};
  http::SyncClient client_{office_.node()};
};

TEST_F(AuditOverTheWire, HeadquartersNoticesALogThatWasCutOrRewrittenWithItsOwnHead) {
  const auto note = [&](const std::string& by) {
    office_.node().write([&](sync::Work& work) {
      noteDeed(work.store(), office_.node().clock(), {by, "read"});
    });
  };
  note("amina");
  note("omar");
  client_.syncNow();
  client_.syncNow();
  note("amina");
  client_.syncNow();
  EXPECT_FALSE(leafAtHq().contains("auditBrokenSince"));
  office_.node().write([&](sync::Work& work) {
    storage::Store& store = work.store();
    store.database().execute(
        "DROP TRIGGER audit_unchanged; DROP TRIGGER audit_kept; DELETE FROM audit WHERE seq >= 2");
    // Made good as far as this machine alone can tell.
    const AuditHead head = auditHead(store);
    store.setMeta("audit.head", std::string(7, '\0') + std::string(1, '\1') + head.hash);
    std::uint64_t entries = 0;
    EXPECT_EQ(verifyAudit(store, entries), std::nullopt);
  });
  for (const char* by : {"x", "y", "z"}) note(by);
  client_.syncNow();
  EXPECT_TRUE(leafAtHq().contains("auditBrokenSince"));
  const Json noted = hq_.node().read([](storage::Store& store) {
    storage::AuditQuery query;
    query.deed = "audit-broken";
    return searchAudit(store, query);
  });
  EXPECT_EQ(noted["entries"].size(), 1U);
  EXPECT_EQ(noted["entries"][0]["detail"]["office"], "NBO");
}

TEST_F(AuditOverTheWire, TheHeadGoesUpOnlyWhenItMoved) {
  client_.syncNow();
  const auto idle = client_.syncNow().up;
  office_.node().write([&](sync::Work& work) {
    noteDeed(work.store(), office_.node().clock(), {"amina", "login"});
  });
  const auto told = client_.syncNow().up;
  const auto after = client_.syncNow().up;
  EXPECT_GT(told, idle);
  EXPECT_LE(told, idle + 110);
  EXPECT_EQ(after, idle);
}

TEST_F(AuditOverTheWire, ReadingASealedCaseLeavesATrailThatTheDataProtectionOfficerFinds) {
  office_.start();
  access::addAccount(office_.node(), {"eve", "caseworker"}, kPassword);
  access::addAccount(office_.node(), {"mia", "reader", {{"counter-trafficking", "reader"}}},
                     kPassword);
  access::addAccount(office_.node(), {"dora", "data-protection"}, kPassword);
  const Json edits = {{{"record", "new:1"},
                       {"kind", "ct_case"},
                       {"fields", {{"case_number", "CT-1"}, {"prs_First_Name", "zebrafinch"}}}}};
  const std::string id =
      cases::saveChanges(office_.node(), "mia", {{"edits", edits}})["records"]["new:1"]["id"]
          .get<std::string>();
  http::Client client(office_.peopleSettings());
  const auto get = [&](const std::string& user, const std::string& path) {
    const std::string token = office_.application().entrance().open(user);
    return client.send("GET", path, {{"Authorization", "Bearer " + token}});
  };
  EXPECT_EQ(get("mia", "/api/v1/records/" + id).status, 200);
  EXPECT_EQ(get("mia", "/api/v1/records/" + id + "/history").status, 200);
  EXPECT_EQ(get("mia", "/api/v1/records?q=CT-1").status, 200);
  EXPECT_EQ(get("eve", "/api/v1/records/" + id).status, 404);
  EXPECT_EQ(get("eve", "/api/v1/records?kind=ct_case").status, 200);
  EXPECT_EQ(get("mia", "/api/v1/audit").status, 403);
  const http::ClientResponse answer = get("dora", "/api/v1/audit?record=" + id);
  ASSERT_EQ(answer.status, 200);
  std::vector<std::string> trail;
  const Json found = http::parseJson(answer.body);
  for (const Json& entry : found.at("entries")) {
    trail.push_back(entry["by"].get<std::string>() + " " + entry["deed"].get<std::string>());
  }
  const std::vector<std::string> expected = {"eve refused", "mia listed", "mia read-history",
                                             "mia read"};
  EXPECT_EQ(trail, expected);
  EXPECT_EQ(answer.body.find("zebrafinch"), std::string::npos);
  EXPECT_EQ(get("dora", "/api/v1/audit?record=nonsense").status, 400);
}

}  // namespace
}  // namespace waystation::server

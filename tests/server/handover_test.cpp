#include "server/cases/handover.h"

#include <gtest/gtest.h>

#include "server/access/record_access.h"
#include "server/cases/record_service.h"
#include "server/http/json.h"
#include "sync/durable.h"
#include "sync/hub.h"
#include "sync/leaf.h"
#include "sync/reports.h"
#include "tests/support/test_node.h"

namespace waystation::cases {
namespace {

using server::Role;
using testing::makeNode;
using testing::TempDirectory;

template <typename Action>
std::string codeOf(Action action) {
  try {
    action();
  } catch (const Failure& failure) {
    return failure.code();
  }
  return "none";
}

// Headquarters and two offices, of which one has a person.
class Handover : public ::testing::Test {
 protected:
  Handover() {
    for (server::Node* office : {from.get(), to.get()}) {
      hq->write([&](sync::Work& work) {
        sync::enrolLeaf(work, office->config().name, office->signingKey().publicKey(), "");
      });
    }
    const Json made =
        saveChanges(*from, "amina",
                    {{"edits",
                      {{{"record", "new:1"},
                        {"kind", "person"},
                        {"fields", {{"family_name", "Otieno"}, {"given_name", "A"}}}}}}});
    id = made["records"]["new:1"]["id"];
    exchange(*from);
  }

  void exchange(server::Node& office) {
    for (int i = 0; i < 10; ++i) {
      sync::LeafExchange leaf(office.replica(), office.connections(), office.signingKey());
      sync::HubExchange hub(hq->replica(), hq->connections(), office.config().name, hq->admitted());
      hub.receive(leaf.request());
      leaf.receive(hub.answer());
      if (!leaf.finish().more) return;
    }
  }

  // As `waystation restore` leaves headquarters.
  void waitForReports() {
    hq->write([](sync::Work& work) { sync::noteSetBack(work.store()); });
  }

  Json ask(server::Node& node) {
    return askHandover(node, "supervisor", {{"root", id}, {"to", "MBA"}, {"why", "they moved"}});
  }

  TempDirectory directory;
  std::unique_ptr<server::Node> hq = makeNode(directory.path() / "hq", Role::kHeadquarters, "HQ");
  std::unique_ptr<server::Node> from = makeNode(directory.path() / "nbo", Role::kOffice, "NBO");
  std::unique_ptr<server::Node> to = makeNode(directory.path() / "mba", Role::kOffice, "MBA");
  std::string id;
};

TEST_F(Handover, IsCarriedOutWhereTheOfficeThatHasTheCaseAsks) {
  EXPECT_EQ(showRecord(*from, id)["durability"], "hq");
  EXPECT_EQ(codeOf([&] {
              askHandover(*to, "x", {{"root", id}, {"to", "NBO"}, {"why", "y"}});
            }),
            "record.not-found");
  askHandover(*from, "supervisor", {{"root", id}, {"to", "MBA"}, {"why", "the family moved"}});
  exchange(*from);
  exchange(*to);
  EXPECT_EQ(showRecord(*to, id)["custody"], "MBA");
  EXPECT_EQ(codeOf([&] { showRecord(*from, id); }), "record.not-found");
}

TEST_F(Handover, IsNotNeededToSeeARecordDurableOnceHeadquartersHasCopiedIt) {
  EXPECT_EQ(showRecord(*from, id)["durability"], "hq");
  EXPECT_EQ(showRecord(*hq, id)["durability"], "hq");
  hq->write(
      [](sync::Work& work) { sync::noteCopied(work.store(), sync::markCopy(work.store()), 1); });
  EXPECT_EQ(showRecord(*hq, id)["durability"], "hq-backup");
  exchange(*from);
  EXPECT_EQ(showRecord(*from, id)["durability"], "hq-backup");
}

// Until headquarters has copied what the office wrote, the office keeps it; its people see it no
// more.
TEST_F(Handover, LeavesTheCaseUnseenWhereItWasUntilHeadquartersHasCopiedIt) {
  const auto copy = [&](sync::Work& work) {
    sync::noteCopied(work.store(), sync::markCopy(work.store()), 1);
  };
  hq->write(copy);
  exchange(*from);
  const std::string tag = showRecord(*from, id)["tag"];
  saveChanges(*from, "amina",
              {{"edits", {{{"record", id}, {"fields", {{"given_name", "B"}}}, {"seen", tag}}}}});
  ask(*from);
  exchange(*from);
  const std::string root = sync::RecordId::fromUuid(id)->bytes();
  const auto isHere = [&] {
    return from->read([&](storage::Store& store) { return store.record(root).has_value(); });
  };
  EXPECT_TRUE(isHere());
  const access::Account account{"amina", "supervisor"};
  access::RecordAccess access(*from, account);
  EXPECT_EQ(codeOf([&] { access.requireRead(id, "record-read"); }), "record.not-found");
  ListQuery all;
  all.kind = "person";
  all.limit = 10;
  EXPECT_TRUE(listRecords(*from, all)["records"].empty());
  hq->write(copy);
  exchange(*from);
  EXPECT_FALSE(isHere());
}

TEST_F(Handover, IsDecidedByARestoredHeadquartersOnceAllHaveReported) {
  exchange(*to);
  waitForReports();
  const std::string handover = ask(*from)["id"];
  exchange(*from);
  decideHeldBack(*hq);
  EXPECT_EQ(showRecord(*hq, id)["custody"], "NBO");
  EXPECT_EQ(showRecord(*hq, handover)["fields"]["status"], "asked");
  exchange(*to);
  decideHeldBack(*hq);
  EXPECT_EQ(showRecord(*hq, id)["custody"], "MBA");
  exchange(*from);
  exchange(*to);
  EXPECT_EQ(showRecord(*to, id)["custody"], "MBA");
}

TEST_F(Handover, AskedForAtARestoredHeadquartersItselfWaitsToo) {
  waitForReports();
  EXPECT_EQ(ask(*hq)["status"], "asked");
  hq->write([](sync::Work& work) { sync::stopWaiting(work.store()); });
  decideHeldBack(*hq);
  EXPECT_EQ(showRecord(*hq, id)["custody"], "MBA");
}

TEST_F(Handover, DeclinedWhileHeadquartersWaitsGoesBackAfterwards) {
  const std::string handover = ask(*from)["id"];
  exchange(*from);
  exchange(*to);
  waitForReports();
  answerHandover(*to, "supervisor", handover, false);
  exchange(*to);
  decideHeldBack(*hq);
  EXPECT_EQ(showRecord(*hq, id)["custody"], "MBA");
  exchange(*from);
  decideHeldBack(*hq);
  EXPECT_EQ(showRecord(*hq, id)["custody"], "NBO");
  EXPECT_EQ(showRecord(*hq, handover)["fields"]["status"], "declined");
}

}  // namespace
}  // namespace waystation::cases

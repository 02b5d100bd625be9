// What is urgent goes ahead as a copy, moves no cursor, and changes nothing of what all ends in.

#include <gtest/gtest.h>

#include "sync/feed_codec.h"
#include "sync/frame.h"
#include "sync/reconcile.h"
#include "tests/support/sync_nodes.h"

namespace waystation::sync {
namespace {

using testing::enrol;
using testing::exchangeAll;
using testing::TestNode;

constexpr std::size_t kBacklog = 40;
constexpr std::size_t kTextBytes = 4000;

class Ahead : public ::testing::Test {
 protected:
  Ahead() {
    office_.setUrgent({{"risk", "\"high\""}});
    enrol(hq_, office_);
    exchangeAll(hq_, office_);
  }

  std::string text() {
    std::string text;
    while (text.size() < kTextBytes) text += " " + std::to_string(office_.random().draw());
    return "\"" + text + "\"";
  }

  // Much that waits, then a new person at risk; answers the person.
  RecordId backlogAndAlert() {
    for (std::size_t i = 0; i < kBacklog; ++i) office_.create("person", {{"note", text()}});
    const RecordId person = office_.create("person", {{"name", "\"Hawa\""}});
    office_.edit(person, "risk", "\"high\"");
    return person;
  }

  // What goes beside an exchange that is under way.
  std::string aheadBody() {
    return LeafExchange(office_.replica(), office_.connections(), office_.key())
        .requestAhead(lookedAt_);
  }

  void receiveAtHub(const std::string& body) {
    HubExchange(hq_.replica(), hq_.connections(), "NBO").receive(body);
  }

  std::size_t personsAtHub() {
    const storage::Connections::Lease reader = hq_.connections().reader();
    return static_cast<std::size_t>(storage::Store(*reader).countRecords("person"));
  }

  TestNode hq_{"HQ", false, 1};
  TestNode office_{"NBO", true, 2};
  TestNode other_{"MBA", true, 3};
  std::int64_t lookedAt_ = 0;
};

TEST_F(Ahead, ACopyOfWhatIsUrgentComesBeforeTheBacklogWithWhatItBuildsOn) {
  const RecordId person = backlogAndAlert();
  receiveAtHub(aheadBody());
  ASSERT_TRUE(hq_.record(person));
  EXPECT_EQ(hq_.record(person)->value("risk"), "\"high\"");
  EXPECT_EQ(hq_.record(person)->value("name"), "\"Hawa\"");
  EXPECT_EQ(personsAtHub(), 1U);
  EXPECT_TRUE(hq_.quarantine().empty());
}

TEST_F(Ahead, TheChainFollowsAndBothAgree) {
  const RecordId person = backlogAndAlert();
  receiveAtHub(aheadBody());
  const ExchangeOutcome outcome = exchangeAll(hq_, office_);
  EXPECT_EQ(outcome.agreement, Agreement::kAgree);
  EXPECT_EQ(personsAtHub(), kBacklog + 1);
  EXPECT_TRUE(hq_.quarantine().empty());
  office_.edit(person, "risk", "\"low\"");
  EXPECT_EQ(exchangeAll(hq_, office_).agreement, Agreement::kAgree);
  EXPECT_EQ(hq_.record(person)->value("risk"), "\"low\"");
}

TEST_F(Ahead, OfARequestWithMuchInItTheFirstFrameBehindTheHelloIsEnough) {
  const RecordId person = backlogAndAlert();
  LeafExchange up(office_.replica(), office_.connections(), office_.key());
  const std::string request = up.request();
  FrameReader frames;
  frames.add(request);
  ASSERT_EQ(frames.next()->type, FrameType::kHello);
  const Frame ahead = *frames.next();
  ASSERT_EQ(ahead.type, FrameType::kAhead);
  HubExchange hub(hq_.replica(), hq_.connections(), "NBO");
  hub.receive(request.substr(0, request.size() / 4));
  EXPECT_TRUE(hq_.record(person));
  EXPECT_LT(personsAtHub(), kBacklog);
  EXPECT_EQ(exchangeAll(hq_, office_).agreement, Agreement::kAgree);
}

TEST_F(Ahead, OtherOfficesAreToldAtOnce) {
  enrol(hq_, other_);
  const RecordId shared = hq_.create("person", {{"_custody", "\"NBO\""}, {"_scope", "[\"MBA\"]"}});
  exchangeAll(hq_, office_);
  exchangeAll(hq_, other_);
  for (std::size_t i = 0; i < kBacklog; ++i) office_.create("person", {{"note", text()}});
  office_.edit(shared, "risk", "\"high\"");
  receiveAtHub(aheadBody());
  exchangeAll(hq_, other_);
  EXPECT_EQ(other_.record(shared)->value("risk"), "\"high\"");
  other_.edit(shared, "risk", "\"low\"");  // having read what the chain has not brought yet
  exchangeAll(hq_, other_);
  exchangeAll(hq_, office_);
  EXPECT_EQ(exchangeAll(hq_, office_).agreement, Agreement::kAgree);
  EXPECT_EQ(exchangeAll(hq_, other_).agreement, Agreement::kAgree);
  EXPECT_EQ(hq_.record(shared)->value("risk"), "\"low\"");
  EXPECT_TRUE(hq_.quarantine().empty());
}

TEST_F(Ahead, WhatIsNotUrgentOrWasSentAlreadyDoesNotGoAhead) {
  office_.create("person", {{"risk", "\"low\""}});
  EXPECT_EQ(aheadBody(), "");
  const RecordId person = backlogAndAlert();
  EXPECT_NE(aheadBody(), "");
  EXPECT_EQ(aheadBody(), "") << "it was looked at already";
  exchangeAll(hq_, office_);
  lookedAt_ = 0;
  EXPECT_EQ(aheadBody(), "") << "the hub has it";
  EXPECT_TRUE(hq_.record(person));
}

TEST_F(Ahead, ItMovesNoCursorAndMayComeTwiceOrLate) {
  backlogAndAlert();
  const std::string body = aheadBody();
  receiveAtHub(body);
  receiveAtHub(body);
  {
    const storage::Connections::Lease reader = hq_.connections().reader();
    storage::Store store(*reader);
    const auto leaf = store.leafByName("NBO");
    EXPECT_FALSE(store.chain(leaf->leaf, office_.replica().incarnation()));
  }
  exchangeAll(hq_, office_);
  const StateSum before = hq_.digest();
  receiveAtHub(body);
  EXPECT_EQ(hq_.digest(), before);
  EXPECT_EQ(exchangeAll(hq_, office_).agreement, Agreement::kAgree);
}

// The door is the same: what an office may not write stays out, and leaves no trace.
TEST_F(Ahead, WhatMayNotComeInIsJudgedWhenItsTurnHasCome) {
  enrol(hq_, other_);
  const RecordId foreign = hq_.create("person", {{"_custody", "\"MBA\""}});
  exchangeAll(hq_, other_);
  const Change forged{{office_.replica().incarnation(), 1},
                      0x018BCFE568000000,
                      "tester@NBO",
                      {{foreign, {{"risk", {}, "\"high\""}}}}};
  const Change stolen{{other_.replica().incarnation(), 1},
                      0x018BCFE568000000,
                      "tester@NBO",
                      {{RecordId{other_.replica().incarnation(), 9},
                        {{"_kind", {}, "\"person\""}, {"risk", {}, "\"high\""}}}}};
  other_.edit(foreign, "name", "\"Ali\"");
  exchangeAll(hq_, other_);
  Hello hello;
  receiveAtHub(encodeFrame(FrameType::kHello, encodeHello(hello)) +
               encodeFrame(FrameType::kAhead, encodeHealing({forged, stolen})));
  EXPECT_FALSE(hq_.record(foreign)->field("risk"));
  EXPECT_FALSE(hq_.record({other_.replica().incarnation(), 9}));
  EXPECT_TRUE(hq_.quarantine().empty());
}

}  // namespace
}  // namespace waystation::sync

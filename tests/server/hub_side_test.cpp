#include "server/http/hub_side.h"

#include <gtest/gtest.h>

#include "crypto/failure.h"
#include "tests/support/sync_nodes.h"

namespace waystation::http {
namespace {

using waystation::testing::TestNode;

class CutCall : public ::testing::Test {
 protected:
  CutCall() {
    enrol(hq_, office_);
    exchangeAll(hq_, office_);
    mine_ = office_.create("person", {{"name", "\"A\""}});
    theirs_ = hq_.create("person", {{"_scope", "[\"NBO\"]"}, {"name", "\"B\""}});
  }

  HubSide call() {
    return {"cafe", std::make_unique<sync::HubExchange>(hq_.replica(), hq_.connections(), "NBO")};
  }

  static std::string codeOf(const std::function<void()>& act) {
    try {
      act();
    } catch (const Failure& failure) {
      return failure.code();
    }
    return "";
  }

  TestNode hq_{"HQ", false, 1};
  TestNode office_{"NBO", true, 2};
  sync::LeafExchange leaf_{office_.replica(), office_.connections(), office_.key()};
  sync::RecordId mine_;
  sync::RecordId theirs_;
};

TEST_F(CutCall, GoesOnWhereTheRequestAndTheAnswerWereCut) {
  HubSide hub = call();
  const std::string request = leaf_.request();
  hub.receive(0, request.substr(0, 20));
  ASSERT_EQ(hub.received(), 20U);
  hub.receive(20, request.substr(20));
  const std::string answer = hub.answer(request.size(), 0);
  leaf_.receive(answer.substr(0, 5));
  hq_.edit(theirs_, "name", "\"C\"");  // the answer is the one that was made
  leaf_.receive(hub.answer(request.size(), 5));
  EXPECT_FALSE(leaf_.finish().more);
  EXPECT_TRUE(hq_.record(mine_));
  EXPECT_EQ(office_.record(theirs_)->value("name"), "\"B\"");
}

TEST_F(CutCall, RefusesAnythingButTheBytesThatFollow) {
  HubSide hub = call();
  const std::string request = leaf_.request();
  hub.receive(0, request.substr(0, 20));
  EXPECT_EQ(codeOf([&] { hub.receive(19, request.substr(19)); }), "sync.not-kept");
  EXPECT_EQ(codeOf([&] { hub.receive(21, request.substr(21)); }), "sync.not-kept");
  EXPECT_EQ(codeOf([&] { hub.answer(request.size(), 0); }), "sync.not-kept");
  hub.receive(20, request.substr(20));
  const std::string answer = hub.answer(request.size(), 0);
  EXPECT_EQ(codeOf([&] { hub.answer(request.size(), answer.size() + 1); }), "sync.not-kept");
  EXPECT_EQ(codeOf([&] { hub.receive(request.size(), "more"); }), "sync.not-kept");
}

}  // namespace
}  // namespace waystation::http

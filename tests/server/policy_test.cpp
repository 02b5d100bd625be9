#include "server/access/policy.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace waystation::access {
namespace {

constexpr Action kAll[] = {Action::kReadRecord,      Action::kWriteRecord, Action::kHandOver,
                           Action::kSeeProgramme,    Action::kSeeSync,     Action::kSeeSelf,
                           Action::kSettleQuarantine};

TEST(Policy, AnswersEveryCellOfRoleAndActionAsWritten) {
  const std::set<Action> reads = {Action::kReadRecord, Action::kSeeProgramme, Action::kSeeSync,
                                  Action::kSeeSelf};
  const std::set<Action> machines = {Action::kSeeProgramme, Action::kSeeSync, Action::kSeeSelf};
  std::set<Action> writes = reads;
  writes.insert(Action::kWriteRecord);
  std::set<Action> hands = writes;
  hands.insert(Action::kHandOver);
  std::set<Action> officers = hands;
  officers.insert(Action::kSettleQuarantine);
  const std::map<std::string, std::set<Action>> table = {
      {"reader", reads},        {"data-protection", reads}, {"caseworker", writes},
      {"supervisor", hands},    {"hq-officer", officers},   {"technician", machines},
      {"hq-operator", machines}};
  cases::Pack open;
  open.id = "casework";
  ASSERT_EQ(table.size(), roles().size());
  for (const std::string& role : roles()) {
    for (const Action action : kAll) {
      const Decision decision = decide({"amina", role, {}, "en"}, action, &open);
      EXPECT_EQ(decision.allowed, table.at(role).contains(action))
          << role << " " << static_cast<int>(action);
      EXPECT_EQ(decision.reason.empty(), decision.allowed);
    }
  }
}

TEST(Policy, ASealedProgrammeIsForItsOwnPeopleWhateverTheirRole) {
  cases::Pack sealed;
  sealed.id = "counter-trafficking";
  sealed.isSealed = true;
  for (const std::string& role : roles()) {
    const Account stranger{"amina", role, {"casework"}, "en"};
    const Account member{"amina", role, {"counter-trafficking"}, "en"};
    for (const Action action :
         {Action::kReadRecord, Action::kWriteRecord, Action::kHandOver, Action::kSeeProgramme}) {
      EXPECT_FALSE(decide(stranger, action, &sealed).allowed) << role;
    }
    EXPECT_TRUE(decide(member, Action::kSeeProgramme, &sealed).allowed);
  }
  const Account reader{"amina", "reader", {"counter-trafficking"}, "en"};
  EXPECT_TRUE(decide(reader, Action::kReadRecord, &sealed).allowed);
  EXPECT_FALSE(decide(reader, Action::kWriteRecord, &sealed).allowed);
}

TEST(Policy, DeniesAnUnknownRoleAndAnUnknownKind) {
  cases::Pack open;
  for (const Action action : kAll) {
    EXPECT_FALSE(decide({"amina", "", {}, "en"}, action, &open).allowed);
    EXPECT_FALSE(decide({"amina", "root", {}, "en"}, action, &open).allowed);
  }
  const Account supervisor{"amina", "supervisor", {}, "en"};
  EXPECT_FALSE(decide(supervisor, Action::kReadRecord, nullptr).allowed);
  EXPECT_FALSE(decide(supervisor, Action::kWriteRecord, nullptr).allowed);
}

}  // namespace
}  // namespace waystation::access

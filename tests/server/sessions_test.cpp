#include "server/access/sessions.h"

#include <gtest/gtest.h>

#include "tests/support/manual_clock.h"
#include "tests/support/seeded_random.h"

namespace waystation::access {
namespace {

class SessionsTest : public ::testing::Test {
 protected:
  testing::ManualClock clock_;
  testing::SeededRandom random_{7};
  Sessions sessions_{clock_, random_};
};

TEST_F(SessionsTest, ATokenNamesItsAccountUntilItIsClosed) {
  const std::string token = sessions_.open("amina");
  const std::string other = sessions_.open("omar");
  EXPECT_EQ(token.size(), 43U);
  EXPECT_EQ(sessions_.find(token), "amina");
  sessions_.close(token);
  EXPECT_FALSE(sessions_.find(token));
  EXPECT_EQ(sessions_.find(other), "omar");
  EXPECT_FALSE(sessions_.find(""));
}

TEST_F(SessionsTest, EndsAfterAQuarterOfAnHourWithoutUse) {
  const std::string token = sessions_.open("amina");
  clock_.advance(kSessionIdleMs - 1);
  EXPECT_TRUE(sessions_.find(token));
  clock_.advance(kSessionIdleMs - 1);
  EXPECT_TRUE(sessions_.find(token));
  clock_.advance(kSessionIdleMs);
  EXPECT_FALSE(sessions_.find(token));
}

TEST_F(SessionsTest, EndsWhenTheClockIsSetBackAYear) {
  const std::string token = sessions_.open("amina");
  clock_.advance(-5 * 1000);  // as time servers do
  EXPECT_EQ(sessions_.find(token), "amina");
  clock_.advance(-365LL * 24 * 3600 * 1000);
  EXPECT_EQ(sessions_.find(token), std::nullopt);
}

TEST_F(SessionsTest, LookingByItselfDoesNotKeepItAlive) {
  const std::string token = sessions_.open("amina");
  clock_.advance(kSessionIdleMs - 1);
  EXPECT_TRUE(sessions_.find(token, false));
  clock_.advance(1);
  EXPECT_FALSE(sessions_.find(token, false));
}

TEST_F(SessionsTest, EndsAfterTenHoursHoweverBusy) {
  const std::string token = sessions_.open("amina");
  for (std::int64_t passed = 0; passed < kSessionMostMs - 600'000; passed += 600'000) {
    clock_.advance(600'000);
    ASSERT_TRUE(sessions_.find(token));
  }
  clock_.advance(600'000);
  EXPECT_FALSE(sessions_.find(token));
}

TEST_F(SessionsTest, AnAccountsOldestSessionGivesWay) {
  const std::string oldest = sessions_.open("amina");
  const std::string stranger = sessions_.open("omar");
  clock_.advance(1);
  for (std::size_t i = 1; i < kSessionsPerAccount; ++i) sessions_.open("amina");
  EXPECT_TRUE(sessions_.find(oldest, false));
  sessions_.open("amina");
  EXPECT_FALSE(sessions_.find(oldest));
  EXPECT_TRUE(sessions_.find(stranger));
}

TEST(SessionCookie, IsBoundToTheHostAndHiddenFromScripts) {
  EXPECT_EQ(sessionCookie("abc"),
            "__Host-waystation=abc; Path=/; Secure; HttpOnly; SameSite=Strict");
}

TEST(SessionCookie, IsFoundAmongOthersAndRefusedWhenTwice) {
  EXPECT_EQ(cookieValue("a=1; __Host-waystation=xyz; b=2", kSessionCookie), "xyz");
  EXPECT_EQ(cookieValue("__Host-waystation=xyz", kSessionCookie), "xyz");
  EXPECT_FALSE(cookieValue("x__Host-waystation=xyz", kSessionCookie));
  EXPECT_FALSE(cookieValue("__Host-waystation=a; __Host-waystation=b", kSessionCookie));
  EXPECT_FALSE(cookieValue("", kSessionCookie));
}

}  // namespace
}  // namespace waystation::access

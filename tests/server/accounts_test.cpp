#include "server/access/accounts.h"

#include <gtest/gtest.h>

#include <iostream>

#include "server/access/account_records.h"
#include "tests/server/http_support.h"
#include "tests/support/manual_clock.h"
#include "tests/support/test_node.h"

namespace waystation::access {
namespace {

using http::testing::failureCode;
using testing::ManualClock;

constexpr const char* kPassword = "seven green bicycles";

class AccountsTest : public ::testing::Test {
 protected:
  void add(const std::string& name, const std::string& role, std::string_view password = kPassword,
           const std::map<std::string, std::string>& programmes = {}) {
    addAccount(*node_, {name, role, programmes}, password);
  }

  testing::TempDirectory directory_;
  std::unique_ptr<server::Node> node_ =
      testing::makeNode(directory_.path() / "node", server::Role::kOffice, "NBO");
};

TEST_F(AccountsTest, AnAccountOpensWithItsPasswordOnly) {
  add("amina", "caseworker", kPassword, {{"counter-trafficking", "reader"}});
  const auto account = checkPassword(*node_, "amina", kPassword);
  ASSERT_TRUE(account);
  EXPECT_EQ(account->role, "caseworker");
  EXPECT_EQ(account->programmes.at("counter-trafficking"), "reader");
  EXPECT_FALSE(checkPassword(*node_, "amina", "seven green bicycle"));
  EXPECT_FALSE(checkPassword(*node_, "nobody", kPassword));
  EXPECT_FALSE(checkPassword(*node_, "", ""));
}

// The same to the eye is not the same password: it is taken byte by byte.
TEST_F(AccountsTest, APasswordWhoseAccentIsWrittenOtherwiseIsAnother) {
  add("amina", "caseworker", "vélos verts sept");
  EXPECT_FALSE(checkPassword(*node_, "amina", "ve\u0301los verts sept"));
}

TEST_F(AccountsTest, IsThereAfterARestart) {
  add("amina", "reader");
  node_.reset();
  node_ = testing::openNode(directory_.path() / "node");
  EXPECT_TRUE(checkPassword(*node_, "amina", kPassword));
}

TEST_F(AccountsTest, RefusesWhatIsNoAccount) {
  add("amina", "reader");
  EXPECT_EQ(failureCode([&] { add("amina", "caseworker"); }), "account.exists");
  EXPECT_EQ(failureCode([&] { add("Amina", "reader"); }), "account.name-malformed");
  EXPECT_EQ(failureCode([&] { add("", "reader"); }), "account.name-malformed");
  EXPECT_EQ(failureCode([&] { add("a/b", "reader"); }), "account.name-malformed");
  EXPECT_EQ(failureCode([&] { add("omar", "king"); }), "account.role-unknown");
  EXPECT_EQ(failureCode([&] { add("omar", "reader", "elevenchars"); }), "account.password-weak");
  EXPECT_EQ(failureCode([&] { add("omar-mohammed", "reader", "omar-mohammed"); }),
            "account.password-weak");
  EXPECT_EQ(failureCode([&] {
              add("omar", "reader", kPassword, {{"no-such", "reader"}});
            }),
            "account.programme-unknown");
  EXPECT_EQ(failureCode([&] {
              add("omar", "reader", kPassword, {{"casework", "king"}});
            }),
            "account.role-unknown");
  EXPECT_FALSE(findAccount(*node_, "omar"));
}

TEST_F(AccountsTest, ThePasswordIsNotInTheRow) {
  add("amina", "reader");
  const auto row = node_->read([](storage::Store& s) { return s.meta("account.amina"); });
  ASSERT_TRUE(row);
  EXPECT_EQ(row->find(kPassword), std::string::npos);
  EXPECT_NE(row->find("$argon2id$"), std::string::npos);
}

TEST(Logins, TheWaitGrowsAndHasAnEnd) {
  EXPECT_EQ(Logins::delayMs(2), 0);
  EXPECT_EQ(Logins::delayMs(3), 1000);
  EXPECT_EQ(Logins::delayMs(5), 4000);
  EXPECT_EQ(Logins::delayMs(1000), 60000);
}

TEST_F(AccountsTest, FailedTriesMakeTheSameAddressWaitButNobodyElse) {
  add("amina", "reader");
  ManualClock clock;
  Logins logins(*node_, clock);
  for (int i = 0; i < 3; ++i)
    EXPECT_FALSE(logins.logIn("amina", "wrong", std::nullopt, "10.0.0.1"));
  EXPECT_EQ(failureCode([&] { logins.logIn("amina", kPassword, std::nullopt, "10.0.0.1"); }),
            "access.too-soon");
  EXPECT_TRUE(logins.logIn("amina", kPassword, std::nullopt, "10.0.0.2"));
  clock.advance(1000);
  EXPECT_TRUE(logins.logIn("amina", kPassword, std::nullopt, "10.0.0.1"));
  EXPECT_FALSE(logins.logIn("amina", "wrong", std::nullopt, "10.0.0.1"));
  EXPECT_TRUE(logins.logIn("amina", kPassword, std::nullopt, "10.0.0.1"));
}

// The number of them costs an attacker's own time alone: what comes too soon is not even looked at.
TEST_F(AccountsTest, TenThousandGuessesAreMadeToWaitAndNeverLockOutTheOwner) {
  constexpr int kGuesses = 10'000;
  add("amina", "reader");
  ManualClock clock;
  Logins logins(*node_, clock);
  int tooSoon = 0;
  for (int i = 0; i < kGuesses; ++i) {
    const std::string code = failureCode(
        [&] { EXPECT_FALSE(logins.logIn("amina", "wrong", std::nullopt, "10.0.0.1")); });
    if (code == "access.too-soon") ++tooSoon;
  }
  EXPECT_EQ(tooSoon, kGuesses - 3);
  EXPECT_TRUE(logins.logIn("amina", kPassword, std::nullopt, "10.0.0.2"));
  clock.advance(60'000);
  EXPECT_TRUE(logins.logIn("amina", kPassword, std::nullopt, "10.0.0.1"));
  std::cout << "| 10,000 guesses at one account | 3 looked at, " << tooSoon
            << " refused with access.too-soon; the owner logs in |\n";
}

TEST_F(AccountsTest, AClockThatIsSetBackMakesNobodyWaitForAYear) {
  ManualClock clock;
  Logins logins(*node_, clock);
  for (int i = 0; i < 3; ++i)
    EXPECT_FALSE(logins.logIn("ghost", "wrong", std::nullopt, "10.0.0.1"));
  clock.advance(-365LL * 24 * 3600 * 1000);
  EXPECT_EQ(failureCode([&] { logins.logIn("ghost", "wrong", std::nullopt, "10.0.0.1"); }),
            "access.too-soon");
  clock.advance(1000);
  EXPECT_EQ(failureCode([&] { logins.logIn("ghost", "wrong", std::nullopt, "10.0.0.1"); }), "");
}

// What is checked is cheap: a hash that cannot be read is no password's.
TEST_F(AccountsTest, OnePasswordTriedOnAThousandAccountsMakesItsAddressWait) {
  constexpr int kAccounts = 1'000;
  node_->write([](sync::Work& work) {
    for (int i = 0; i < kAccounts; ++i) {
      const std::string name = "person" + std::to_string(i);
      work.store().setMeta(accountRow(name),
                           R"({"hash":"none","language":"en","programmes":{},"role":"reader"})");
    }
  });
  ManualClock clock;
  Logins logins(*node_, clock);
  int looked = 0;
  for (int i = 0; i < kAccounts; ++i) {
    const std::string name = "person" + std::to_string(i);
    if (failureCode([&] { logins.logIn(name, kPassword, std::nullopt, "10.0.0.1"); }).empty()) {
      ++looked;
    }
  }
  EXPECT_EQ(looked, 33);
  std::cout << "| one password on 1,000 accounts | " << looked
            << " looked at, the others refused with access.too-soon |\n";
  EXPECT_FALSE(logins.logIn("person999", kPassword, std::nullopt, "10.0.0.2"));
  clock.advance(60'000);
  EXPECT_FALSE(logins.logIn("person999", kPassword, std::nullopt, "10.0.0.1"));
}

TEST_F(AccountsTest, AnAccountThatIsNotThereMakesWaitTheSame) {
  ManualClock clock;
  Logins logins(*node_, clock);
  for (int i = 0; i < 3; ++i)
    EXPECT_FALSE(logins.logIn("ghost", "wrong", std::nullopt, "10.0.0.1"));
  EXPECT_EQ(failureCode([&] { logins.logIn("ghost", "wrong", std::nullopt, "10.0.0.1"); }),
            "access.too-soon");
}

}  // namespace
}  // namespace waystation::access

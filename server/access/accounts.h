#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/node.h"

namespace waystation::access {

// A person who may log in at this node. What opens the account stays at this node; who it is, and
// whether headquarters has disabled it, is a record (server/access/account_records.h).
struct Account {
  std::string name;
  std::string role;  // one of roles(): in every programme that is open and not named below
  // Roles by programme: there this one counts instead. A sealed programme is seen by those alone
  // who have a role in it.
  std::map<std::string, std::string> programmes = {};
  std::string language = "en";
  bool hasTotp = false;     // a second factor is asked for at the log-in
  bool isDisabled = false;  // by headquarters
};

// "caseworker", "supervisor", "data-protection", "technician", "hq-officer", "hq-operator",
// "reader".
const std::vector<std::string>& roles();

bool isAccountName(std::string_view name);

// Throws Failure: "account.name-malformed" (1 to 32 of a-z 0-9 . - _), "account.role-unknown",
// "account.programme-unknown", "account.password-weak" (server/access/password_rules.h),
// "account.exists", "account.disabled" where headquarters has disabled the office's account of that
// name, which an earlier box had.
// `by`: who adds it; empty for whoever owns the machine.
void addAccount(server::Node& node, const Account& account, std::string_view password,
                const std::string& by = {});

std::optional<Account> findAccount(server::Node& node, const std::string& name);
std::vector<Account> listAccounts(server::Node& node);

// Gives an account other roles. Throws as addAccount, and "account.not-found".
void changeRoles(server::Node& node, const Account& account, const std::string& by);
// Throws "account.password-weak", "account.not-found".
void changePassword(server::Node& node, const std::string& name, std::string_view password,
                    const std::string& by);

// The second factor (crypto/totp.h). Begun: a new secret, not asked for until a code of it has been
// confirmed. Each throws "account.not-found".
std::string beginTotp(server::Node& node, const std::string& name);
// False where the code is not one of the secret begun.
bool confirmTotp(server::Node& node, const std::string& name, std::string_view code);
void endTotp(server::Node& node, const std::string& name, const std::string& by);
// Whether a code is right: of now, or of 30 s to either side, and newer than the last one taken.
// Spends it.
bool spendTotp(server::Node& node, const std::string& name, std::string_view code);

// The account, if that is its password. Takes the same time whether there is such an account or
// not. No limit on how often: that is what Logins is for.
std::optional<Account> checkPassword(server::Node& node, const std::string& name,
                                     std::string_view password);

// Logging in over the network: few hashes at once, since each takes 64 MiB; and after failed tries
// a growing wait for the same account from the same address. Nobody is ever locked out, and a
// stranger elsewhere can't hold up the owner.
class Logins {
 public:
  // Borrows both.
  Logins(server::Node& node, const sync::Clock& clock) : node_(node), clock_(clock) {}

  // Nothing where name, password or code is wrong. Throws Failure("access.totp-needed") where the
  // password is right and a code is missing, ("busy.login") when enough are being checked already,
  // ("access.too-soon") while this address has to wait for this account.
  std::optional<Account> logIn(const std::string& name, std::string_view password,
                               const std::optional<std::string>& code,
                               const std::string& clientAddress);

  // Whether it is the account's password, under the same limits.
  bool confirm(const std::string& name, std::string_view password,
               const std::string& clientAddress);

  // How long to wait after so many failures in a row: 0 for two slips, then 1 s, doubled, 60 s at
  // most.
  static std::int64_t delayMs(int failures);

 private:
  struct Tries {
    int failures = 0;
    std::int64_t lastMs = 0;
  };

  void begin(const std::string& key);
  void end(const std::string& key, bool succeeded);
  void release();
  void forgetOld(std::int64_t nowMs);

  server::Node& node_;
  const sync::Clock& clock_;
  std::mutex mutex_;
  int hashing_ = 0;                     // guarded by mutex_
  std::map<std::string, Tries> tries_;  // guarded by mutex_; by account and address
};

}  // namespace waystation::access

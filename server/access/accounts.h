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

// A person who may log in at this node. Accounts belong to one node and are not synced.
struct Account {
  std::string name;
  std::string role;  // one of roles(): in every programme that is open and not named below
  // Roles by programme: there this one counts instead. A sealed programme is seen by those alone
  // who have a role in it.
  std::map<std::string, std::string> programmes = {};
  std::string language = "en";
};

// "caseworker", "supervisor", "data-protection", "technician", "hq-officer", "hq-operator",
// "reader".
const std::vector<std::string>& roles();

// Throws Failure: "account.name-malformed" (1 to 32 of a-z 0-9 . - _), "account.role-unknown",
// "account.programme-unknown", "account.password-weak" (under 12 characters, or the name),
// "account.exists".
// `by`: who adds it; empty for whoever owns the machine.
void addAccount(server::Node& node, const Account& account, std::string_view password,
                const std::string& by = {});

std::optional<Account> findAccount(server::Node& node, const std::string& name);

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

  // Nothing where name or password is wrong. Throws Failure("busy.login") when enough are being
  // checked already, ("access.too-soon") while this address has to wait for this account.
  std::optional<Account> logIn(const std::string& name, std::string_view password,
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
  void forgetOld(std::int64_t nowMs);

  server::Node& node_;
  const sync::Clock& clock_;
  std::mutex mutex_;
  int hashing_ = 0;                     // guarded by mutex_
  std::map<std::string, Tries> tries_;  // guarded by mutex_; by account and address
};

}  // namespace waystation::access

#include "server/access/accounts.h"

#include <algorithm>

#include "crypto/failure.h"
#include "crypto/password_hash.h"
#include "server/audit.h"
#include "server/http/json.h"

namespace waystation::access {
namespace {

using http::Json;

constexpr std::size_t kLeastPassword = 12;
constexpr std::size_t kMostPassword = 1024;
constexpr int kMostHashing = 4;
constexpr std::size_t kMostTries = 10000;
constexpr std::int64_t kForgottenAfterMs = 15 * 60 * 1000;
constexpr std::int64_t kLongestDelayMs = 60'000;

// Of the product's cost and of no password: checked where there is no account, for the time.
constexpr std::string_view kNobodysHash =
    "$argon2id$v=19$m=65536,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA"
    "$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

std::string metaName(const std::string& name) {
  return "account." + name;
}

bool isAccountName(std::string_view name) {
  return !name.empty() && name.size() <= 32 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
  });
}

std::optional<Json> readRow(server::Node& node, const std::string& name) {
  if (!isAccountName(name)) return std::nullopt;
  const std::optional<std::string> text =
      node.read([&](storage::Store& store) { return store.meta(metaName(name)); });
  if (!text) return std::nullopt;
  return http::parseJson(*text);
}

Account accountOf(const std::string& name, const Json& row) {
  return {name, row.at("role").get<std::string>(),
          row.at("programmes").get<std::map<std::string, std::string>>(),
          row.at("language").get<std::string>()};
}

void checkRole(const std::string& role) {
  if (std::find(roles().begin(), roles().end(), role) != roles().end()) return;
  std::string all;
  for (const std::string& known : roles()) all += (all.empty() ? "" : ", ") + known;
  throw Failure("account.role-unknown", "There is no role '" + role + "'. Roles: " + all + ".");
}

void checkNew(server::Node& node, const Account& account, std::string_view password) {
  const std::string& name = account.name;
  if (!isAccountName(name)) {
    throw Failure("account.name-malformed",
                  "An account's name is 1 to 32 small letters, digits, '.', '-' or '_'.");
  }
  checkRole(account.role);
  for (const auto& [programme, role] : account.programmes) {
    checkRole(role);
    if (node.programmes().findPack(programme) == nullptr) {
      throw Failure("account.programme-unknown", "There is no programme '" + programme + "' here.");
    }
  }
  if (password.size() < kLeastPassword || password.size() > kMostPassword || password == name) {
    throw Failure("account.password-weak",
                  "A password has at least 12 characters and is not the account's name.");
  }
}

}  // namespace

const std::vector<std::string>& roles() {
  static const std::vector<std::string> all = {"caseworker", "supervisor", "data-protection",
                                               "technician", "hq-officer", "hq-operator",
                                               "reader"};
  return all;
}

void addAccount(server::Node& node, const Account& account, std::string_view password,
                const std::string& by) {
  checkNew(node, account, password);
  const Json row = {{"role", account.role},
                    {"programmes", account.programmes},
                    {"language", account.language},
                    {"hash", crypto::hashPassword(node.random(), password)}};
  node.write([&](sync::Work& work) {
    if (work.store().meta(metaName(account.name))) {
      throw Failure("account.exists", "There is an account '" + account.name + "' already.");
    }
    work.store().setMeta(metaName(account.name), http::canonicalJson(row));
    server::noteDeed(
        work.store(), node.clock(),
        {by,
         "account-added",
         {},
         {{"account", account.name}, {"role", account.role}, {"programmes", account.programmes}}});
  });
}

std::optional<Account> findAccount(server::Node& node, const std::string& name) {
  const std::optional<Json> row = readRow(node, name);
  if (!row) return std::nullopt;
  return accountOf(name, *row);
}

std::optional<Account> checkPassword(server::Node& node, const std::string& name,
                                     std::string_view password) {
  const std::optional<Json> row = readRow(node, name);
  const std::string hash = row ? row->at("hash").get<std::string>() : std::string(kNobodysHash);
  const bool right = crypto::verifyPassword(hash, password.substr(0, kMostPassword));
  if (!row || !right || password.size() > kMostPassword) return std::nullopt;
  return accountOf(name, *row);
}

std::int64_t Logins::delayMs(int failures) {
  if (failures < 3) return 0;
  return std::min(kLongestDelayMs, std::int64_t{1000} << std::min(failures - 3, 16));
}

void Logins::forgetOld(std::int64_t nowMs) {
  std::erase_if(tries_,
                [&](const auto& entry) { return nowMs - entry.second.lastMs > kForgottenAfterMs; });
  // More than that at once is an attack from many addresses; the hashes' own cost then guards.
  if (tries_.size() >= kMostTries) tries_.clear();
}

void Logins::begin(const std::string& key) {
  const std::int64_t now = clock_.nowMs();
  const std::lock_guard lock(mutex_);
  if (const auto known = tries_.find(key); known != tries_.end()) {
    const std::int64_t wait = known->second.lastMs + delayMs(known->second.failures) - now;
    if (wait > 0) {
      throw Failure("access.too-soon", "After several failed tries, the next one has to wait " +
                                           std::to_string((wait + 999) / 1000) + " s.");
    }
  }
  if (hashing_ >= kMostHashing) {
    throw Failure("busy.login", "Several people are logging in just now. Try again in a moment.");
  }
  ++hashing_;
}

void Logins::end(const std::string& key, bool succeeded) {
  const std::int64_t now = clock_.nowMs();
  const std::lock_guard lock(mutex_);
  --hashing_;
  if (succeeded) {
    tries_.erase(key);
    return;
  }
  if (!tries_.contains(key)) forgetOld(now);
  Tries& tries = tries_[key];
  ++tries.failures;
  tries.lastMs = now;
}

std::optional<Account> Logins::logIn(const std::string& name, std::string_view password,
                                     const std::string& clientAddress) {
  // A name that no account can have is not kept: it may be a password typed into the wrong box.
  const std::string key = (isAccountName(name) ? name : std::string()) + '\n' + clientAddress;
  begin(key);
  try {
    const std::optional<Account> account = checkPassword(node_, name, password);
    end(key, account.has_value());
    return account;
  } catch (...) {
    end(key, false);
    throw;
  }
}

}  // namespace waystation::access

#include "server/access/accounts.h"

#include <algorithm>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "crypto/password_hash.h"
#include "crypto/totp.h"
#include "server/access/account_records.h"
#include "server/access/password_rules.h"
#include "server/audit.h"
#include "server/http/json.h"
#include "storage/named_values.h"

namespace waystation::access {
namespace {

using http::Json;

constexpr std::size_t kMostPassword = 1024;

// Of the product's cost and of no password: checked where there is no account, for the time.
constexpr std::string_view kNobodysHash =
    "$argon2id$v=19$m=65536,t=3,p=1$AAAAAAAAAAAAAAAAAAAAAA"
    "$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

std::optional<Json> readRow(server::Node& node, const std::string& name) {
  if (!isAccountName(name)) return std::nullopt;
  const std::optional<std::string> text =
      node.read([&](storage::Store& store) { return store.meta(accountRow(name)); });
  if (!text) return std::nullopt;
  return http::parseJson(*text);
}

Account accountOf(const std::string& name, const Json& row) {
  return {name,
          row.at("role").get<std::string>(),
          row.at("programmes").get<std::map<std::string, std::string>>(),
          row.at("language").get<std::string>(),
          row.contains("totp"),
          row.value(kRowDisabled, false)};
}

Failure notFound(const std::string& name) {
  return Failure("account.not-found", "There is no account '" + name + "' here.");
}

// Changes an account's row and notes it, in one transaction.
template <typename Change>
auto changeRow(server::Node& node, const std::string& name, Change change) {
  return node.write([&](sync::Work& work) {
    const auto text = isAccountName(name) ? work.store().meta(accountRow(name)) : std::nullopt;
    if (!text) throw notFound(name);
    Json row = http::parseJson(*text);
    const auto result = change(work, row);
    work.store().setMeta(accountRow(name), http::canonicalJson(row));
    return result;
  });
}

void noteAbout(server::Node& node, sync::Work& work, const std::string& by, const char* deed,
               Json detail) {
  server::noteDeed(work.store(), node.clock(), {by, deed, {}, std::move(detail)});
}

// The newest step of the code's, if the code is right now and newer than `lastStep`.
std::optional<std::uint64_t> stepOf(server::Node& node, const std::string& secret,
                                    std::string_view code, std::uint64_t lastStep) {
  const auto now =
      static_cast<std::uint64_t>(node.clock().nowMs() / 1000) / crypto::kTotpStepSeconds;
  for (std::uint64_t step = now + 1; step + 1 >= now; --step) {
    if (step > lastStep && crypto::equalConstantTime(crypto::totpCode(secret, step), code)) {
      return step;
    }
  }
  return std::nullopt;
}

void checkRole(const std::string& role) {
  if (std::find(roles().begin(), roles().end(), role) != roles().end()) return;
  std::string all;
  for (const std::string& known : roles()) all += (all.empty() ? "" : ", ") + known;
  throw Failure("account.role-unknown", "There is no role '" + role + "'. Roles: " + all + ".");
}

void checkRoles(server::Node& node, const Account& account) {
  checkRole(account.role);
  for (const auto& [programme, role] : account.programmes) {
    checkRole(role);
    if (node.programmes().findPack(programme) == nullptr) {
      throw Failure("account.programme-unknown", "There is no programme '" + programme + "' here.");
    }
  }
}

}  // namespace

bool isAccountName(std::string_view name) {
  return !name.empty() && name.size() <= 32 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
  });
}

const std::vector<std::string>& roles() {
  static const std::vector<std::string> all = {"caseworker", "supervisor", "data-protection",
                                               "technician", "hq-officer", "hq-operator",
                                               "reader"};
  return all;
}

void addAccount(server::Node& node, const Account& account, std::string_view password,
                const std::string& by) {
  if (!isAccountName(account.name)) {
    throw Failure("account.name-malformed",
                  "An account's name is 1 to 32 small letters, digits, '.', '-' or '_'.");
  }
  checkRoles(node, account);
  checkNewPassword(password, account.name);
  Json row = {{"role", account.role},
              {"programmes", account.programmes},
              {"language", account.language},
              {"hash", crypto::hashPassword(node.random(), password)}};
  node.write([&](sync::Work& work) {
    if (work.store().meta(accountRow(account.name))) {
      throw Failure("account.exists", "There is an account '" + account.name + "' already.");
    }
    announceAccount(work, by, account.name, row);
    if (row.value(kRowDisabled, false)) {
      throw Failure("account.disabled", "Headquarters has disabled the account '" + account.name +
                                            "' of this office. Nothing was added; ask there.");
    }
    work.store().setMeta(accountRow(account.name), http::canonicalJson(row));
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

std::vector<Account> listAccounts(server::Node& node) {
  return node.read([](storage::Store& store) {
    std::vector<Account> accounts;
    const std::string prefix = accountRow("");
    for (const auto& [key, value] : storage::metaUnder(store.database(), prefix)) {
      accounts.push_back(accountOf(key.substr(prefix.size()), http::parseJson(value)));
    }
    return accounts;
  });
}

void changeRoles(server::Node& node, const Account& account, const std::string& by) {
  checkRoles(node, account);
  changeRow(node, account.name, [&](sync::Work& work, Json& row) {
    noteAbout(node, work, by, "account-changed",
              {{"account", account.name},
               {"role", account.role},
               {"programmes", account.programmes},
               {"before", {{"role", row.at("role")}, {"programmes", row.at("programmes")}}}});
    row["role"] = account.role;
    row["programmes"] = account.programmes;
    announceAccount(work, by, account.name, row);
    return true;
  });
}

void changePassword(server::Node& node, const std::string& name, std::string_view password,
                    const std::string& by) {
  checkNewPassword(password, name);
  const std::string hash = crypto::hashPassword(node.random(), password);
  changeRow(node, name, [&](sync::Work& work, Json& row) {
    row["hash"] = hash;
    noteAbout(node, work, by, "password-changed", {{"account", name}});
    return true;
  });
}

std::string beginTotp(server::Node& node, const std::string& name) {
  const std::string secret = node.random().bytes(crypto::kTotpSecretSize);
  changeRow(node, name, [&](sync::Work&, Json& row) {
    row["totpBegun"] = crypto::toBase64Url(secret);
    return true;
  });
  return secret;
}

bool confirmTotp(server::Node& node, const std::string& name, std::string_view code) {
  return changeRow(node, name, [&](sync::Work& work, Json& row) {
    if (!row.contains("totpBegun")) return false;
    const std::string begun = row.at("totpBegun").get<std::string>();
    const auto step = stepOf(node, crypto::fromBase64Url(begun), code, 0);
    if (!step) return false;
    row["totp"] = begun;
    row["totpStep"] = *step;
    row.erase("totpBegun");
    noteAbout(node, work, name, "totp-on", nullptr);
    return true;
  });
}

void endTotp(server::Node& node, const std::string& name, const std::string& by) {
  changeRow(node, name, [&](sync::Work& work, Json& row) {
    for (const char* key : {"totp", "totpStep", "totpBegun"}) row.erase(key);
    noteAbout(node, work, by, "totp-off", {{"account", name}});
    return true;
  });
}

bool spendTotp(server::Node& node, const std::string& name, std::string_view code) {
  return changeRow(node, name, [&](sync::Work&, Json& row) {
    if (!row.contains("totp")) return false;
    const std::string secret = crypto::fromBase64Url(row.at("totp").get<std::string>());
    const auto step = stepOf(node, secret, code, row.at("totpStep").get<std::uint64_t>());
    if (step) row["totpStep"] = *step;
    return step.has_value();
  });
}

std::optional<Account> checkPassword(server::Node& node, const std::string& name,
                                     std::string_view password) {
  const std::optional<Json> row = readRow(node, name);
  const std::string hash = row ? row->at("hash").get<std::string>() : std::string(kNobodysHash);
  const bool right = crypto::verifyPassword(hash, password.substr(0, kMostPassword));
  if (!row || !right || password.size() > kMostPassword) return std::nullopt;
  return accountOf(name, *row);
}

}  // namespace waystation::access

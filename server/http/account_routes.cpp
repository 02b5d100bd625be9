#include "server/http/account_routes.h"

#include "crypto/failure.h"
#include "crypto/totp.h"
#include "server/access/account_records.h"
#include "server/access/policy.h"
#include "server/audit.h"

namespace waystation::http {
namespace {

using access::Account;
using access::Action;
using access::Entrance;

Failure malformed(const std::string& what) {
  return Failure("account.request-malformed", what + " Nothing was changed.");
}

std::string textOf(const Json& body, const char* name) {
  const auto at = body.is_object() ? body.find(name) : body.end();
  if (at == body.end() || !at->is_string()) {
    throw malformed(std::string("'") + name + "' must be a text.");
  }
  return at->get<std::string>();
}

Json shown(const Account& account, Entrance& entrance) {
  return {{"name", account.name},
          {"role", account.role},
          {"programmes", account.programmes},
          {"totp", account.hasTotp},
          {"disabled", account.isDisabled},
          {"sessions", entrance.sessions().list(account.name).size()}};
}

// {"role", "programmes"} of a request.
Account rolesIn(const Json& body, const std::string& name) {
  Account account{name, textOf(body, "role")};
  const auto programmes = body.find("programmes");
  if (programmes == body.end()) return account;
  if (!programmes->is_object()) throw malformed("'programmes' must be an object.");
  for (const auto& [programme, role] : programmes->items()) {
    if (!role.is_string()) throw malformed("Each programme has a role, a text.");
    account.programmes[programme] = role.get<std::string>();
  }
  return account;
}

// Whether this person may make one account into the other.
void requireMayChange(server::Node& node, const Account& person, const Account& before,
                      const Account& after) {
  if (person.name == after.name) {
    throw Failure("access.refused", "Nobody changes their own roles.");
  }
  if (before.role != after.role) access::require(person, Action::kManageAccounts);
  std::map<std::string, std::string> all = before.programmes;
  all.insert(after.programmes.begin(), after.programmes.end());
  for (const auto& [programme, ignored] : all) {
    const auto was = before.programmes.find(programme);
    const auto is = after.programmes.find(programme);
    const bool isSame =
        was != before.programmes.end() && is != after.programmes.end() && was->second == is->second;
    if (isSame) continue;
    const cases::Pack* pack = node.programmes().findPack(programme);
    const access::Decision decision = access::decide(person, Action::kGiveRole, {pack});
    // Not "not found": that there is such a programme, whoever names it knows already.
    if (!decision.allowed) {
      throw Failure("access.refused", "A supervisor of the programme " + programme +
                                          " gives roles in it. Nothing was changed.");
    }
  }
}

Account accountNamed(server::Node& node, const std::string& name) {
  std::optional<Account> account = access::findAccount(node, name);
  if (!account) throw Failure("account.not-found", "There is no such account here.");
  return std::move(*account);
}

// For those who look after accounts, or give roles in a programme of their own.
void requireSeesAccounts(server::Node& node, const Account& person) {
  for (const cases::Pack& pack : node.programmes().packs()) {
    if (pack.isSealed && access::decide(person, Action::kGiveRole, {&pack}).allowed) return;
  }
  access::require(person, Action::kManageAccounts);
}

void noteEnded(server::Node& node, const std::string& by, const std::string& account) {
  node.write([&](sync::Work& work) {
    server::noteDeed(work.store(), node.clock(), {by, "session-ended", {}, {{"account", account}}});
  });
}

// The person's own password, asked for once more; failed tries make wait as at the log-in.
void requirePassword(Entrance& entrance, const Request& request, const Account& account,
                     const Json& body) {
  if (!entrance.logins().confirm(account.name, textOf(body, "password"), request.clientAddress)) {
    throw Failure("access.refused", "That is not your password. Nothing was changed.");
  }
}

void addSessionRoutes(Router& router, server::Node& node, Entrance& entrance) {
  router.add("GET", "/api/v1/me/sessions",
             entrance.forPeople(
                 [&entrance](Request& request, const PathParameters&, const Account& account) {
                   access::require(account, Action::kSeeSelf);
                   Json sessions = Json::array();
                   for (const auto& view : entrance.sessions().list(
                            account.name, Entrance::tokenOf(request).value_or(""))) {
                     sessions.push_back({{"id", view.name},
                                         {"from", view.from},
                                         {"opened", sync::formatTime(view.openedMs)},
                                         {"used", sync::formatTime(view.usedMs)},
                                         {"current", view.isCurrent}});
                   }
                   return json(200, {{"sessions", std::move(sessions)}});
                 }));
  router.add("DELETE", "/api/v1/me/sessions/{id}",
             entrance.forPeople([&node, &entrance](Request&, const PathParameters& parameters,
                                                   const Account& account) {
               access::require(account, Action::kSeeSelf);
               if (!entrance.sessions().closeNamed(account.name, parameters.at("id"))) {
                 throw Failure("account.not-found", "There is no such session any more.");
               }
               noteEnded(node, account.name, account.name);
               return json(200, Json::object());
             }));
}

void addOwnRoutes(Router& router, server::Node& node, Entrance& entrance) {
  router.add("POST", "/api/v1/me/password",
             entrance.forPeople([&node, &entrance](Request& request, const PathParameters&,
                                                   const Account& account) {
               access::require(account, Action::kSeeSelf);
               const Json body = Entrance::jsonBody(request);
               requirePassword(entrance, request, account, body);
               access::changePassword(node, account.name, textOf(body, "new"), account.name);
               entrance.sessions().closeAll(account.name, Entrance::tokenOf(request).value_or(""));
               return json(200, Json::object());
             }));
  router.add("POST", "/api/v1/me/totp",
             entrance.forPeople([&node, &entrance](Request& request, const PathParameters&,
                                                   const Account& account) {
               access::require(account, Action::kSeeSelf);
               requirePassword(entrance, request, account, Entrance::jsonBody(request));
               const std::string secret = crypto::toBase32(access::beginTotp(node, account.name));
               const std::string label = "Waystation%20" + node.config().name + ":" + account.name;
               return json(200, {{"secret", secret},
                                 {"uri", "otpauth://totp/" + label + "?secret=" + secret +
                                             "&issuer=Waystation%20" + node.config().name}});
             }));
  router.add(
      "PUT", "/api/v1/me/totp",
      entrance.forPeople([&node](Request& request, const PathParameters&, const Account& account) {
        access::require(account, Action::kSeeSelf);
        const std::string code = textOf(Entrance::jsonBody(request), "code");
        if (!access::confirmTotp(node, account.name, code)) {
          throw Failure("account.totp-wrong",
                        "That is not the code of now. The second factor is not on.");
        }
        return json(200, Json::object());
      }));
  router.add("POST", "/api/v1/me/totp/off",
             entrance.forPeople([&node, &entrance](Request& request, const PathParameters&,
                                                   const Account& account) {
               access::require(account, Action::kSeeSelf);
               requirePassword(entrance, request, account, Entrance::jsonBody(request));
               access::endTotp(node, account.name, account.name);
               return json(200, Json::object());
             }));
}

void addOthersRoutes(Router& router, server::Node& node, Entrance& entrance) {
  router.add("GET", "/api/v1/accounts",
             entrance.forPeople([&node, &entrance](Request&, const PathParameters&,
                                                   const Account& person) {
               requireSeesAccounts(node, person);
               Json accounts = Json::array();
               for (const Account& account : access::listAccounts(node)) {
                 accounts.push_back(shown(account, entrance));
               }
               return json(200, {{"accounts", std::move(accounts)}, {"roles", access::roles()}});
             }));
  router.add("POST", "/api/v1/accounts",
             entrance.forPeople([&node, &entrance](Request& request, const PathParameters&,
                                                   const Account& person) {
               access::require(person, Action::kManageAccounts);
               const Json body = Entrance::jsonBody(request);
               const Account account = rolesIn(body, textOf(body, "name"));
               requireMayChange(node, person, {account.name, account.role}, account);
               access::addAccount(node, account, textOf(body, "password"), person.name);
               return json(200, shown(account, entrance));
             }));
  router.add(
      "PUT", "/api/v1/accounts/{name}",
      entrance.forPeople([&node, &entrance](Request& request, const PathParameters& parameters,
                                            const Account& person) {
        requireSeesAccounts(node, person);
        const Account before = accountNamed(node, parameters.at("name"));
        const Account after = rolesIn(Entrance::jsonBody(request), before.name);
        requireMayChange(node, person, before, after);
        access::changeRoles(node, after, person.name);
        entrance.sessions().closeAll(after.name);
        return json(200, shown(accountNamed(node, after.name), entrance));
      }));
  router.add("DELETE", "/api/v1/accounts/{name}/sessions",
             entrance.forPeople([&node, &entrance](Request&, const PathParameters& parameters,
                                                   const Account& person) {
               requireSeesAccounts(node, person);
               const Account account = accountNamed(node, parameters.at("name"));
               const std::size_t ended = entrance.sessions().closeAll(account.name);
               noteEnded(node, person.name, account.name);
               return json(200, {{"ended", ended}});
             }));
}

Json shownRecord(const access::AccountRecord& account) {
  Json shown = {{"id", account.id},         {"name", account.name},
                {"role", account.role},     {"programmes", account.programmes},
                {"office", account.office}, {"disabled", account.isDisabled}};
  if (!account.disabledBy.empty()) {
    shown["by"] = account.disabledBy;
    shown["at"] = sync::formatTime(account.disabledMs);
  }
  return shown;
}

// The accounts of all offices.
void addRecordRoutes(Router& router, server::Node& node, Entrance& entrance) {
  constexpr int kPage = 200;
  router.add(
      "GET", "/api/v1/account-records",
      entrance.forPeople([&node](Request& request, const PathParameters&, const Account& person) {
        access::require(person, Action::kDisableAccounts);
        const auto given = request.query.find("cursor");
        const std::string cursor = given == request.query.end() ? std::string() : given->second;
        const access::AccountPage page = node.read(
            [&](storage::Store& store) { return access::accountRecords(store, cursor, kPage); });
        Json accounts = Json::array();
        for (const auto& account : page.accounts) accounts.push_back(shownRecord(account));
        return json(200, {{"accounts", std::move(accounts)},
                          {"cursor", page.cursor.empty() ? Json(nullptr) : Json(page.cursor)}});
      }));
  router.add(
      "PUT", "/api/v1/account-records/{id}",
      entrance.forPeople([&node](Request& request, const PathParameters& parameters,
                                 const Account& person) {
        access::require(person, Action::kDisableAccounts);
        const Json body = Entrance::jsonBody(request);
        if (!body.is_object() || !body.contains("disabled") || !body.at("disabled").is_boolean()) {
          throw malformed("'disabled' must be true or false.");
        }
        return json(200,
                    shownRecord(access::setDisabled(node, parameters.at("id"),
                                                    body.at("disabled").get<bool>(), person.name)));
      }));
}

}  // namespace

void addAccountRoutes(Router& router, server::Node& node, access::Entrance& entrance) {
  addSessionRoutes(router, node, entrance);
  addOwnRoutes(router, node, entrance);
  addOthersRoutes(router, node, entrance);
  if (node.isHeadquarters()) addRecordRoutes(router, node, entrance);
}

}  // namespace waystation::http

#include "server/access/policy.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "crypto/failure.h"

namespace waystation::access {
namespace {

struct RoleRights {
  std::string_view role;
  bool read;
  bool sensitive;  // reads the sensitive fields too; everybody who writes does
  bool write;
  bool handOver;
  bool settle;  // lets in, or discards, what headquarters keeps aside
  bool audit;
  bool accounts;  // and phones: who and what comes in
  bool disable;   // accounts, of all offices
  bool lock;
};

constexpr std::array kRights = {
    RoleRights{"caseworker", true, true, true, false, false, false, false, false, false},
    RoleRights{"supervisor", true, true, true, true, false, false, false, false, true},
    RoleRights{"data-protection", true, true, false, false, false, true, false, false, false},
    RoleRights{"technician", false, false, false, false, false, false, true, true, true},
    RoleRights{"hq-officer", true, true, true, true, true, false, false, false, true},
    RoleRights{"hq-operator", false, false, false, false, false, false, false, true, true},
    RoleRights{"reader", true, false, false, false, false, false, false, false, false},
};

const RoleRights* rightsOf(std::string_view role) {
  const auto* found = std::find_if(kRights.begin(), kRights.end(),
                                   [&](const RoleRights& entry) { return entry.role == role; });
  return found == kRights.end() ? nullptr : found;
}

Decision refused(const std::string& reason) {
  return {false, "access.refused", reason};
}

Decision noRole() {
  return refused("This account has no role known here.");
}

Decision decideByRole(const RoleRights& rights, Action action) {
  switch (action) {
    case Action::kSeeProgramme:
      return {true};
    case Action::kReadRecord:
      if (!rights.read) return refused("Your role does not see people's records.");
      return {true, {}, {}, !rights.sensitive, false};
    case Action::kWriteRecord:
      if (!rights.write) return refused("Your role does not change records.");
      return {true};
    case Action::kHandOver:
      if (!rights.handOver) return refused("A supervisor or an officer at HQ hands cases over.");
      return {true};
    case Action::kGiveRole:
      if (!rights.handOver) return refused("A supervisor of the programme gives roles in it.");
      return {true};
    default:
      return refused("This is not allowed.");
  }
}

// What the account's role in that programme allows.
Decision decideIn(const Account& account, Action action, const cases::Pack* pack) {
  if (pack == nullptr) return refused("No programme of this server knows records of this kind.");
  const auto own = account.programmes.find(pack->id);
  const bool isMember = own != account.programmes.end();
  if (pack->isSealed && !isMember) {
    return {false, "record.not-found", "There is no such record here."};
  }
  const RoleRights* rights = rightsOf(isMember ? own->second : account.role);
  if (rights == nullptr) return noRole();
  Decision decision = decideByRole(*rights, action);
  decision.isNoted = pack->isSealed && action == Action::kReadRecord;
  return decision;
}

Decision decideAboutRecord(const Account& account, Action action, const Subject& subject) {
  const Decision own = decideIn(account, action, subject.pack);
  Decision decision = decideIn(account, action, subject.rootPack);
  // Whatever else speaks against it: what is hidden is not there.
  if (!own.allowed && (decision.allowed || decision.code == "access.refused")) return own;
  decision.isMasked = decision.isMasked || own.isMasked;
  decision.isNoted = decision.isNoted || own.isNoted;
  if (decision.allowed && action == Action::kHandOver && !subject.isDisposable) {
    return {false, "case.not-in-custody",
            "This case is in the custody of another office, which alone can hand it over or answer "
            "for it."};
  }
  return decision;
}

}  // namespace

Decision decide(const Account& account, Action action, const Subject& subject) {
  const RoleRights* rights = rightsOf(account.role);
  if (rights == nullptr) return noRole();
  switch (action) {
    case Action::kReadRecord:
    case Action::kWriteRecord:
    case Action::kHandOver:
      return decideAboutRecord(account, action, subject);
    case Action::kSeeProgramme:
      return decideIn(account, action, subject.pack);
    case Action::kGiveRole:
      if (subject.pack != nullptr && subject.pack->isSealed) {
        return decideIn(account, action, subject.pack);
      }
      return decide(account, Action::kManageAccounts);
    case Action::kManageAccounts:
      if (!rights->accounts) return refused("A technician looks after the accounts.");
      return {true};
    case Action::kDisableAccounts:
      if (!rights->disable) return refused("A technician or an operator at HQ disables accounts.");
      return {true};
    case Action::kSeeSelf:
    case Action::kSeeSync:
      return {true};
    case Action::kLock:
      if (!rights->lock) return refused("A supervisor or a technician locks the server.");
      return {true};
    case Action::kSettleQuarantine:
      if (!rights->settle) return refused("An officer at HQ decides about changes kept aside.");
      return {true};
    case Action::kLetPhonesJoin:
      if (!rights->accounts) return refused("A technician lets phones join.");
      return {true};
    case Action::kReadAudit:
      if (!rights->audit) return refused("The data-protection officer reads the audit log.");
      return {true};
  }
  return refused("This is not allowed.");
}

void require(const Account& account, Action action, const Subject& subject) {
  const Decision decision = decide(account, action, subject);
  if (!decision.allowed) throw Failure(decision.code, decision.reason);
}

}  // namespace waystation::access

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
  bool write;
  bool handOver;
  bool settle;  // lets in, or discards, what headquarters keeps aside
};

constexpr std::array kRights = {
    RoleRights{"caseworker", true, true, false, false},
    RoleRights{"supervisor", true, true, true, false},
    RoleRights{"data-protection", true, false, false, false},
    RoleRights{"technician", false, false, false, false},
    RoleRights{"hq-officer", true, true, true, true},
    RoleRights{"hq-operator", false, false, false, false},
    RoleRights{"reader", true, false, false, false},
};

Decision refused(const std::string& reason) {
  return {false, reason};
}

// Whether a programme's records are this account's business at all.
Decision decideProgramme(const Account& account, const cases::Pack* pack) {
  if (pack == nullptr) return refused("No programme of this server knows records of this kind.");
  const auto& mine = account.programmes;
  if (pack->isSealed && std::find(mine.begin(), mine.end(), pack->id) == mine.end()) {
    return refused("These records are seen only by people of their programme.");
  }
  return {true, {}};
}

}  // namespace

Decision decide(const Account& account, Action action, const cases::Pack* pack) {
  const auto* rights = std::find_if(kRights.begin(), kRights.end(), [&](const RoleRights& entry) {
    return entry.role == account.role;
  });
  if (rights == kRights.end()) return refused("This account has no role known here.");
  switch (action) {
    case Action::kSeeSelf:
    case Action::kSeeSync:
      return {true, {}};
    case Action::kSeeProgramme:
      return decideProgramme(account, pack);
    case Action::kReadRecord:
      if (!rights->read) return refused("Your role does not see people's records.");
      return decideProgramme(account, pack);
    case Action::kWriteRecord:
      if (!rights->write) return refused("Your role does not change records.");
      return decideProgramme(account, pack);
    case Action::kHandOver:
      if (!rights->handOver) return refused("A supervisor or an officer at HQ hands cases over.");
      return decideProgramme(account, pack);
    case Action::kSettleQuarantine:
      if (!rights->settle) return refused("An officer at HQ decides about changes kept aside.");
      return {true, {}};
  }
  return refused("This is not allowed.");
}

void require(const Account& account, Action action, const cases::Pack* pack) {
  const Decision decision = decide(account, action, pack);
  if (!decision.allowed) throw Failure("access.refused", decision.reason);
}

}  // namespace waystation::access

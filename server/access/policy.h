#pragma once

#include <string>

#include "server/access/accounts.h"
#include "server/cases/programme_pack.h"

namespace waystation::access {

enum class Action {
  kReadRecord,
  kWriteRecord,
  kHandOver,
  kSeeProgramme,
  kSeeSync,
  kSeeSelf,
  kSettleQuarantine
};

struct Decision {
  bool allowed = false;
  std::string reason;  // where it is not: a sentence for the person
};

// The one place that decides what an account may do. Whatever is not allowed here is refused.
// `pack`: the programme of the kind that it concerns; nullptr where no pack here knows the kind,
// and for actions that concern none.
Decision decide(const Account& account, Action action, const cases::Pack* pack);

// Throws Failure("access.refused") with the reason.
void require(const Account& account, Action action, const cases::Pack* pack);

}  // namespace waystation::access

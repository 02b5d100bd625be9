#pragma once

#include <string>

#include "server/access/accounts.h"
#include "server/cases/programme_pack.h"

namespace waystation::access {

enum class Action {
  // About a record.
  kReadRecord,
  kWriteRecord,
  kHandOver,
  // About a programme.
  kSeeProgramme,
  // About the node.
  kSeeSync,
  kSeeSelf,
  kSettleQuarantine,
  kReadAudit,
  kManageAccounts,   // adds accounts, gives roles in open programmes, ends sessions
  kDisableAccounts,  // at headquarters: of all offices
  // About a programme: gives roles in it, which in a sealed one only its own supervisors do.
  kGiveRole,
  kLock,           // closes the store of the node
  kLetPhonesJoin,  // makes tokens for them
};

// What a record is to the policy: whose business it is. A record is judged by its own kind's
// programme and by that of its root.
struct Subject {
  const cases::Pack* pack = nullptr;  // nullptr where no programme here knows the kind
  const cases::Pack* rootPack = nullptr;
  bool isDisposable = true;  // custody of the case lets this node do what is about custody
};

struct Decision {
  bool allowed = false;
  std::string code = {};    // where it is not: of the Failure
  std::string reason = {};  // where it is not: a sentence for the person
  bool isMasked = false;    // allowed, but without the fields that the programme calls sensitive
  bool isNoted = false;     // whoever reads it leaves an entry in the audit log
};

// The one place that decides what an account may do (docs/spec/permissions.md). Whatever is not
// allowed here is refused: "access.refused" for what the role or programme does not allow,
// "record.not-found" for records of a sealed programme that is not the person's, so that nobody
// else learns that they are there, "case.not-in-custody" for cases that another office disposes of.
// `subject`: for actions about a record; of one about a programme, its `pack`.
Decision decide(const Account& account, Action action, const Subject& subject = {});

// Throws Failure with the decision's code and reason.
void require(const Account& account, Action action, const Subject& subject = {});

}  // namespace waystation::access

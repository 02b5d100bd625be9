#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/json.h"
#include "storage/store.h"
#include "sync/clock.h"
#include "sync/record.h"

namespace waystation::server {
class Node;
}
namespace waystation::sync {
class Work;
}

namespace waystation::access {

// An account as other nodes know it: a record of the kind "account", a root of its own in the
// custody of the node whose account it is, with the fields `name`, `role`, `programmes`, and
// `disabled`, which headquarters alone writes (docs/spec/permissions.md, "Accounts at
// headquarters"). What opens the account stays in its node's own row and in no record.
inline constexpr std::string_view kAccountKind = "account";

// The name of a node's own row of an account.
std::string accountRow(std::string_view name);

// What is in an account's row of the record: its id, and whether headquarters has disabled it.
inline constexpr const char* kRowRecord = "record";
inline constexpr const char* kRowDisabled = "disabled";

// In the transaction that makes or changes an account's row: makes its record say the same, or
// makes the record; `row` gets the members above. A box that is new takes up the record that the
// office's account of that name had before, disabled as it may be.
void announceAccount(sync::Work& work, const std::string& by, const std::string& name,
                     http::Json& row);
// The same for accounts made by a version of the program that knew no records of them.
void announceAccounts(server::Node& node);

// A projection: makes an account's row say what has become of its record, and notes in the audit
// log what another node did to it.
void followAccountRecord(storage::Store& store, const sync::Clock& clock, std::string_view node,
                         const sync::Record& record);

struct AccountRecord {
  std::string id;  // UUID
  std::string name;
  std::string role;
  http::Json programmes = http::Json::object();
  std::string office;
  bool isDisabled = false;
  std::string disabledBy;  // "hanna@HQ", who wrote last whether it is; empty: nobody
  std::int64_t disabledMs = 0;
};

struct AccountPage {
  std::vector<AccountRecord> accounts;
  std::string cursor;  // empty: that was all
};

// Those held here, at headquarters all. Throws Failure("case.cursor-malformed").
AccountPage accountRecords(storage::Store& store, const std::string& cursor, int limit);

// At headquarters: disables an account or lets it in again; its office hears of it at its next
// exchange. Throws Failure("account.not-found") and ("access.refused") for one's own.
AccountRecord setDisabled(server::Node& hq, const std::string& uuid, bool isDisabled,
                          const std::string& by);

}  // namespace waystation::access

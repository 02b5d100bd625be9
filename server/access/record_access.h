#pragma once

#include <map>
#include <string>
#include <string_view>

#include "server/access/policy.h"
#include "server/http/json.h"
#include "server/node.h"

namespace waystation::access {

// The policy applied to records: to one, to what a change would write, and to lists. One per
// request; borrows both.
class RecordAccess {
 public:
  RecordAccess(server::Node& node, const Account& account) : node_(node), account_(account) {}

  // Throw Failure as access::require does, and ("record.not-found") for what is not held. Who asks
  // for what is hidden from them leaves an entry in the audit log.
  // `deed`: what is noted where the record is one whose reading leaves an entry.
  Decision requireRead(std::string_view uuid, const char* deed);
  void requireWrite(std::string_view uuid);
  void requireAnswer(std::string_view handoverUuid);  // accepting or declining one
  void requireHandOver(std::string_view rootUuid);

  // Judges every edit of POST /api/v1/changes. Throws also Failure("case.request-malformed") for
  // what it does not understand: nothing unjudged may pass.
  void requireChanges(const http::Json& request);

  // How much of a record, as the record service shows it ("kind", "root"), may be seen.
  Decision mayRead(const http::Json& shown);

  // Whether it may be told that a record was touched; of one that is not held here, to those alone
  // who settle what is kept aside.
  bool mayKnowOf(std::string_view uuid);

  // How many records in conflict may be seen whole.
  std::int64_t countConflicts();

 private:
  struct Place {
    std::string kind;
    std::string rootKind = {};  // empty where the root is not held, and of a root's own
    bool isDisposable = true;
    bool isHere = true;  // in this node's own custody
  };

  Decision judge(Action action, const Place& place) const;
  Decision require(Action action, const Place& place, std::string_view uuid) const;
  Place placeOf(std::string_view uuid);
  std::string kindOf(std::string_view uuid);

  server::Node& node_;
  const Account& account_;
  std::map<std::string, std::string, std::less<>> kinds_;  // by UUID: seen in this request
};

}  // namespace waystation::access

#pragma once

#include <cstdint>
#include <string>

#include "server/node.h"

namespace waystation::cases {

// What headquarters could not let in, as people see it: by whom, when, of which records and fields,
// and why; never the values, which may be of a programme that the reader is no member of.
// {"changes": [{"id", "office", "change", "by", "at", "since", "reason", "state", "records":
// [{"id", "kind", "fields"}], "settledBy"?, "settledAt"?, "why"?}]}, newest first, 200 at most.
// "id" only at headquarters. "state": "refused", "waiting", "released", "discarded".
Json listQuarantine(server::Node& node);

// Headquarters: `person` lets a change in, or keeps it out for good; {"why"} is required. Throws
// "quarantine.*", "case.request-malformed".
Json settleQuarantine(server::Node& node, const std::string& person, const std::string& id,
                      bool release, const Json& request);

}  // namespace waystation::cases

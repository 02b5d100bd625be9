#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sync/record.h"

namespace waystation::sync {

// A value that was decided on others, such as an approval on an amount, is bound to them: a write
// of the part `bound` of its field names what the decider had read of each of them. Where any of
// them has a value since that the decider had not read, the decision is open again: a conflict
// (docs/spec/sync.md, "Parts of a field").

inline constexpr std::string_view kBoundPart = "bound";

// The part's value: the JSON string of a tag that names every one of `fields`, read or not.
std::string boundValue(const ReadContexts& read, const std::vector<std::string>& fields);

// The fields that were written to since a decision by somebody whom the decider had not read;
// empty where `field` is bound to nothing. A pure function of the record.
std::vector<std::string> movedSince(const Record& record, std::string_view field);

}  // namespace waystation::sync

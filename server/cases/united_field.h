#pragma once

#include <string_view>
#include <vector>

#include "server/cases/programme_pack.h"
#include "sync/record.h"
#include "sync/replica.h"

namespace waystation::cases {

// A field with the rule `unite` is a set. To people it is a list of codes; kept it is a part for
// each code, `needs/shelter`, true or false, so that what two people add and remove apart comes
// together, and true wins. A list written whole, from before the pack said `unite`, counts for the
// codes that have no part.

// The codes of the set, in the order of the code list, others after them. Pure.
Json unitedCodes(const Field& field, const sync::Record& record);

// What has to be written for the set to become `codes` (a list, or null) in the eyes of an editor
// who had read `read` of the record: codes that they added, and those that they had seen and
// removed. Of what others did meanwhile nothing is undone. A new record holds and was read nothing.
std::vector<sync::DraftWrite> writesToUnite(const Field& field, const sync::Record& current,
                                            const sync::ReadContexts& read, const Json& codes);

}  // namespace waystation::cases

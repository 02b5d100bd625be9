#pragma once

#include <cstdint>

#include "storage/store.h"
#include "sync/change.h"

namespace waystation::sync {

// What the journal holds under a change's dot. Parts of one change come apart: a node gets what
// lies in its scope, and of a state only the writes that still stand.
enum class Held : std::uint8_t {
  kNothing,
  kPart,   // some of it
  kWhole,  // all of it: nothing new can come of it
  kOther,  // something that is not in it: one dot would have two bodies
};
Held heldOf(storage::Store& store, const Change& change);
// The same of what may itself be a part: other is then only what says otherwise of one field.
Held heldOfPart(storage::Store& store, const Change& part);
// Of an edit of a change, the writes to fields of which the journal holds none under its dot.
Edit missingOf(storage::Store& store, const Dot& dot, const Edit& edit);

}  // namespace waystation::sync

#pragma once

#include <string_view>

#include "storage/store.h"
#include "sync/record.h"

namespace waystation::sync {

// Whether what a write has seen is closed: with each write to this field that it names and that is
// known here, it covers all that that one had seen. What is not would leave two replicas in
// different states, by the order in which they hear of it. `writer`: the write's own dot, which has
// also seen all earlier ones of its replica that `seen` does not list.
bool isClosed(storage::Store& store, const Dot& writer, const RecordId& record,
              std::string_view field, const Context& seen);

}  // namespace waystation::sync

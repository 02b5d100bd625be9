#pragma once

#include <cstdint>
#include <string>

#include "sync/replica.h"

namespace waystation::sync {

bool isUrgent(const UrgentValues& urgent, const Change& change);

// What does not wait its turn (docs/spec/sync.md, "Ahead"): at a leaf whose hub is the root, a
// frame with copies of its own unsent changes that are urgent, and of those before them that they
// build on. Empty where there are none behind `after`, a journal entry. The copies move no cursor;
// the changes themselves follow in their place of the chain. `passesFiles`: what is before them are
// chunks of files, and all changes count as urgent as long as they are few.
struct AheadCopies {
  std::string frame;
  std::int64_t upTo = 0;  // the last entry that was looked at
};
AheadCopies urgentCopies(storage::Store& store, const Replica& replica, std::int64_t acknowledged,
                         std::int64_t after, bool passesFiles = false);

}  // namespace waystation::sync

#pragma once

#include <optional>
#include <string>

#include "sync/replica.h"

namespace waystation::sync {

// Why a change that a leaf sent may not come in; nothing where it may. `link`: the incarnation
// under which the leaf sent it and its number in that chain. The reason is a stable code
// (docs/spec/sync.md, "Admission").
std::optional<std::string> refusalOf(Work& work, const storage::LeafRow& leaf, const Dot& link,
                                     const Change& change);

}  // namespace waystation::sync

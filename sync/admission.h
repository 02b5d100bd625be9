#pragma once

#include <optional>
#include <string>

#include "storage/store.h"
#include "sync/change.h"

namespace waystation::sync {

// Why a change that a leaf sent may not come in; nothing where it may. `incarnation`: under which
// the leaf sent it. The reason is a stable code (docs/spec/sync.md, "Admission").
std::optional<std::string> refusalOf(storage::Store& store, const storage::LeafRow& leaf,
                                     ReplicaId incarnation, const Change& change);

}  // namespace waystation::sync

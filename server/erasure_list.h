#pragma once

#include <filesystem>

#include "storage/store.h"
#include "sync/replica.h"

namespace waystation::server {

// DATA/erasures: every certificate of erasure that the node has ever held, beside the store and
// outside its backups, so that a store brought back from one has what it holds too much erased
// again before anybody sees it (docs/spec/sync.md, "Erasure"). Nothing personal is in it.

// Carries out what the list has and the store has not. Throws Failure("erasure.*").
void takeErasureList(const std::filesystem::path& directory, sync::Replica& replica,
                     storage::Connections& connections);

// Brings the list up to what the store has; durable when it returns.
void writeErasureList(const std::filesystem::path& directory, storage::Store& store,
                      sync::Replica& replica);

}  // namespace waystation::server

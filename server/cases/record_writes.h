#pragma once

#include "server/cases/programme_pack.h"
#include "sync/replica.h"

namespace waystation::cases {

// Appends to `draft` what has to be written for the fields (name -> value, checked already) to
// become these: values as canonical JSON, sets as their parts, decisions with what they are bound
// to. `draft` says of which kind or record, and what the editor had read.
void appendWrites(const Programmes& programmes, sync::Work& work, const Json& fields,
                  sync::DraftEdit& draft);

}  // namespace waystation::cases

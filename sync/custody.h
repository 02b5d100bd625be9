#pragma once

#include <set>
#include <string>
#include <string_view>

#include "sync/replica.h"

namespace waystation::sync {

// Custody of a root is written by headquarters alone, so the dot of the write that gave it is its
// epoch: (HQ's incarnation, n), and n grows (docs/spec/sync.md, "Custody").
Dot custodyEpoch(const Record& root);

// Marks, on its root, a change that a leaf made under an older custody than today's: before it had
// heard of the hand-over. Call after the change was let in, at the root of the tree.
void flagLate(Work& work, const storage::LeafRow& leaf, const Change& change);

// What headquarters alone decides: who holds a root, and what goes along with it.
bool saysWhoHolds(std::string_view field);
bool saysWhoHolds(const Change& change);  // any of its writes

// Whether the root keeps back `named` from whoever gets it.
bool isWithheld(const Record& root, const RecordId& named);
// All that it keeps back.
std::set<RecordId> withheldBy(const Record& root);

// The field of the root that marks a change as late.
std::string lateField(const Dot& dot);

}  // namespace waystation::sync

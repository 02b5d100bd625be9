#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "storage/store.h"
#include "sync/record.h"

namespace waystation::sync {

class Work;

// Which leaf holds which root, and what each has to be told (docs/spec/sync.md, "Scopes and
// feeds"). A leaf holds a root when it has its custody, when the root's scope names it (or is
// "all"), or when a root that it holds names the root and a hub granted it.

// What a root's own record says of who holds it.
void describeRoot(const Record& record, storage::RootRow& root);

// Whether a root with these columns is meant for the leaf.
bool isMeantFor(const storage::RootRow& root, std::string_view leafName);

// After `change` was joined as journal entry `seq`: brings scopes to what the touched roots now
// say and queues what leaves other than `fromLeaf` have to be told. A node without leaves: nothing.
void fanOut(Work& work, const Change& change, std::int64_t seq, std::int64_t fromLeaf);

// A new leaf, or one whose feed has to begin again: queues every root meant for it, and those it
// holds already.
void refillFeed(Work& work, const storage::LeafRow& leaf);

// The part of a change on roots in the leaf's scope; no edits where there are none.
Change projectionFor(storage::Store& store, std::int64_t leaf, const Change& change);

}  // namespace waystation::sync

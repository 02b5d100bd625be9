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

// A leaf that is an office stands for itself and the offices below it; a phone for its office, and
// only at that office: elsewhere it is a guest, whose changes are carried and which gets nothing.
bool isGuest(const storage::LeafRow& leaf, std::string_view node);
bool standsFor(const storage::LeafRow& leaf, std::string_view office);

// Whether a root with these columns is meant for the leaf of a hub of the name `node`.
bool isMeantFor(const storage::RootRow& root, const storage::LeafRow& leaf, std::string_view node);

// After `change` was joined as journal entry `seq`: brings scopes to what the touched roots now
// say and queues what leaves other than `fromLeaf` have to be told; `fromLeaf` as well where the
// change came roundabout. A node without leaves: nothing.
void fanOut(Work& work, const Change& change, std::int64_t seq, std::int64_t fromLeaf,
            bool roundabout);

// A root has to go from a leaf, which may hold it though it is not in its scope.
void release(Work& work, std::int64_t leaf, const std::string& root);
// A leaf holds a root that it may not, by what it sends: it has to go. Unlike after `release`,
// what the leaf writes about the root is not taken, else it could open any root to itself.
void tellToLeave(Work& work, std::int64_t leaf, const std::string& root);

// Before its first leaf a node follows no references: all that stand are to count for that one.
void followAllReferences(Work& work);

// The hub above gave a root (again), or told to let go of it: so are the leaves below.
void grantBelow(Work& work, const std::string& root);
void releaseBelow(Work& work, const std::string& root);
// A root is about to be erased: what the leaves below hold only because it names that, goes.
void releaseNamedBelow(Work& work, const std::string& root);

// A new leaf, or one whose feed has to begin again: queues every root meant for it, and those it
// holds already.
void refillFeed(Work& work, const storage::LeafRow& leaf);

// The part of a change on roots in the leaf's scope; no edits where there are none.
Change projectionFor(storage::Store& store, std::int64_t leaf, const Change& change);

}  // namespace waystation::sync

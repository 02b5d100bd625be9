#include "sync/scopes.h"

#include <map>
#include <set>

#include "sync/replica.h"

namespace waystation::sync {
namespace {

using storage::FeedType;

void grant(Work& work, std::int64_t leaf, const std::string& root) {
  storage::Store& store = work.store();
  if (store.inScope(leaf, root)) return;
  store.addScope(leaf, root);
  store.removeReleasing(leaf, root);
  store.dropLeave(leaf, root);
  store.appendFeed(leaf, FeedType::kEnter, root, 0);
  work.tellLeaves();
}

// A root brings with it the roots that its records name.
void grantWithNamed(Work& work, std::int64_t leaf, const std::string& root) {
  grant(work, leaf, root);
  for (const std::string& named : work.store().namedBy(root)) {
    if (work.store().root(named)) grant(work, leaf, named);
  }
}

void release(Work& work, std::int64_t leaf, const std::string& root) {
  storage::Store& store = work.store();
  store.removeScope(leaf, root);
  store.addReleasing(leaf, root);
  store.appendFeed(leaf, FeedType::kLeave, root, 0);
  work.tellLeaves();
}

// A named root stays where its own fields say so or another root in scope still names it.
void releaseWithNamed(Work& work, const storage::LeafRow& leaf, const std::string& root) {
  release(work, leaf.leaf, root);
  for (const std::string& named : work.store().namedBy(root)) {
    const std::optional<storage::RootRow> row = work.store().root(named);
    if (!row || isMeantFor(*row, leaf.name) || !work.store().inScope(leaf.leaf, named)) continue;
    if (!work.store().isNamedInScope(leaf.leaf, named, root)) release(work, leaf.leaf, named);
  }
}

// Scopes follow what the root says of itself, changed by this very change.
void followRoot(Work& work, const std::string& root, const storage::LeafRow& leaf,
                std::int64_t fromLeaf) {
  const std::optional<storage::RootRow> row = work.store().root(root);
  if (!row) return;
  const bool meant = isMeantFor(*row, leaf.name);
  const bool holds = work.store().inScope(leaf.leaf, root);
  if (meant && !holds && leaf.leaf == fromLeaf) {
    work.store().addScope(leaf.leaf, root);  // it made the root: it has it
  } else if (meant && !holds) {
    grantWithNamed(work, leaf.leaf, root);
  } else if (!meant && holds) {
    releaseWithNamed(work, leaf, root);
  }
}

bool changesHolders(const Edit& edit) {
  for (const Write& write : edit.writes) {
    if (write.field == kKindField || write.field == kCustodyField || write.field == kScopeField) {
      return true;
    }
  }
  return false;
}

// A reference newly written is granted to those who hold the naming root, provided that whoever
// wrote it holds the named one: naming is not getting.
void grantNamedBy(Work& work, const std::string& root, const Edit& edit, std::int64_t fromLeaf) {
  for (const Write& write : edit.writes) {
    if (write.field.starts_with('_')) continue;
    const std::optional<RecordId> named = referencedRecord(write.value);
    if (!named || !work.store().root(named->bytes())) continue;
    if (fromLeaf != 0 && !work.store().inScope(fromLeaf, named->bytes())) continue;
    for (const std::int64_t leaf : work.store().leavesInScope(root)) {
      if (leaf != fromLeaf) grant(work, leaf, named->bytes());
    }
  }
}

}  // namespace

bool isMeantFor(const storage::RootRow& root, std::string_view leafName) {
  if (root.custody == leafName) return true;
  if (root.scope == "\"all\"") return true;
  return root.scope.find(jsonString(leafName)) != std::string::npos && root.scope.starts_with('[');
}

void fanOut(Work& work, const Change& change, std::int64_t seq, std::int64_t fromLeaf) {
  storage::Store& store = work.store();
  const std::vector<storage::LeafRow> leaves = store.leaves();
  if (leaves.empty()) return;
  std::set<std::string> roots;
  for (const Edit& edit : change.edits) {
    const std::optional<storage::RecordRow> row = store.record(edit.record.bytes());
    if (!row) continue;
    roots.insert(row->root);
    if (row->root == row->id && changesHolders(edit)) {
      for (const storage::LeafRow& leaf : leaves) followRoot(work, row->root, leaf, fromLeaf);
    }
    grantNamedBy(work, row->root, edit, fromLeaf);
  }
  std::map<std::int64_t, std::string> told;  // leaf -> a root of the change in its scope
  for (const std::string& root : roots) {
    for (const std::int64_t leaf : store.leavesInScope(root)) told.try_emplace(leaf, root);
  }
  for (const auto& [leaf, root] : told) {
    if (leaf == fromLeaf) continue;
    store.appendFeed(leaf, FeedType::kChange, root, seq);
    work.tellLeaves();
  }
}

void refillFeed(Work& work, const storage::LeafRow& leaf) {
  storage::Store& store = work.store();
  store.clearFeed(leaf.leaf);
  for (const std::string& root : store.rootsMeantFor(leaf.name)) {
    grantWithNamed(work, leaf.leaf, root);
  }
  store.clearFeed(leaf.leaf);
  for (const std::string& root : store.scopesOf(leaf.leaf)) {
    store.appendFeed(leaf.leaf, FeedType::kEnter, root, 0);
  }
  work.tellLeaves();
}

Change projectionFor(storage::Store& store, std::int64_t leaf, const Change& change) {
  Change part = change;
  std::erase_if(part.edits, [&](const Edit& edit) {
    const std::optional<storage::RecordRow> row = store.record(edit.record.bytes());
    return !row || !store.inScope(leaf, row->root);
  });
  return part;
}

}  // namespace waystation::sync

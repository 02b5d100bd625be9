#include "sync/scopes.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "sync/custody.h"
#include "sync/replica.h"

namespace waystation::sync {
namespace {

using storage::FeedType;

// What the leaf holds only because it is named: by this root, or by what this root brought with it.
std::set<std::string> broughtBy(Work& work, const storage::LeafRow& leaf, const std::string& root) {
  storage::Store& store = work.store();
  std::set<std::string> brought;
  std::vector<std::string> waiting{root};
  while (!waiting.empty()) {
    const std::string next = std::move(waiting.back());
    waiting.pop_back();
    for (const std::string& named : store.namedBy(next)) {
      const std::optional<storage::RootRow> row = store.root(named);
      if (!row || isMeantFor(*row, leaf, work.replica().node()) ||
          !store.inScope(leaf.leaf, named) || !brought.insert(named).second)
        continue;
      waiting.push_back(named);
    }
  }
  return brought;
}

// A named root stays where its own fields say so or another root in scope still names it. Those
// that name each other keep each other no longer than something else keeps one of them: all are
// taken out, and what a root in scope names comes back, until nothing more does.
void releaseNamed(Work& work, const storage::LeafRow& leaf, const std::string& root) {
  storage::Store& store = work.store();
  std::set<std::string> brought = broughtBy(work, leaf, root);
  brought.erase(root);
  for (const std::string& named : brought) store.removeScope(leaf.leaf, named);
  for (bool moved = true; moved;) {
    moved = std::erase_if(brought, [&](const std::string& named) {
              if (!store.isNamedInScope(leaf.leaf, named, root)) return false;
              store.addScope(leaf.leaf, named);
              return true;
            }) != 0;
  }
  for (const std::string& named : brought) release(work, leaf.leaf, named);
}

void releaseWithNamed(Work& work, const storage::LeafRow& leaf, const std::string& root) {
  release(work, leaf.leaf, root);
  releaseNamed(work, leaf, root);
}

bool changesHolders(const Edit& edit) {
  for (const Write& write : edit.writes) {
    if (write.field == kKindField || write.field == kCustodyField || write.field == kScopeField) {
      return true;
    }
  }
  return false;
}

bool withholds(const Edit& edit) {
  return std::any_of(edit.writes.begin(), edit.writes.end(),
                     [](const Write& write) { return write.field == kWithheldField; });
}

// What one change means for the leaves.
class FanOut {
 public:
  FanOut(Work& work, std::int64_t fromLeaf, bool roundabout = false)
      : work_(work),
        store_(work.store()),
        fromLeaf_(fromLeaf),
        knowing_(roundabout ? 0 : fromLeaf) {}

  // Scopes follow what the root says of itself, changed by this very change.
  void followRoot(const std::string& root, const std::vector<storage::LeafRow>& leaves) {
    const std::optional<storage::RootRow> row = store_.root(root);
    if (!row) return;
    const std::vector<std::int64_t> holders = store_.leavesInScope(root);
    for (const storage::LeafRow& leaf : leaves) {
      const bool meant = isMeantFor(*row, leaf, work_.replica().node());
      const bool holds = std::find(holders.begin(), holders.end(), leaf.leaf) != holders.end();
      if (meant && !holds && leaf.leaf == knowing_) {
        store_.addScope(leaf.leaf, root);  // it made the root: it has it
      } else if (meant && !holds) {
        grantWithNamed(leaf.leaf, root);
      } else if (!meant && holds) {
        releaseWithNamed(work_, leaf, root);
      }
    }
  }

  // References newly written count, and are granted to those who hold the naming root, only where
  // whoever wrote them holds the named one: naming is not getting.
  void followReferences(const std::string& root, const Edit& edit) {
    for (const Write& write : edit.writes) {
      if (write.field.starts_with('_')) continue;
      const std::optional<RecordId> reference = referencedRecord(write.value);
      if (!reference) continue;
      const std::string named = reference->bytes();
      if (named == root) continue;
      // What this node's own hub names, it may still be about to send; what this node itself named
      // before it was restored, a leaf may still be about to return.
      const bool mayFollow = fromLeaf_ == 0;
      if (!mayFollow && !store_.root(named)) continue;
      if (fromLeaf_ != 0 && !store_.inScope(fromLeaf_, named)) continue;
      if (keepsBack(root, *reference)) continue;
      store_.addName(root, named);
      if (!store_.root(named)) continue;
      for (const std::int64_t leaf : store_.leavesInScope(root)) {
        if (leaf != knowing_) grant(leaf, named);
      }
    }
  }

  // What is withheld at a hand-over no longer comes with the root that names it, and stays where it
  // is.
  void withhold(const std::string& root) {
    const std::optional<Record> record = work_.record(RecordId::fromBytes(root));
    if (!record) return;
    for (const RecordId& named : withheldBy(*record)) store_.removeName(root, named.bytes());
  }

  // A root brings with it the roots that its records name.
  void grantWithNamed(std::int64_t leaf, const std::string& root) {
    grant(leaf, root);
    for (const std::string& named : store_.namedBy(root)) {
      if (store_.root(named)) grant(leaf, named);
    }
  }

  // Queues the change itself; an ENTER queued just now holds it already.
  void tell(const std::set<std::string>& roots, std::int64_t seq) {
    std::map<std::int64_t, std::string> told;  // leaf -> a root of the change in its scope
    for (const std::string& root : roots) {
      for (const std::int64_t leaf : store_.leavesInScope(root)) {
        if (leaf != knowing_ && !store_.isEnterWaiting(leaf, root)) told.try_emplace(leaf, root);
      }
    }
    for (const auto& [leaf, root] : told) {
      store_.appendFeed(leaf, FeedType::kChange, root, seq);
      work_.tellLeaves();
    }
  }

 private:
  bool keepsBack(const std::string& root, const RecordId& named) {
    const std::optional<Record> record = work_.record(RecordId::fromBytes(root));
    return record && isWithheld(*record, named);
  }

  void grant(std::int64_t leaf, const std::string& root) {
    if (store_.inScope(leaf, root) || store_.isLeaving(root)) return;
    const bool comesBack = store_.isReleasing(leaf, root);
    store_.addScope(leaf, root);
    store_.removeReleasing(leaf, root);
    store_.dropLeave(leaf, root);
    store_.appendFeed(leaf, FeedType::kEnter, root, 0);
    // What the leaf writes until it has this ENTER, it writes under the custody before.
    if (comesBack) store_.addReturning(leaf, root, store_.database().lastInsertRowId());
    work_.tellLeaves();
  }

  Work& work_;
  storage::Store& store_;
  std::int64_t fromLeaf_;  // whose change it is; 0: this node's or its hub's
  std::int64_t knowing_;   // the leaf that has it already
};

}  // namespace

void release(Work& work, std::int64_t leaf, const std::string& root) {
  storage::Store& store = work.store();
  store.removeScope(leaf, root);
  store.addReleasing(leaf, root);
  store.appendFeed(leaf, FeedType::kLeave, root, 0);
  work.tellLeaves();
}

void tellToLeave(Work& work, std::int64_t leaf, const std::string& root) {
  storage::Store& store = work.store();
  if (store.inScope(leaf, root) || store.isReleasing(leaf, root)) return;
  store.appendFeed(leaf, FeedType::kLeave, root, 0);  // no more: a refill releases what was held
  work.tellLeaves();
}

void describeRoot(const Record& record, storage::RootRow& root) {
  root.scope = record.value(kScopeField);
  const std::string_view custody = plainText(record.value(kCustodyField));
  root.custody = custody.empty() ? officeOf(latest(*record.field(kKindField)).author) : custody;
}

bool isGuest(const storage::LeafRow& leaf, std::string_view node) {
  return !leaf.home.empty() && leaf.home != node;
}

bool standsFor(const storage::LeafRow& leaf, std::string_view office) {
  if (!leaf.home.empty()) return office == leaf.home;
  return office == leaf.name ||
         std::find(leaf.offices.begin(), leaf.offices.end(), office) != leaf.offices.end();
}

bool isMeantFor(const storage::RootRow& root, const storage::LeafRow& leaf, std::string_view node) {
  if (isGuest(leaf, node)) return false;
  if (root.scope == "\"all\"" || standsFor(leaf, root.custody)) return true;
  if (!root.scope.starts_with('[')) return false;
  const auto isNamed = [&](const std::string& office) {
    return root.scope.find(jsonString(office)) != std::string::npos;
  };
  return isNamed(leaf.home.empty() ? leaf.name : leaf.home) ||
         std::any_of(leaf.offices.begin(), leaf.offices.end(), isNamed);
}

void fanOut(Work& work, const Change& change, std::int64_t seq, std::int64_t fromLeaf,
            bool roundabout) {
  storage::Store& store = work.store();
  const std::vector<storage::LeafRow> leaves = store.leaves();
  if (leaves.empty()) return;
  FanOut out(work, fromLeaf, roundabout);
  std::set<std::string> roots;
  std::vector<std::pair<std::string, const Edit*>> edits;
  for (const Edit& edit : change.edits) {
    const std::optional<storage::RecordRow> row = store.record(edit.record.bytes());
    if (!row) continue;
    roots.insert(row->root);
    edits.emplace_back(row->root, &edit);
    if (row->root == row->id && withholds(edit)) out.withhold(row->root);
    if (row->root == row->id && changesHolders(edit)) {
      out.followRoot(row->root, leaves);
    }
  }
  for (const auto& [root, edit] : edits) out.followReferences(root, *edit);
  out.tell(roots, seq);
}

void followAllReferences(Work& work) {
  storage::Store& store = work.store();
  FanOut out(work, 0);
  store.eachRecord([&](const storage::RecordRow& row) {
    const RecordId id = RecordId::fromBytes(row.id);
    for (const Change& change : prunedChanges(decodeState(id, row.state))) {
      for (const Edit& edit : change.edits) out.followReferences(row.root, edit);
    }
  });
}

void grantBelow(Work& work, const std::string& root) {
  storage::Store& store = work.store();
  const std::optional<storage::RootRow> row = store.root(root);
  if (!row) return;
  FanOut out(work, 0);
  for (const storage::LeafRow& leaf : store.leaves()) {
    if (isMeantFor(*row, leaf, work.replica().node()) ||
        store.isNamedInScope(leaf.leaf, root, root)) {
      out.grantWithNamed(leaf.leaf, root);
    }
  }
}

void releaseBelow(Work& work, const std::string& root) {
  for (const std::int64_t leaf : work.store().leavesInScope(root)) release(work, leaf, root);
}

void releaseNamedBelow(Work& work, const std::string& root) {
  for (const storage::LeafRow& leaf : work.store().leaves()) {
    if (work.store().inScope(leaf.leaf, root)) releaseNamed(work, leaf, root);
  }
}

void refillFeed(Work& work, const storage::LeafRow& leaf) {
  storage::Store& store = work.store();
  FanOut out(work, 0);
  std::vector<std::string> offices = leaf.offices;
  offices.push_back(leaf.home.empty() ? leaf.name : leaf.home);
  if (isGuest(leaf, work.replica().node())) offices.clear();
  for (const std::string& office : offices) {
    for (const std::string& root : store.rootsMeantFor(office)) {
      out.grantWithNamed(leaf.leaf, root);
    }
  }
  store.clearFeed(leaf.leaf);
  store.setMetaNumber("feed.base." + std::to_string(leaf.leaf),
                      static_cast<std::int64_t>(store.numberedFeed(leaf.leaf)));
  // It may be an older copy of the leaf that asks, which holds again what it had let go of.
  for (const std::string& root : store.releasingOrReleased(leaf.leaf)) {
    store.addReleasing(leaf.leaf, root);
    store.appendFeed(leaf.leaf, FeedType::kLeave, root, 0);
  }
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

#include "sync/admission.h"

#include <set>

namespace waystation::sync {
namespace {

bool isBirth(const Edit& edit) {
  for (const Write& write : edit.writes) {
    if (write.field == kKindField) return true;
  }
  return false;
}

bool seesItself(const Change& change, const Write& write) {
  for (const Context::Entry& entry : write.seen.entries()) {
    if (entry.replica == change.dot.replica && entry.upTo >= change.dot.counter) return true;
  }
  return false;
}

std::optional<std::string> refusalOfField(const Change& change, const Edit& edit,
                                          const Write& write) {
  if (seesItself(change, write)) return "seen-reaches-itself";
  if (!write.field.starts_with('_')) return std::nullopt;
  const bool atBirth = write.field == kKindField || write.field == kRootField;
  if (!atBirth) return "field-is-headquarters";
  if (!isBirth(edit) || edit.record.replica != change.dot.replica) return "birth-is-not-its-own";
  return std::nullopt;
}

// The root that a newborn record says it belongs to.
RecordId rootOf(const Edit& edit) {
  for (const Write& write : edit.writes) {
    if (write.field == kRootField) return referencedRecord(write.value).value_or(edit.record);
  }
  return edit.record;
}

bool mayWrite(storage::Store& store, const storage::LeafRow& leaf, const std::string& root) {
  return store.inScope(leaf.leaf, root) || store.isReleasing(leaf.leaf, root);
}

}  // namespace

std::optional<std::string> refusalOf(storage::Store& store, const storage::LeafRow& leaf,
                                     ReplicaId incarnation, const Change& change) {
  if (change.dot.replica != incarnation) return "replica-is-foreign";
  if (officeOf(change.author) != leaf.name) return "author-is-foreign";
  std::set<std::string> bornRoots;
  for (const Edit& edit : change.edits) {
    if (isBirth(edit) && rootOf(edit) == edit.record) bornRoots.insert(edit.record.bytes());
  }
  for (const Edit& edit : change.edits) {
    for (const Write& write : edit.writes) {
      if (std::optional<std::string> reason = refusalOfField(change, edit, write)) return reason;
    }
    const std::optional<storage::RecordRow> row = store.record(edit.record.bytes());
    if (row && isBirth(edit)) return "born-twice";
    if (row && !mayWrite(store, leaf, row->root)) return "record-is-not-the-offices";
    if (row) continue;
    if (!isBirth(edit)) return "birth-is-missing";
    const std::string root = rootOf(edit).bytes();
    if (!bornRoots.contains(root) && !mayWrite(store, leaf, root)) {
      return "record-is-not-the-offices";
    }
  }
  return std::nullopt;
}

}  // namespace waystation::sync

#include "sync/admission.h"

#include <set>

#include "sync/held.h"
#include "sync/scopes.h"

namespace waystation::sync {
namespace {

bool seesItself(const Change& change, const Write& write) {
  for (const Context::Entry& entry : write.seen.entries()) {
    if (entry.replica == change.dot.replica && entry.upTo >= change.dot.counter) return true;
  }
  return false;
}

// Whoever claims to have read what nobody has written yet would make it vanish when it comes. Of
// replicas that this hub does not know, nothing is to come: they wrote before it was restored.
bool seesTheFuture(Work& work, const Change& change, const Write& write) {
  for (const Context::Entry& entry : write.seen.entries()) {
    if (entry.replica == change.dot.replica) continue;
    const Dot own = work.lastDot();
    const std::optional<std::uint64_t> known =
        entry.replica == own.replica ? own.counter : work.store().chainNumber(entry.replica);
    if (known && entry.upTo > *known) return true;
  }
  return false;
}

std::optional<std::string> refusalOfField(Work& work, const Change& change, const Edit& edit,
                                          const Write& write) {
  if (seesItself(change, write)) return "seen-reaches-itself";
  if (seesTheFuture(work, change, write)) return "seen-is-beyond-what-is-held";
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

// It came before, in part.
bool isBirthOf(const storage::RecordRow& row, const Dot& dot) {
  const Record record = decodeState(RecordId::fromBytes(row.id), row.state);
  const Field* kind = record.field(kKindField);
  return kind != nullptr && kind->front().dot == dot;
}

bool mayWrite(storage::Store& store, const storage::LeafRow& leaf, const std::string& root) {
  return store.inScope(leaf.leaf, root) || store.isReleasing(leaf.leaf, root);
}

}  // namespace

std::optional<std::string> refusalOf(Work& work, const storage::LeafRow& leaf, const Dot& link,
                                     const Change& change) {
  storage::Store& store = work.store();
  if (change.dot.replica != link.replica) return "replica-is-foreign";
  if (change.dot.counter > link.counter) return "counter-is-beyond-the-chain";
  if (heldOf(store, change) == Held::kOther) return "dot-is-used";
  if (!standsFor(leaf, officeOf(change.author))) return "author-is-foreign";
  std::set<std::string> bornRoots;
  for (const Edit& edit : change.edits) {
    if (isBirth(edit) && rootOf(edit) == edit.record) bornRoots.insert(edit.record.bytes());
  }
  for (const Edit& edit : change.edits) {
    for (const Write& write : edit.writes) {
      if (std::optional<std::string> reason = refusalOfField(work, change, edit, write)) {
        return reason;
      }
    }
    const std::optional<storage::RecordRow> row = store.record(edit.record.bytes());
    if (row && isBirth(edit) && !isBirthOf(*row, change.dot)) return "born-twice";
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

// Taking a change back out of the records: each is joined anew from all the others in the journal.

#include <algorithm>
#include <cstdint>

#include "sync/joined_record.h"

namespace waystation::sync {

void Work::withdrawFrom(const storage::RecordRow& row, const Dot& dot) {
  Joined joined;
  joined.row = row;
  joined.record.id = RecordId::fromBytes(row.id);
  joined.before = stateHash(joined.record, row.state);
  for (const storage::JournalRow& entry : store_.journalOfRecord(row.row, INT64_MAX, INT32_MAX)) {
    if (entry.replica == dot.replica && entry.counter == dot.counter) continue;
    const Change change = decodeChange(entry.body);
    for (const Edit& edit : change.edits) {
      if (edit.record == joined.record.id) joinEdit(joined.record, change, edit);
    }
  }
  const Projection& projection = replica_.settings_.projection;
  if (joined.record.isBorn()) {
    fillRow(joined);
    store_.putRecord(joined.row);
    updateRoot(joined);
    if (projection) projection(store_, row.row, &joined.record);
  } else if (row.root == row.id) {
    evict(row.root);
  } else {
    scopesMoved_ = true;
    removeFromRoot(row.root, joined.before);
    store_.removeRecord(row.row);
    if (projection) projection(store_, row.row, nullptr);
  }
}

void Work::removeFromRoot(const std::string& id, const StateSum& term) {
  std::optional<storage::RootRow> root = store_.root(id);
  if (!root) return;
  StateSum sum = sumFromBytes(root->digest);
  subtractFrom(sum, term);
  root->digest = sumBytes(sum);
  --root->records;
  store_.putRoot(id, *root);
}

bool Work::withdraw(const Dot& dot, std::int64_t acknowledgedSeq) {
  const std::optional<std::int64_t> seq = store_.journalSeq(dot.replica, dot.counter);
  const std::optional<storage::JournalRow> entry = seq ? store_.journal(*seq) : std::nullopt;
  if (!entry) return false;
  const Change change = decodeChange(entry->body);
  for (const Edit& edit : change.edits) {
    const std::optional<storage::RecordRow> row = store_.record(edit.record.bytes());
    if (row && store_.lastUpwardSeqOfRoot(row->root) > acknowledgedSeq) return false;
  }
  for (const Edit& edit : change.edits) {
    const std::optional<storage::RecordRow> row = store_.record(edit.record.bytes());
    if (row) withdrawFrom(*row, dot);
  }
  store_.removeJournal(*seq);
  return true;
}

}  // namespace waystation::sync

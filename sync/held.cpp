#include "sync/held.h"

#include <algorithm>
#include <set>

namespace waystation::sync {
namespace {

const Edit* editOf(const Change& change, const RecordId& record) {
  const auto at = std::find_if(change.edits.begin(), change.edits.end(),
                               [&](const Edit& edit) { return edit.record == record; });
  return at == change.edits.end() ? nullptr : &*at;
}

bool contains(const Edit& edit, const Edit& part) {
  return std::all_of(part.writes.begin(), part.writes.end(), [&](const Write& write) {
    return std::find(edit.writes.begin(), edit.writes.end(), write) != edit.writes.end();
  });
}

}  // namespace

Held heldOf(storage::Store& store, const Change& change) {
  const std::vector<storage::JournalRow> rows =
      store.journalOfDot(change.dot.replica, change.dot.counter);
  if (rows.empty()) return Held::kNothing;
  std::set<RecordId> whole;
  for (const storage::JournalRow& row : rows) {
    const Change held = decodeChange(row.body);
    if (held.time != change.time || held.author != change.author) return Held::kOther;
    for (const Edit& part : held.edits) {
      const Edit* edit = editOf(change, part.record);
      if (edit == nullptr || !contains(*edit, part)) return Held::kOther;
      if (part.writes.size() == edit->writes.size()) whole.insert(part.record);
    }
  }
  return whole.size() == change.edits.size() ? Held::kWhole : Held::kPart;
}

}  // namespace waystation::sync

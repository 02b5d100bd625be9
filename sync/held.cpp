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

// What the writes of two parts of one change have to do with each other.
bool contradicts(const Edit& a, const Edit& b) {
  return std::any_of(a.writes.begin(), a.writes.end(), [&](const Write& write) {
    return std::any_of(b.writes.begin(), b.writes.end(), [&](const Write& other) {
      return write.field == other.field && !(write == other);
    });
  });
}

}  // namespace

Held heldOfPart(storage::Store& store, const Change& part) {
  const std::vector<storage::JournalRow> rows =
      store.journalOfDot(part.dot.replica, part.dot.counter);
  if (rows.empty()) return Held::kNothing;
  Change missing = part;
  for (const storage::JournalRow& row : rows) {
    const Change held = decodeChange(row.body);
    if (held.time != part.time || held.author != part.author) return Held::kOther;
    for (Edit& edit : missing.edits) {
      const Edit* known = editOf(held, edit.record);
      if (known == nullptr) continue;
      if (contradicts(*known, edit)) return Held::kOther;
      std::erase_if(edit.writes, [&](const Write& write) {
        return std::find(known->writes.begin(), known->writes.end(), write) != known->writes.end();
      });
    }
  }
  const bool all = std::all_of(missing.edits.begin(), missing.edits.end(),
                               [](const Edit& edit) { return edit.writes.empty(); });
  return all ? Held::kWhole : Held::kPart;
}

Edit missingOf(storage::Store& store, const Dot& dot, const Edit& edit) {
  Edit missing = edit;
  for (const storage::JournalRow& row : store.journalOfDot(dot.replica, dot.counter)) {
    const Change held = decodeChange(row.body);
    const Edit* known = editOf(held, edit.record);
    if (known == nullptr) continue;
    std::erase_if(missing.writes, [&](const Write& write) {
      return std::any_of(known->writes.begin(), known->writes.end(),
                         [&](const Write& other) { return other.field == write.field; });
    });
  }
  return missing;
}

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

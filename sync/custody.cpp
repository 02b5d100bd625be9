#include "sync/custody.h"

#include <algorithm>
#include <vector>

namespace waystation::sync {
namespace {

constexpr const char* kHeadquartersPerson = "headquarters";

bool isOlder(storage::Store& store, const storage::LeafRow& leaf, std::string_view root) {
  return store.isReleasing(leaf.leaf, root) || store.isReturning(leaf.leaf, root);
}

}  // namespace

Dot custodyEpoch(const Record& root) {
  const Field* custody = root.field(kCustodyField);
  return latest(custody != nullptr ? *custody : *root.field(kKindField)).dot;
}

bool saysWhoHolds(std::string_view field) {
  return field == kCustodyField || field == kScopeField || field == kWithheldField;
}

bool saysWhoHolds(const Change& change) {
  return std::any_of(change.edits.begin(), change.edits.end(), [](const Edit& edit) {
    return std::any_of(edit.writes.begin(), edit.writes.end(),
                       [](const Write& write) { return saysWhoHolds(write.field); });
  });
}

std::string lateField(const Dot& dot) {
  return std::string(kLatePrefix) + RecordId{dot.replica, dot.counter}.uuid();
}

void flagLate(Work& work, const storage::LeafRow& leaf, const Change& change) {
  std::set<std::string> roots;
  for (const Edit& edit : change.edits) {
    const std::optional<storage::RecordRow> row = work.store().record(edit.record.bytes());
    if (row && isOlder(work.store(), leaf, row->root)) roots.insert(row->root);
  }
  std::vector<DraftEdit> drafts;
  for (const std::string& root : roots) {
    DraftEdit draft;
    draft.record = RecordId::fromBytes(root);
    draft.sawCurrent = true;
    draft.writes = {{lateField(change.dot), "true"}};
    drafts.push_back(std::move(draft));
  }
  if (!drafts.empty()) work.save(kHeadquartersPerson, drafts);
}

std::set<RecordId> withheldBy(const Record& root) {
  std::set<RecordId> withheld;
  const std::string_view value = root.value(kWithheldField);
  std::size_t at = value.find('"');
  while (at != std::string_view::npos) {
    const std::size_t end = value.find('"', at + 1);
    if (end == std::string_view::npos) break;
    if (const auto id = referencedRecord(value.substr(at, end + 1 - at))) withheld.insert(*id);
    at = value.find('"', end + 1);
  }
  return withheld;
}

bool isWithheld(const Record& root, const RecordId& named) {
  return withheldBy(root).contains(named);
}

}  // namespace waystation::sync

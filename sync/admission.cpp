#include "sync/admission.h"

#include <algorithm>
#include <array>
#include <set>

#include "sync/closure.h"
#include "sync/deletion.h"
#include "sync/held.h"
#include "sync/scopes.h"

namespace waystation::sync {
namespace {

enum class Moment { kBirth, kLater, kAny };

// Who may write: whoever works on the root, its custodian alone, headquarters.
enum class Writer { kHolder, kCustodian, kHeadquarters };

// The first row that fits the kind, the field and the moment decides.
struct FieldRule {
  std::string_view kind;   // empty: any
  std::string_view field;  // ending in '*': every field that begins so
  Moment moment;
  Writer writer;
};

constexpr std::array kFieldRules = {
    FieldRule{"account", "disabled", Moment::kAny, Writer::kHeadquarters},
    FieldRule{"account", "name", Moment::kLater, Writer::kHeadquarters},
    FieldRule{"account", kDeletedField, Moment::kAny, Writer::kHeadquarters},
    FieldRule{"", kKindField, Moment::kBirth, Writer::kHolder},
    FieldRule{"", kRootField, Moment::kBirth, Writer::kHolder},
    FieldRule{"", kDeletedField, Moment::kLater, Writer::kHolder},
    FieldRule{"", "_bound/*", Moment::kAny, Writer::kHolder},
    FieldRule{"", "_*", Moment::kAny, Writer::kHeadquarters},
    FieldRule{"handover", "answer", Moment::kLater, Writer::kCustodian},
    FieldRule{"handover", "*", Moment::kBirth, Writer::kCustodian},
    FieldRule{"handover", "*", Moment::kLater, Writer::kHeadquarters},
    FieldRule{"file", "*", Moment::kLater, Writer::kHeadquarters},
    FieldRule{"", "*", Moment::kAny, Writer::kHolder},
};

bool fits(std::string_view pattern, std::string_view field) {
  if (!pattern.ends_with('*')) return pattern == field;
  return field.starts_with(pattern.substr(0, pattern.size() - 1));
}

Writer writerOf(std::string_view kind, std::string_view field, bool atBirth) {
  const Moment now = atBirth ? Moment::kBirth : Moment::kLater;
  const auto* const rule =
      std::find_if(kFieldRules.begin(), kFieldRules.end(), [&](const FieldRule& row) {
        return (row.kind.empty() || row.kind == kind) && fits(row.field, field) &&
               (row.moment == Moment::kAny || row.moment == now);
      });
  return rule->writer;  // the last row fits everything
}

// What the leaf is to a root.
enum class Standing { kNone, kWorks, kCustodian };

Standing standingOn(storage::Store& store, const storage::LeafRow& leaf, const std::string& root) {
  // What it wrote before it heard that the case had gone is taken.
  if (store.isReleasing(leaf.leaf, root)) return Standing::kCustodian;
  if (!store.inScope(leaf.leaf, root)) return Standing::kNone;
  const bool isCustodian = store.root(root).value().custody == leaf.name;
  return isCustodian ? Standing::kCustodian : Standing::kWorks;
}

bool seesItself(const Change& change, const Context& seen) {
  return std::any_of(seen.entries().begin(), seen.entries().end(), [&](const auto& entry) {
    return entry.replica == change.dot.replica && entry.upTo >= change.dot.counter;
  });
}

// Whoever claims to have read what nobody has written yet would make it vanish when it comes. Of
// replicas that this hub does not know, nothing is to come: they wrote before it was restored.
Judgement judgeSeen(Work& work, const Change& change, const Context& seen) {
  for (const Context::Entry& entry : seen.entries()) {
    if (entry.replica == change.dot.replica) continue;
    const Dot own = work.lastDot();
    if (entry.replica == own.replica) {
      if (entry.upTo > own.counter) return {"seen-was-never-written", std::nullopt};
      continue;
    }
    const std::optional<std::uint64_t> known = work.store().chainNumber(entry.replica);
    // What was lost with its chain may have come home by itself.
    const bool isHeld = work.store().journalSeq(entry.replica, entry.upTo).has_value();
    if (known && entry.upTo > *known && !isHeld) {
      return {"seen-is-beyond-what-is-held", Awaited{{entry.replica, entry.upTo}, {}}};
    }
  }
  return {};
}

Judgement judgeContext(Work& work, const Change& change, const RecordId& record,
                       std::string_view field, const Context& seen) {
  if (seesItself(change, seen)) return {"seen-reaches-itself", std::nullopt};
  const Judgement judgement = judgeSeen(work, change, seen);
  if (!judgement.letsIn()) return judgement;
  if (!isClosed(work.store(), change.dot, record, field, seen)) {
    return {"seen-is-not-closed", std::nullopt};
  }
  return {};
}

// What a deletion says was read is held to the same rules as what a write has seen.
Judgement judgeDeletion(Work& work, const Change& change, const RecordId& record,
                        const std::string& value) {
  if (value == kNotDeleted) return {};
  const std::optional<ReadContexts> read = deletionOf(value);
  if (!read) return {"deletion-is-malformed", std::nullopt};
  for (const auto& [field, context] : *read) {
    const Judgement judgement = judgeContext(work, change, record, field, context);
    if (!judgement.letsIn()) return judgement;
  }
  return {};
}

// The root that a newborn record says it belongs to.
RecordId rootOf(const Edit& edit) {
  for (const Write& write : edit.writes) {
    if (write.field == kRootField) return referencedRecord(write.value).value_or(edit.record);
  }
  return edit.record;
}

// It came before, in part. What is held has been born.
bool isBirthOf(const storage::RecordRow& row, const Dot& dot) {
  const Record record = decodeState(RecordId::fromBytes(row.id), row.state);
  return record.field(kKindField)->front().dot == dot;
}

std::string kindOf(const Edit& birth) {
  const auto kind = std::find_if(birth.writes.begin(), birth.writes.end(),
                                 [](const Write& write) { return write.field == kKindField; });
  return std::string(plainText(kind->value));
}

// Where an edit goes: the record's kind, and what its writer is to its root.
struct Place {
  std::string kind;
  Standing standing = Standing::kNone;
  bool atBirth = false;
};

Judgement judgeEdit(Work& work, const Change& change, const Edit& edit, const Place& place) {
  for (const Write& write : edit.writes) {
    const Writer writer = writerOf(place.kind, write.field, place.atBirth);
    if (writer == Writer::kHeadquarters) return {"field-is-headquarters", std::nullopt};
    if (writer == Writer::kCustodian && place.standing != Standing::kCustodian) {
      return {"field-is-the-custodians", std::nullopt};
    }
    Judgement judgement = judgeContext(work, change, edit.record, write.field, write.seen);
    if (judgement.letsIn() && write.field == kDeletedField) {
      judgement = judgeDeletion(work, change, edit.record, write.value);
    }
    if (!judgement.letsIn()) return judgement;
  }
  return {};
}

class ContentJudge {
 public:
  ContentJudge(Work& work, const storage::LeafRow& leaf, const Change& change)
      : work_(work), store_(work.store()), leaf_(leaf), change_(change) {
    for (const Edit& edit : change.edits) {
      if (isBirth(edit) && rootOf(edit) == edit.record) bornRoots_.insert(edit.record);
    }
  }

  Judgement judge() {
    for (const Edit& edit : change_.edits) {
      Place place;
      Judgement judgement = find(edit, place);
      if (judgement.letsIn()) judgement = judgeEdit(work_, change_, edit, place);
      if (!judgement.letsIn()) return judgement;
    }
    return {};
  }

 private:
  Judgement find(const Edit& edit, Place& place) {
    const std::optional<storage::RecordRow> row = store_.record(edit.record.bytes());
    place.atBirth = isBirth(edit);
    if (row) {
      if (place.atBirth && !isBirthOf(*row, change_.dot)) return {"born-twice", std::nullopt};
      place.kind = row->kind;
      return standOn(row->root, place);
    }
    if (!place.atBirth) return {"birth-is-missing", Awaited{{}, edit.record}};
    if (edit.record.replica != change_.dot.replica) return {"birth-is-not-its-own", std::nullopt};
    place.kind = kindOf(edit);
    const RecordId root = rootOf(edit);
    if (bornRoots_.contains(root)) {
      place.standing = Standing::kCustodian;
      return {};
    }
    if (!store_.root(root.bytes())) return {"birth-is-missing", Awaited{{}, root}};
    return standOn(root.bytes(), place);
  }

  Judgement standOn(const std::string& root, Place& place) {
    place.standing = standingOn(store_, leaf_, root);
    if (place.standing == Standing::kNone) return {"record-is-not-the-offices", std::nullopt};
    return {};
  }

  Work& work_;
  storage::Store& store_;
  const storage::LeafRow& leaf_;
  const Change& change_;
  std::set<RecordId> bornRoots_;
};

}  // namespace

Judgement judge(Work& work, const storage::LeafRow& leaf, const Dot& link, const Change& change) {
  if (change.dot.replica != link.replica) return {"replica-is-foreign", std::nullopt};
  if (change.dot.counter > link.counter) return {"counter-is-beyond-the-chain", std::nullopt};
  if (heldOfPart(work.store(), change) == Held::kOther) return {"dot-is-used", std::nullopt};
  if (!standsFor(leaf, officeOf(change.author))) return {"author-is-foreign", std::nullopt};
  return judgeContent(work, leaf, change);
}

Judgement judgeContent(Work& work, const storage::LeafRow& leaf, const Change& change) {
  return ContentJudge(work, leaf, change).judge();
}

}  // namespace waystation::sync

#include <algorithm>

#include "crypto/failure.h"
#include "sync/ahead.h"
#include "sync/binding.h"
#include "sync/custody.h"
#include "sync/deletion.h"
#include "sync/erasure.h"
#include "sync/held.h"
#include "sync/joined_record.h"
#include "sync/replica.h"
#include "sync/reports.h"
#include "sync/scopes.h"

namespace waystation::sync {
namespace {

Failure recordNotFound() {
  return {"record.not-found",
          "This record is not held here: it was never here, or it was handed to another office. "
          "Nothing was saved."};
}

// Headquarters would not let it in.
void requireUnreserved(const DraftEdit& draft, bool isHeadquarters) {
  for (const DraftWrite& write : draft.writes) {
    if (!write.field.starts_with('_')) continue;
    if (write.field == kDeletedField ? !draft.isNew : isHeadquarters) continue;
    throw Failure("case.reserved-field",
                  "Only headquarters may write the field " + write.field + ". Nothing was saved.");
  }
}

// A tag can only name what the record has held: anything beyond is not one of ours.
void checkTag(const Context& claimed, const Field* field) {
  const Context held = field == nullptr ? Context{} : contextOf(*field);
  for (const Context::Entry& entry : claimed.entries()) {
    const bool known = std::any_of(
        held.entries().begin(), held.entries().end(),
        [&](const auto& e) { return e.replica == entry.replica && e.upTo >= entry.upTo; });
    if (!known) {
      throw Failure("case.tag-malformed",
                    "The tag sent with this save names a state that this record never had. Nothing "
                    "was saved; open the record again and repeat the edit.");
    }
  }
}

// What a new write by `replica` has seen. Of its own replica's writes to the field it is taken to
// have seen all but those listed, so only those that the editor had not read are listed.
Context seenOf(const Context& read, const Field* field, ReplicaId replica) {
  Context seen;
  Context::Entry unread{replica, 0, {}};
  for (const Context::Entry& entry : read.entries()) {
    if (entry.replica == replica) {
      unread.except = entry.except;
    } else {
      seen.add(entry);
    }
  }
  if (field != nullptr) {
    for (const Sibling& sibling : *field) {
      if (sibling.dot.replica == replica && !read.covers(sibling.dot)) {
        unread.except.push_back(sibling.dot.counter);
      }
    }
  }
  std::sort(unread.except.begin(), unread.except.end());
  unread.except.erase(std::unique(unread.except.begin(), unread.except.end()), unread.except.end());
  if (!unread.except.empty()) {
    unread.upTo = unread.except.back();
    seen.add(std::move(unread));
  }
  return seen;
}

bool alreadySo(const Field* field, const std::string& value) {
  return field != nullptr && field->size() == 1 && field->front().value == value;
}

// What an editor had read of a record: all that it holds now, or what the tag says.
ReadContexts readBy(const DraftEdit& draft, const Record& current) {
  if (draft.sawCurrent) return contextsOf(current);
  return draft.tag ? decodeTag(*draft.tag) : ReadContexts{};
}

// Deletes or restores: whoever asks for it says "true" or "false", the record says what was read.
// Nothing where it is already so.
std::optional<std::string> deletionToWrite(const DraftWrite& write, const ReadContexts& read,
                                           const Record& current) {
  const bool deletes = write.value == "true";
  if (!deletes && write.value != kNotDeleted) {
    throw Failure("case.request-malformed",
                  "A record is deleted with true and restored with false. Nothing was saved.");
  }
  if (deletes ? isHidden(current) : !isHidden(current) && !isDeletionOpen(current)) {
    return std::nullopt;
  }
  if (!deletes) return std::string(kNotDeleted);
  for (const auto& [name, context] : read) checkTag(context, current.field(name));
  return deletionValue(read);
}

// What the writer of a decision had read of the values that it was taken on.
std::string bindingToWrite(const DraftWrite& write, const ReadContexts& read,
                           const Record& current) {
  for (const std::string& name : write.boundTo) {
    if (const auto at = read.find(name); at != read.end()) {
      checkTag(at->second, current.field(name));
    }
  }
  return boundValue(read, write.boundTo);
}

// Nothing where the field holds that value already.
void addWrite(Edit& edit, const std::string& name, std::string value, const ReadContexts& readAll,
              const Record& current, const Dot& dot) {
  const Field* const field = current.field(name);
  if (alreadySo(field, value)) return;
  Context read;
  if (const auto at = readAll.find(name); at != readAll.end()) {
    checkTag(at->second, field);
    read = at->second;
  }
  edit.writes.push_back({name, seenOf(read, field, dot.replica), std::move(value)});
}

}  // namespace

RecordId Work::newRecord() {
  return {state_.incarnation, ++state_.lastRecord};
}

std::optional<Record> Work::record(const RecordId& id) {
  const std::optional<storage::RecordRow> row = store_.record(id.bytes());
  if (!row) return std::nullopt;
  return decodeState(id, row->state);
}

void Work::requireStaying(const Record& record) {
  if (!store_.isLeaving(record.root().bytes())) return;
  throw Failure("case.handed-over",
                "This case has been handed to another office and is about to leave this server. "
                "Nothing was saved; tell the other office what has to be added.");
}

// A record is born into a root that is here, or is born by the same save.
Edit Work::draftBirth(const DraftEdit& draft, const std::vector<DraftEdit>& all) {
  Edit edit{draft.record, {}};
  edit.writes.push_back({std::string(kKindField), {}, jsonString(draft.kind)});
  if (draft.root && *draft.root != draft.record) {
    RecordId root = *draft.root;
    const auto born = std::find_if(all.begin(), all.end(), [&](const DraftEdit& other) {
      return other.isNew && other.record == root;
    });
    if (born != all.end()) {
      root = born->root.value_or(root);
    } else {
      const std::optional<Record> held = record(root);
      if (!held) throw recordNotFound();
      requireStaying(*held);
      root = held->root();
    }
    edit.writes.push_back({std::string(kRootField), {}, referenceValue(root)});
  }
  for (const DraftWrite& write : draft.writes) {
    edit.writes.push_back({write.field, {}, write.value});
    if (write.boundTo.empty()) continue;
    edit.writes.push_back(
        {partName(write.field, kBoundPart), {}, boundValue(ReadContexts{}, write.boundTo)});
  }
  return edit;
}

Edit Work::draftEdit(const DraftEdit& draft, const Dot& dot, const std::vector<DraftEdit>& all) {
  if (draft.isNew) return draftBirth(draft, all);
  Edit edit{draft.record, {}};
  const std::optional<Record> current = record(draft.record);
  if (!current) throw recordNotFound();
  requireStaying(*current);
  const ReadContexts readAll = readBy(draft, *current);
  for (const DraftWrite& write : draft.writes) {
    if (saysWhoHolds(write.field)) requireReports(store_, "handed over");
    std::string value = write.value;
    if (write.field == kDeletedField) {
      std::optional<std::string> deletion = deletionToWrite(write, readAll, *current);
      if (!deletion) continue;
      value = std::move(*deletion);
    } else if (!write.boundTo.empty()) {
      const std::string part = partName(write.field, kBoundPart);
      addWrite(edit, part, bindingToWrite(write, readAll, *current), readAll, *current, dot);
    }
    addWrite(edit, write.field, std::move(value), readAll, *current, dot);
  }
  return edit;
}

Change Work::draftChange(const std::string& person, const std::vector<DraftEdit>& edits) {
  Change change;
  change.dot = {state_.incarnation, state_.lastCounter + 1};
  for (const DraftEdit& draft : edits) {
    requireUnreserved(draft, !replica_.hasHub());
    Edit edit = draftEdit(draft, change.dot, edits);
    if (!edit.writes.empty()) change.edits.push_back(std::move(edit));
  }
  sortEdits(change);
  HybridClock clock(replica_.clock_, state_.lastTime);
  change.time = clock.next();
  change.author = person + "@" + replica_.node();
  return change;
}

std::optional<Dot> Work::save(const std::string& person, const std::vector<DraftEdit>& edits) {
  const Change change = draftChange(person, edits);
  if (change.edits.empty()) return std::nullopt;
  const std::string body = encodeChange(change);
  if (body.size() > kMaxChangeBytes) {
    throw Failure(
        "case.too-large",
        "This save is larger than 256 KiB. Nothing was saved; save it in parts, or attach "
        "the long text as a file.");
  }
  decodeChange(body);  // what would be refused elsewhere is not saved here
  if (state_.lastCounter == 0) store_.claimReplica(state_.incarnation, replica_.node());
  state_.lastCounter = change.dot.counter;
  state_.lastTime = change.time;
  if (isUrgent(replica_.urgent(), change)) ++urgent_;
  applyOne(change, change, 0, {}, replica_.hasHub());
  return change.dot;
}

std::int64_t Work::apply(const Change& change, std::int64_t fromLeaf, const Passage& passage) {
  HybridClock clock(replica_.clock_, state_.lastTime);
  clock.observe(change.time);
  state_.lastTime = clock.last();
  Change part = withoutErased(*this, change);
  if (part.edits.empty()) return 0;
  if (fromLeaf == 0) {
    std::erase_if(part.edits, [&](const Edit& edit) {
      return !isBirth(edit) && !store_.record(edit.record.bytes());
    });
    if (part.edits.empty()) return 0;
  }
  return applyOne(part, passage.sealed ? change : part, fromLeaf, passage,
                  fromLeaf != 0 && replica_.hasHub());
}

std::int64_t Work::carry(const Change& change) {
  const std::string body = encodeChange(change);
  const std::int64_t seq = store_.appendJournal(
      {0, change.dot.replica, change.dot.counter, replica_.clock_.nowMs(), body});
  store_.addCarried(seq);
  appendChain(seq, body);
  return seq;
}

void Work::evict(std::string_view root) {
  scopesMoved_ = true;
  for (const std::int64_t row : store_.evictRoot(root)) {
    if (replica_.settings_.projection) replica_.settings_.projection(store_, row, nullptr);
  }
}

void Work::forget(const storage::RecordRow& row) {
  scopesMoved_ = true;
  store_.eraseRecord(row);
  if (replica_.settings_.projection) replica_.settings_.projection(store_, row.row, nullptr);
}

Work::Joined Work::joinRecord(const Change& change, const Edit& edit) {
  Joined joined;
  const std::string id = edit.record.bytes();
  if (std::optional<storage::RecordRow> row = store_.record(id)) {
    joined.row = std::move(*row);
    joined.record = decodeState(edit.record, joined.row.state);
    joined.before = stateHash(joined.record, joined.row.state);
  } else {
    joined.isNew = true;
    joined.record.id = edit.record;
    joined.row.id = id;
  }
  joined.changed = joinEdit(joined.record, change, edit);
  if (!joined.record.isBorn()) {
    throw Failure("sync.birth-missing",
                  "A change edits a record whose beginning has not arrived. It was not applied.");
  }
  fillRow(joined);
  return joined;
}

void Work::fillRow(Joined& joined) {
  joined.row.kind = joined.record.kind();
  joined.row.root = joined.record.root().bytes();
  joined.row.conflicts = joined.record.conflicts();
  joined.row.hidden = isHidden(joined.record);
  joined.row.state = encodeState(joined.record);
  joined.after = stateHash(joined.record, joined.row.state);
}

// Keeps the root's digest, and what its reserved fields say of who holds it.
void Work::updateRoot(const Joined& joined) {
  scopesMoved_ = true;
  storage::RootRow root =
      store_.root(joined.row.root).value_or(storage::RootRow{sumBytes({}), "", "", 0});
  StateSum sum = sumFromBytes(root.digest);
  if (!joined.isNew) subtractFrom(sum, joined.before);
  addTo(sum, joined.after);
  root.digest = sumBytes(sum);
  if (joined.isNew) ++root.records;
  if (joined.row.root == joined.row.id) describeRoot(joined.record, root);
  store_.putRoot(joined.row.root, root);
}

// `whole`: the change of which `change` is what can be joined here.
std::int64_t Work::applyOne(const Change& change, const Change& whole, std::int64_t fromLeaf,
                            const Passage& passage, bool goesUp) {
  std::vector<Joined> joined;
  Change fresh = change;  // what the journal does not hold yet
  fresh.edits.clear();
  for (const Edit& edit : change.edits) {
    joined.push_back(joinRecord(change, edit));
    const Joined& last = joined.back();
    const bool isLinked =
        !last.isNew && store_.isLinked(last.row.row, change.dot.replica, change.dot.counter);
    // A part of it may have come before, without what others had replaced by then.
    Edit missing = isLinked ? missingOf(store_, change.dot, edit) : edit;
    if (!missing.writes.empty()) fresh.edits.push_back(std::move(missing));
  }
  std::int64_t seq = 0;
  if (!fresh.edits.empty()) {
    const std::string body = encodeChange(passage.sealed ? whole : fresh);
    seq = store_.appendJournal(
        {0, change.dot.replica, change.dot.counter, replica_.clock_.nowMs(), body});
    if (goesUp) appendChain(seq, body);
  }
  for (Joined& one : joined) {
    if (seq != 0) one.row.changedSeq = seq;
    if (seq != 0 && goesUp) one.row.upwardSeq = seq;
    if (one.changed || one.isNew) {
      one.row.row = store_.putRecord(one.row);
      updateRoot(one);
      if (replica_.settings_.projection) {
        replica_.settings_.projection(store_, one.row.row, &one.record);
      }
    }
    if (seq != 0) store_.linkRecord(one.row.row, seq);
  }
  if (seq != 0) fanOut(*this, fresh, seq, passage.ours ? 0 : fromLeaf, passage.roundabout);
  return seq;
}

}  // namespace waystation::sync

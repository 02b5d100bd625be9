#include "sync/closure.h"

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

namespace waystation::sync {
namespace {

// The write that this dot made to the field; nothing where it is not known here.
std::optional<Write> writeOf(storage::Store& store, const Dot& dot, const RecordId& record,
                             std::string_view field) {
  const std::optional<std::int64_t> seq = store.journalSeq(dot.replica, dot.counter);
  const std::optional<storage::JournalRow> entry = seq ? store.journal(*seq) : std::nullopt;
  if (!entry) return std::nullopt;
  for (const Edit& edit : decodeChange(entry->body).edits) {
    if (edit.record != record) continue;
    for (const Write& write : edit.writes) {
      if (write.field == field) return write;
    }
  }
  return std::nullopt;
}

class Closure {
 public:
  Closure(storage::Store& store, const RecordId& record, std::string_view field, Context covered)
      : store_(store), record_(record), field_(field), covered_(std::move(covered)) {}

  // The newest of each replica stand for all before them but those they had not seen.
  bool holdsFor(const Context& seen, ReplicaId own) {
    for (const Context::Entry& entry : seen.entries()) {
      if (entry.replica != own) waiting_.push_back({entry.replica, entry.upTo});
    }
    while (!waiting_.empty()) {
      const Dot dot = waiting_.back();
      waiting_.pop_back();
      if (known_.insert(dot).second && !coversAllOf(dot)) return false;
    }
    return true;
  }

 private:
  bool coversAllOf(const Dot& dot) {
    const std::optional<Write> write = writeOf(store_, dot, record_, field_);
    if (!write) return true;
    const Context all = contextOf({Sibling{dot, write->seen, {}, 0, {}}});
    if (!covered_.includes(all)) return false;
    for (const Context::Entry& entry : all.entries()) {
      if (entry.replica != dot.replica) continue;
      for (const std::uint64_t counter : entry.except) {
        if (covered_.covers({dot.replica, counter})) waiting_.push_back({dot.replica, counter});
      }
    }
    return true;
  }

  storage::Store& store_;
  RecordId record_;
  std::string_view field_;
  Context covered_;
  std::vector<Dot> waiting_;
  std::set<Dot> known_;
};

}  // namespace

bool isClosed(storage::Store& store, const Dot& writer, const RecordId& record,
              std::string_view field, const Context& seen) {
  Context covered;
  Context::Entry own{writer.replica, writer.counter, {}};
  for (const Context::Entry& entry : seen.entries()) {
    if (entry.replica == writer.replica) {
      own.except = entry.except;
    } else {
      covered.add(entry);
    }
  }
  covered.add(std::move(own));
  return Closure(store, record, field, std::move(covered)).holdsFor(seen, writer.replica);
}

}  // namespace waystation::sync

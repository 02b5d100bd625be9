#include "sync/ahead.h"

#include <algorithm>
#include <set>
#include <vector>

#include "sync/frame.h"
#include "sync/reconcile.h"

namespace waystation::sync {
namespace {

constexpr int kLinksAtOnce = 500;
// Of copies, bytes before compression: some seconds of a slow line.
constexpr std::size_t kMostCopyBytes = 128 * 1024;
// Of what passes files: more than this is a backlog, which takes its turn.
constexpr std::size_t kMostPassingBytes = 16 * 1024;

// This node's own unsent changes, in order, with what is left of their bodies.
template <typename Visit>
std::int64_t eachOwnUnsent(storage::Store& store, std::int64_t after, const Visit& visit) {
  while (true) {
    const std::vector<storage::UpwardRow> links = store.upwardAfter(after, kLinksAtOnce);
    if (links.empty()) return after;
    for (const storage::UpwardRow& link : links) {
      after = link.seq;
      const std::optional<storage::JournalRow> entry = store.journal(link.seq);
      if (!entry || link.salt.empty() || entry->replica != link.incarnation) continue;
      visit(link.seq, decodeChange(entry->body), entry->body.size());
    }
  }
}

std::size_t bytesUnsent(storage::Store& store, std::int64_t after) {
  std::size_t bytes = 0;
  eachOwnUnsent(store, after, [&](auto, const Change&, std::size_t size) { bytes += size; });
  return bytes;
}

std::set<std::string> rootsOf(storage::Store& store, const Change& change) {
  std::set<std::string> roots;
  for (const Edit& edit : change.edits) {
    if (const auto row = store.record(edit.record.bytes())) roots.insert(row->root);
  }
  return roots;
}

}  // namespace

bool isUrgent(const UrgentValues& urgent, const Change& change) {
  return std::any_of(change.edits.begin(), change.edits.end(), [&](const Edit& edit) {
    return std::any_of(edit.writes.begin(), edit.writes.end(), [&](const Write& write) {
      return urgent.contains({write.field, write.value});
    });
  });
}

AheadCopies urgentCopies(storage::Store& store, const Replica& replica, std::int64_t acknowledged,
                         std::int64_t after, bool passesFiles) {
  AheadCopies copies;
  std::set<std::string> roots;
  std::int64_t lastUrgent = 0;
  copies.upTo = std::max(acknowledged, after);
  if (replica.sealsChanges() || (replica.urgent().empty() && !passesFiles)) return copies;
  const bool all = passesFiles && bytesUnsent(store, copies.upTo) <= kMostPassingBytes;
  copies.upTo =
      eachOwnUnsent(store, copies.upTo, [&](std::int64_t seq, const Change& change, auto) {
        if (!all && !isUrgent(replica.urgent(), change)) return;
        roots.merge(rootsOf(store, change));
        lastUrgent = seq;
      });
  if (lastUrgent == 0) return copies;
  // A record's birth and what was written to it before are what an urgent change builds on.
  std::vector<Change> changes;
  std::size_t bytes = 0;
  eachOwnUnsent(store, acknowledged, [&](std::int64_t seq, Change change, std::size_t size) {
    if (seq > lastUrgent || bytes + size > kMostCopyBytes) return;
    const std::set<std::string> touched = rootsOf(store, change);
    const bool isNeeded = std::any_of(touched.begin(), touched.end(),
                                      [&](const auto& root) { return roots.contains(root); });
    if (!isNeeded) return;
    bytes += size;
    changes.push_back(std::move(change));
  });
  if (!changes.empty()) copies.frame = encodeFrame(FrameType::kAhead, encodeHealing(changes));
  return copies;
}

}  // namespace waystation::sync

#include "sync/erasure.h"

#include <algorithm>
#include <map>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "sync/byte_stream.h"
#include "sync/leaf.h"
#include "sync/reports.h"
#include "sync/scopes.h"

namespace waystation::sync {
namespace {

constexpr std::size_t kNameBytes = 16;
constexpr std::size_t kMostIds = 30'000;  // a certificate fits a frame
constexpr int kAll = 1'000'000;

using Ids = std::set<RecordId>;

std::string toSign(std::string_view body) {
  return "waystation erasure v1\n" + std::string(body);
}

// These and all records held here that belong to one of them.
Ids withChildren(storage::Store& store, const std::vector<RecordId>& named) {
  Ids ids(named.begin(), named.end());
  for (const RecordId& id : named) {
    for (const storage::RecordRow& row : store.recordsOfRoot(id.bytes(), "", kAll)) {
      ids.insert(RecordId::fromBytes(row.id));
    }
  }
  return ids;
}

std::optional<RecordId> rootOfBirth(const Edit& edit) {
  for (const Write& write : edit.writes) {
    if (write.field == kRootField) return referencedRecord(write.value);
  }
  return std::nullopt;
}

// The erasure that an edit falls under.
std::optional<std::string> erasureOf(storage::Store& store, const Edit& edit) {
  if (std::optional<std::string> hash = store.erasedBy(edit.record.bytes())) return hash;
  const std::optional<RecordId> root = rootOfBirth(edit);
  return root ? store.erasedBy(root->bytes()) : std::nullopt;
}

// Whether an edit bears a record of an erased root that no certificate names: whoever has not had
// this birth can't know that what is written to the record later falls under the erasure.
bool bearsUnnamed(storage::Store& store, const Edit& edit) {
  const std::optional<RecordId> root = rootOfBirth(edit);
  const std::optional<std::string> hash = root ? store.erasedBy(root->bytes()) : std::nullopt;
  const std::optional<storage::ErasureRow> certificate = hash ? store.erasure(*hash) : std::nullopt;
  return certificate && certificate->body.find(edit.record.bytes()) == std::string::npos;
}

// What is left of a body; nothing where none of it is concerned, empty where all of it is.
std::optional<std::string> leftOf(std::string_view body, const Ids& ids) {
  Change change;
  try {
    change = decodeChange(body);
  } catch (const Failure&) {
    return std::nullopt;  // damaged: `check` speaks of it
  }
  const std::size_t removed = std::erase_if(change.edits, [&](const Edit& edit) {
    const std::optional<RecordId> root = rootOfBirth(edit);
    return ids.contains(edit.record) || (root && ids.contains(*root));
  });
  if (removed == 0) return std::nullopt;
  return change.edits.empty() ? std::string() : encodeChange(change);
}

struct Cut {
  std::int64_t at = 0;
  std::string left;
  std::string whole;
};

// Of what this node only carried for another it knows no records: a child is learnt of by its
// birth, which comes before all else that was written to it.
void addBornInto(Ids& ids, std::string_view body) {
  try {
    for (const Edit& edit : decodeChange(body).edits) {
      const std::optional<RecordId> root = rootOfBirth(edit);
      if (root && ids.contains(*root)) ids.insert(edit.record);
    }
  } catch (const Failure&) {
    return;  // damaged: `check` speaks of it
  }
}

std::vector<Cut> cutsInJournal(storage::Store& store, Ids& ids) {
  std::vector<Cut> cuts;
  store.eachJournal([&](const storage::JournalRow& row) {
    addBornInto(ids, row.body);
    if (std::optional<std::string> left = leftOf(row.body, ids)) {
      cuts.push_back({row.seq, *left, row.body});
    }
  });
  return cuts;
}

std::vector<Cut> cutsInQuarantine(storage::Store& store, const Ids& ids) {
  std::vector<Cut> cuts;
  for (const storage::QuarantineRow& row : store.quarantine(kAll)) {
    if (std::optional<std::string> left = leftOf(row.body, ids)) {
      cuts.push_back({row.id, *left, row.body});
    }
  }
  return cuts;
}

// The hub proves a link by the whole change: a part of one goes only once the hub has it. So does a
// birth by which the hub learns what else is erased.
bool mustWait(Work& work, const Cut& cut, std::int64_t acknowledged) {
  storage::Store& store = work.store();
  return work.replica().hasHub() && cut.at > acknowledged &&
         (!cut.left.empty() || bearsErased(store, decodeChange(cut.whole))) &&
         store.upwardOfSeq(cut.at).has_value();
}

std::size_t destroy(Work& work, const std::vector<RecordId>& named, const std::string& hash) {
  storage::Store& store = work.store();
  Ids ids = withChildren(store, named);
  const std::int64_t acknowledged = readLeafState(store).acknowledgedSeq;
  const std::vector<Cut> cuts = cutsInJournal(store, ids);
  for (const RecordId& id : ids) store.addErased(id.bytes(), hash);
  for (const Cut& cut : cuts) {
    if (mustWait(work, cut, acknowledged)) {
      store.addErasureWaiting(cut.at);
    } else {
      store.cutJournal(cut.at, cut.left);
    }
  }
  for (const Cut& cut : cutsInQuarantine(store, ids)) store.cutQuarantine(cut.at, cut.left);
  std::size_t records = 0;
  std::set<std::string> roots;
  for (const RecordId& id : ids) {
    if (const std::optional<storage::RecordRow> row = store.record(id.bytes())) {
      work.forget(*row);
      roots.insert(row->root);
      ++records;
    }
    releaseNamedBelow(work, id.bytes());
    store.eraseRoot(id.bytes());
  }
  for (const std::string& root : roots) work.resum(root);
  store.countDestroyed(hash, static_cast<std::int64_t>(records), false);
  return records;
}

void tellLeaves(Work& work, const std::string& hash) {
  for (const storage::LeafRow& leaf : work.store().leaves()) {
    work.store().appendFeed(leaf.leaf, storage::FeedType::kErase, hash, 0);
    work.tellLeaves();
  }
}

}  // namespace

std::string ErasureCertificate::body() const {
  ByteWriter writer;
  writer.varint(ids.size());
  for (const RecordId& id : ids) writer.raw(id.bytes());
  return writer.take();
}

std::string ErasureCertificate::hash() const {
  return std::string(crypto::view(crypto::sha256(body())).substr(0, kNameBytes));
}

ErasureCounts foreseeErasure(Work& work, const std::vector<RecordId>& named) {
  storage::Store& store = work.store();
  Ids ids = withChildren(store, named);
  ErasureCounts counts;
  std::set<std::string> offices;
  for (const RecordId& id : ids) {
    const std::optional<storage::RecordRow> row = store.record(id.bytes());
    if (!row) continue;
    ++counts.records;
    for (const storage::LeafRow& leaf : store.leaves()) {
      if (store.inScope(leaf.leaf, row->root) || store.isReleasing(leaf.leaf, row->root)) {
        offices.insert(leaf.name);
      }
    }
  }
  counts.changes = cutsInJournal(store, ids).size();
  counts.quarantined = cutsInQuarantine(store, ids).size();
  counts.offices.assign(offices.begin(), offices.end());
  return counts;
}

ErasureCounts eraseForGood(Work& work, const crypto::SigningKey& key, const std::string& person,
                           const std::vector<RecordId>& named) {
  const Ids ids = withChildren(work.store(), named);
  if (ids.empty() || ids.size() > kMostIds) {
    throw Failure("erasure.nothing-named",
                  "An erasure names 1 to 30,000 records. Nothing was erased.");
  }
  requireReports(work.store(), "erased");
  const ErasureCounts counts = foreseeErasure(work, named);
  ErasureCertificate certificate{{ids.begin(), ids.end()}, {}};
  const std::string body = certificate.body();
  const std::string hash = certificate.hash();
  work.store().addErasure(
      {hash, body, key.sign(toSign(body)), work.replica().clock().nowMs(), person, 0, 0, true});
  destroy(work, certificate.ids, hash);
  tellLeaves(work, hash);
  return counts;
}

bool takeCertificates(Work& work, std::string_view headquartersKey,
                      const std::vector<ErasureCertificate>& certificates) {
  bool any = false;
  for (const ErasureCertificate& certificate : certificates) {
    const std::string body = certificate.body();
    const std::string hash = certificate.hash();
    if (work.store().erasure(hash)) continue;
    if (!crypto::verifySignature(headquartersKey, toSign(body), certificate.signature)) {
      throw Failure("erasure.signature",
                    "An order to erase is not signed by headquarters. Nothing was erased.");
    }
    work.store().addErasure({hash, body, certificate.signature, work.replica().clock().nowMs(), "",
                             0, 0, !work.replica().hasHub()});
    destroy(work, certificate.ids, hash);
    tellLeaves(work, hash);
    any = true;
  }
  return any;
}

bool touchesErased(storage::Store& store, const Change& change) {
  if (!store.hasErased()) return false;
  return std::any_of(change.edits.begin(), change.edits.end(),
                     [&](const Edit& edit) { return erasureOf(store, edit).has_value(); });
}

Change leftOf(storage::Store& store, Change change) {
  if (!store.hasErased()) return change;
  std::erase_if(change.edits, [&](const Edit& edit) { return erasureOf(store, edit).has_value(); });
  return change;
}

bool bearsErased(storage::Store& store, const Change& change) {
  return std::any_of(change.edits.begin(), change.edits.end(),
                     [&](const Edit& edit) { return bearsUnnamed(store, edit); });
}

Change withoutErased(Work& work, Change change) {
  storage::Store& store = work.store();
  if (!store.hasErased()) return change;
  std::erase_if(change.edits, [&](const Edit& edit) {
    const std::optional<std::string> hash = erasureOf(store, edit);
    if (!hash) return false;
    if (!store.erasedBy(edit.record.bytes())) {
      store.addErased(edit.record.bytes(), *hash);
      for (const Cut& cut : cutsInQuarantine(store, {edit.record})) {
        store.cutQuarantine(cut.at, cut.left);
      }
    }
    store.countDestroyed(*hash, 1, true);
    return true;
  });
  return change;
}

StateSum erasureSum(storage::Store& store) {
  StateSum sum{};
  for (const storage::ErasureRow& row : store.erasures()) addTo(sum, sumFromBytes(row.hash));
  return sum;
}

bool sweepWaiting(Work& work, std::int64_t acknowledgedSeq) {
  storage::Store& store = work.store();
  bool any = false;
  for (const std::int64_t seq : store.erasureWaiting()) {
    if (seq > acknowledgedSeq) continue;
    if (const std::optional<storage::JournalRow> entry = store.journal(seq)) {
      const Change change = leftOf(store, decodeChange(entry->body));
      store.cutJournal(seq, change.edits.empty() ? "" : encodeChange(change));
    }
    store.removeErasureWaiting(seq);
    any = true;
  }
  return any;
}

}  // namespace waystation::sync

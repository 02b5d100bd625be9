#include "server/commands/store_check.h"

#include "crypto/hash.h"
#include "server/audit.h"
#include "storage/chunk_store.h"
#include "storage/file_deliveries.h"
#include "storage/verify.h"
#include "sync/deletion.h"
#include "sync/replica.h"

namespace waystation::commands {

void checkAudit(server::Node& node, Output&, CheckReport& report) {
  const auto wrong = node.read(
      [&](storage::Store& store) { return server::verifyAudit(store, report.auditEntries); });
  if (!wrong) return;
  report.add(*wrong,
             "Somebody changed the store by other means than this program. Keep a copy of the data "
             "directory as it is and tell headquarters and the data-protection officer.");
}

const char* const kMendStore =
    "Keep a copy of the data directory as it is and tell headquarters: what has gone up is safe "
    "there, and the copy is what the rest can be saved from.";

namespace {

constexpr std::uint64_t kRowsBetweenNews = 1'000;

// One moment of a database, as a reader sees it from BEGIN on.
class Snapshot {
 public:
  explicit Snapshot(storage::Connections& connections)
      : lease_(connections.reader()), store(*lease_) {
    lease_->execute("BEGIN");
  }
  ~Snapshot() {
    try {
      lease_->execute("COMMIT");
    } catch (const Failure&) {
      // It was only read; SQLite has ended it already.
    }
  }
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

 private:
  storage::Connections::Lease lease_;

 public:
  storage::Store store;
};

// Records are read twice in all: for themselves, then for the projections.
void tick(std::uint64_t count, std::uint64_t total, Output& output) {
  if (count % kRowsBetweenNews != 0) return;
  output.throwIfCancelled();
  output.progress(count, 2 * total, count);
}

// What the records say of their roots.
struct RootSum {
  sync::StateSum sum{};
  std::int64_t records = 0;
  std::string scope;
};

using RootSums = std::map<std::string, RootSum, std::less<>>;

void checkRecord(const storage::RecordRow& row, RootSums& sums, CheckReport& report) {
  const sync::RecordId id = sync::RecordId::fromBytes(row.id);
  try {
    const sync::Record record = sync::decodeState(id, row.state);
    if (record.kind() != row.kind || record.root().bytes() != row.root ||
        record.conflicts() != row.conflicts || sync::isHidden(record) != row.hidden ||
        sync::encodeState(record) != row.state) {
      report.add("The record " + id.uuid() + " does not agree with its own row.", kMendStore);
    }
    RootSum& root = sums[row.root];
    sync::addTo(root.sum, sync::stateHash(record, row.state));
    ++root.records;
    if (row.root == row.id) root.scope = record.value(sync::kScopeField);
  } catch (const Failure& failure) {
    report.add("The record " + id.uuid() + " can't be read: " + failure.what(), kMendStore);
    ++sums[row.root].records;
  }
}

void checkRoots(storage::Store& store, RootSums& sums, CheckReport& report) {
  storage::Statement roots =
      store.database().statement("SELECT id, digest, scope, records FROM roots ORDER BY id");
  while (roots.step()) {
    ++report.roots;
    const std::string id = roots.text(0);
    const std::string name = sync::RecordId::fromBytes(id).uuid();
    const auto found = sums.find(id);
    if (found == sums.end()) {
      report.add("The case or person " + name + " has a digest and no record.", kMendStore);
      continue;
    }
    const RootSum& sum = found->second;
    if (sync::sumBytes(sum.sum) != roots.view(1) || sum.records != roots.integer(3)) {
      report.add("The digest of " + name + " is not the sum over its records.", kMendStore);
    }
    if (sum.scope != roots.view(2)) {
      report.add("Who holds " + name + " is noted otherwise than its record says.", kMendStore);
    }
    sums.erase(found);
  }
  for (const auto& [id, sum] : sums) {
    report.add("The records of " + sync::RecordId::fromBytes(id).uuid() + " have no digest.",
               kMendStore);
  }
}

// Follows the chain of this node's own changes from its first link on. A change whose records were
// handed to another office has gone; its link then stands by its digest.
class ChainCheck {
 public:
  ChainCheck(storage::Store& store, CheckReport& report) : store_(store), report_(report) {}

  void follow(const storage::UpwardRow& link) {
    if (link.incarnation != incarnation_) startIncarnation(link);
    if (link.number != number_ + 1) broken(link, "a link is missing before it");
    number_ = link.number;
    const bool isErased = link.salt.empty();
    if (!isErased && sync::chainSalt(saltKey_, link.number) != link.salt)
      broken(link, "its salt is not its own");
    std::optional<storage::JournalRow> entry;
    if (link.seq != 0 && !isErased) entry = store_.journal(link.seq);
    if (entry && sync::linkDigest(link.salt, entry->body) != link.digest) {
      broken(link, "it does not follow from its change");
    }
    if (sync::nextChainHash(hash_, link.digest) != link.hash) {
      broken(link, "it does not follow from the one before");
    }
    hash_ = link.hash;
  }

 private:
  void startIncarnation(const storage::UpwardRow& link) {
    const std::optional<storage::IncarnationRow> row = store_.incarnation(link.incarnation);
    if (!row) {
      broken(link, "nothing is known of the start of the server that made it");
    } else if (row->parent != incarnation_ || row->parentNumber != number_ ||
               row->parentHash != hash_) {
      broken(link, "it does not continue the one before");
    }
    incarnation_ = link.incarnation;
    number_ = 0;
    saltKey_ = row ? row->saltKey : "";
  }

  void broken(const storage::UpwardRow& link, const std::string& why) {
    report_.add("The chain of changes that go up is broken at " + std::to_string(link.incarnation) +
                    "/" + std::to_string(link.number) + ": " + why + ".",
                kMendStore);
  }

  storage::Store& store_;
  CheckReport& report_;
  sync::ReplicaId incarnation_ = 0;
  std::uint64_t number_ = 0;
  std::string hash_;
  std::string saltKey_;
};

void checkChain(storage::Store& store, Output& output, CheckReport& report) {
  ChainCheck chain(store, report);
  storage::Statement links = store.database().statement(
      "SELECT incarnation, number, seq, salt, hash, digest FROM upward ORDER BY position");
  while (links.step()) {
    chain.follow({static_cast<std::uint64_t>(links.integer(0)),
                  static_cast<std::uint64_t>(links.integer(1)), links.integer(2), links.text(3),
                  links.text(4), links.text(5)});
    if (++report.links % kRowsBetweenNews == 0) output.throwIfCancelled();
  }
}

}  // namespace

void CheckReport::add(std::string what, const std::string& mend) {
  if (findings.size() < kMostFindings) {
    findings.push_back({std::move(what), mend});
  } else {
    ++moreFindings;
  }
}

void checkPages(server::Node& node, Output& output, CheckReport& report) {
  for (const server::NodeDatabase& database : node.databases()) {
    for (std::string& damage :
         storage::verifyPages(node.directory() / database.name, database.key)) {
      report.add(std::move(damage), kMendStore);
    }
    output.throwIfCancelled();
    const storage::Connections::Lease reader = database.connections.reader();
    storage::Statement integrity = reader->statement("PRAGMA integrity_check(20)");
    while (integrity.step()) {
      if (integrity.view(0) == "ok") continue;
      report.add("SQLite says of " + database.name + ": " + integrity.text(0), kMendStore);
    }
  }
}

void checkAttachments(server::Node& node, Output& output, CheckReport& report) {
  Snapshot snapshot(node.attachments());
  storage::ChunkStore chunks(snapshot.store.database());
  report.attachments = static_cast<std::uint64_t>(chunks.countFiles());
  for (std::string& damage : chunks.findDamage([&] { output.throwIfCancelled(); })) {
    report.add(std::move(damage), kMendStore);
  }
  for (std::string& damage : storage::FileDeliveries(snapshot.store.database()).findDamage()) {
    report.add(std::move(damage), kMendStore);
  }
}

void checkRecords(server::Node& node, Output& output, CheckReport& report) {
  Snapshot snapshot(node.connections());
  const auto total = static_cast<std::uint64_t>(snapshot.store.countRecords(""));
  output.progress(0, 2 * total, 0);
  RootSums sums;
  snapshot.store.eachRecord([&](const storage::RecordRow& row) {
    checkRecord(row, sums, report);
    tick(++report.records, total, output);
  });
  checkRoots(snapshot.store, sums, report);
}

void checkJournal(server::Node& node, Output& output, CheckReport& report) {
  Snapshot snapshot(node.connections());
  snapshot.store.eachJournal([&](const storage::JournalRow& row) {
    ++report.changes;
    const std::string name = "The change " + std::to_string(row.seq) + " of the journal";
    try {
      const sync::Change change = sync::decodeChange(row.body);
      if (change.dot.replica != row.replica || change.dot.counter != row.counter) {
        report.add(name + " is not the one that it is noted as.", kMendStore);
      }
    } catch (const Failure& failure) {
      report.add(name + " can't be read: " + failure.what(), kMendStore);
    }
    if (report.changes % kRowsBetweenNews == 0) output.throwIfCancelled();
  });
  checkChain(snapshot.store, output, report);
}

}  // namespace waystation::commands

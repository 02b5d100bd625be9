#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/database.h"
#include "storage/store_rows.h"

namespace waystation::storage {

// Rows, not meanings: what a node keeps, handed in and out as bytes and numbers. `sync` knows what
// a record, a change, a chain is. Identities of 64 bits are stored as SQLite integers (two's
// complement); record ids as 16-byte blobs, whose order is the ids' order.
//
// A Store is a view over one connection; writing methods want a Transaction around them.

class Store {
 public:
  // Brings the tables up to date. Call once for each database, on a writer.
  static void createTables(Database& database);

  // Borrows `database`.
  explicit Store(Database& database) : db_(database) {}

  // Named values of the node itself.
  std::optional<std::string> meta(std::string_view name);
  void setMeta(std::string_view name, std::string_view value);
  std::int64_t metaNumber(std::string_view name, std::int64_t otherwise = 0);
  void setMetaNumber(std::string_view name, std::int64_t value);

  // Records and roots.
  std::optional<RecordRow> record(std::string_view id);
  std::int64_t putRecord(const RecordRow& row);  // inserts where row.row is 0; answers the row
  void removeRecord(std::int64_t row);           // the journal keeps what was written
  std::vector<RecordRow> recordsOfRoot(std::string_view root, std::string_view afterId, int limit);
  std::vector<RecordRow> find(const RecordQuery& query);
  // Whether people see the record: a hidden root is shown for as long as a record of it is.
  bool isShown(const RecordRow& row);
  std::int64_t countRecords(std::string_view kind);
  std::int64_t countConflicts();
  std::vector<ConflictCount> conflictsByKind();
  void eachRecord(const std::function<void(const RecordRow&)>& visit);
  std::optional<RootRow> root(std::string_view id);
  void putRoot(std::string_view id, const RootRow& row);
  void removeRoot(std::string_view id);
  // Roots whose custody or scope names the office, or whose scope is everybody's.
  std::vector<std::string> rootsMeantFor(std::string_view office);
  // Digests of all roots not about to leave.
  void eachRootDigest(const std::function<void(std::string_view digest)>& visit);

  // Journal.
  std::int64_t appendJournal(const JournalRow& row);
  std::optional<JournalRow> journal(std::int64_t seq);
  std::optional<std::int64_t> journalSeq(std::uint64_t replica, std::uint64_t counter);
  // Several where parts of a change came apart.
  std::vector<JournalRow> journalOfDot(std::uint64_t replica, std::uint64_t counter);
  void eachJournal(const std::function<void(const JournalRow&)>& visit);
  void removeJournal(std::int64_t seq);  // an entry with its links to records
  void linkRecord(std::int64_t recordRow, std::int64_t seq);
  bool isLinked(std::int64_t recordRow, std::uint64_t replica, std::uint64_t counter);
  void unlinkRecord(std::int64_t recordRow, std::int64_t seq);
  // Entries that touch a record, newest first, from below `beforeSeq`.
  std::vector<JournalRow> journalOfRecord(std::int64_t recordRow, std::int64_t beforeSeq,
                                          int limit);
  std::int64_t lastJournalSeq();

  // What goes up.
  void putIncarnation(const IncarnationRow& row);
  std::optional<IncarnationRow> incarnation(std::uint64_t id);
  void appendUpward(const UpwardRow& row);
  std::optional<UpwardRow> upward(std::uint64_t incarnation, std::uint64_t number);
  std::optional<UpwardRow> upwardOfSeq(std::int64_t seq);
  // Links after the one whose journal entry is `afterSeq`, in the order in which they were made.
  std::vector<UpwardRow> upwardAfter(std::int64_t afterSeq, int limit);
  std::int64_t countUpwardAfter(std::int64_t seq);

  // Leaves, their chains, scopes and feeds: a hub's.
  std::int64_t addLeaf(const LeafRow& row);
  void putLeaf(const LeafRow& row);
  std::optional<LeafRow> leafByName(std::string_view name);
  std::vector<LeafRow> leaves();
  std::optional<ChainRow> chain(std::int64_t leaf, std::uint64_t incarnation);
  void putChain(std::int64_t leaf, const ChainRow& row);
  // How far any leaf's chain of this incarnation has been received.
  std::optional<std::uint64_t> chainNumber(std::uint64_t incarnation);
  bool inScope(std::int64_t leaf, std::string_view root);
  void addScope(std::int64_t leaf, std::string_view root);
  void removeScope(std::int64_t leaf, std::string_view root);
  void eachScopeDigest(std::int64_t leaf, const std::function<void(std::string_view)>& visit);
  std::vector<std::int64_t> leavesInScope(std::string_view root);
  void appendFeed(std::int64_t leaf, FeedType type, std::string_view root, std::int64_t seq);
  // The highest number given so far.
  std::uint64_t numberedFeed(std::int64_t leaf);
  // Numbers what waits, in order; answers the highest number given so far.
  std::uint64_t numberFeed(std::int64_t leaf);
  std::vector<FeedRow> feedAfter(std::int64_t leaf, std::uint64_t number, int limit);
  void pruneFeed(std::int64_t leaf, std::uint64_t upTo);
  void clearFeed(std::int64_t leaf);
  void dropLeave(std::int64_t leaf, std::string_view root);  // a LEAVE that an ENTER overtakes
  std::int64_t countFeed(std::int64_t leaf, std::uint64_t afterNumber);
  // The histories of a leaf's feed, newest first, at most 64; of leaf 0, those of this node's own.
  void addFeedEpoch(std::int64_t leaf, const FeedEpochRow& row);  // known already: nothing
  std::vector<FeedEpochRow> feedEpochs(std::int64_t leaf);
  std::vector<std::string> scopesOf(std::int64_t leaf);

  // What travels through this node under its author's own signature.
  void putDevice(const DeviceRow& row);
  std::vector<DeviceRow> devices();
  std::vector<DeviceRow> devicesNamed(std::string_view name);
  // Whose incarnation it is: the first to be heard of under it. Answers that owner.
  std::string claimReplica(std::uint64_t replica, std::string_view owner);
  std::int64_t addSeal(const SealRow& row);
  std::optional<SealRow> seal(std::int64_t seal);
  void putSealed(std::int64_t seq, const SealedRow& row);
  std::optional<SealedRow> sealed(std::int64_t seq);
  // Further seals over an entry: of hubs above this node's, or of its own where it came home.
  void addSealedAbove(std::int64_t seq, const SealedRow& row);
  // The places of an entry under seals of this node's hub and of those above, the hub's first.
  std::vector<SealFromAboveRow> sealsFromAbove(std::int64_t seq);
  // The seal with this signature that was kept under this name.
  std::optional<std::int64_t> sealSigned(std::string_view signature, std::string_view signer);
  // Seals of this node's hub with entries of the journal under them, up to `upTo` and after
  // `after`, that came later than where the feed stood at `from` (an epoch that this node does not
  // know: all) or not by the feed, oldest first.
  std::vector<std::int64_t> hubSealsSince(const FeedEpochRow& from, std::int64_t after,
                                          std::int64_t upTo);
  std::int64_t lastSeal();
  std::vector<SealedEntryRow> entriesUnder(std::int64_t seal);  // by position
  // Entries that only pass through: forgotten once they are further up.
  void addCarried(std::int64_t seq);
  std::int64_t forgetCarried(std::int64_t upToSeq);  // answers how many
  // Whether a leaf that is not revoked holds the root, or has not yet said to have removed it.
  bool isHeldBelow(std::string_view root);
  // Whether an ENTER of the root waits to be sent: it will hold what is known then.
  bool isEnterWaiting(std::int64_t leaf, std::string_view root);

  // Roots that a leaf was told to let go of: releasing until it says to have removed them, released
  // from then on, for as long as it does not get them again.
  void addReleasing(std::int64_t leaf, std::string_view root);
  void removeReleasing(std::int64_t leaf, std::string_view root);
  void setReleased(std::int64_t leaf, std::string_view root);
  bool isReleasing(std::int64_t leaf, std::string_view root);
  std::vector<std::string> releasingOrReleased(std::int64_t leaf);
  // Roots that a leaf gets back before it let go of them, until it has had that ENTER.
  void addReturning(std::int64_t leaf, std::string_view root, std::int64_t feedEntry);
  bool isReturning(std::int64_t leaf, std::string_view root);
  // Which roots a root's records refer to.
  void addName(std::string_view root, std::string_view named);
  void removeName(std::string_view root, std::string_view named);
  std::vector<std::string> namedBy(std::string_view root);
  // Whether a root other than `except` in the leaf's scope names `named`.
  bool isNamedInScope(std::int64_t leaf, std::string_view named, std::string_view except);

  // Roots that this leaf was told to let go of, and the receipts for those that went.
  void addLeaving(std::string_view root);
  void removeLeaving(std::string_view root);
  bool isLeaving(std::string_view root);
  std::vector<std::string> leaving();
  std::int64_t lastUpwardSeqOfRoot(std::string_view root);
  // Removes a root's records, digests and the journal bodies that concern nothing else.
  // Answers the rows of the records that went.
  std::vector<std::int64_t> evictRoot(std::string_view root);
  void addReceipt(std::string_view root);
  std::vector<std::string> receipts();
  void removeReceipt(std::string_view root);

  // What could not be let in; settled rows stay. Lists are newest first.
  void addQuarantine(const QuarantineRow& row);
  void putQuarantine(const QuarantineRow& row);
  std::optional<QuarantineRow> quarantined(std::int64_t id);
  std::int64_t countQuarantine();  // open ones, a leaf's own included
  bool hasQuarantine(std::string_view leaf);
  bool isQuarantined(std::string_view body);
  // It came in another way.
  void dropQuarantined(std::string_view body);
  std::vector<QuarantineRow> quarantine(int limit);
  // Open ones with this reason, oldest first.
  std::vector<QuarantineRow> quarantineFor(std::string_view reason);
  void removeQuarantine(std::int64_t id);
  std::vector<QuarantineRow> quarantineOf(std::string_view leaf, int limit);
  // Those waiting for a change or a record that is here now or was erased, oldest first.
  std::vector<QuarantineRow> whoseWaitIsOver();
  // The same as a leaf was told.
  void putAside(const AsideRow& row);
  std::vector<AsideRow> aside();
  void clearAside();

  // Agreement. Each record of the roots that a leaf holds, and of all held here but those about to
  // leave.
  using EachState = std::function<void(std::string_view id, std::string_view state)>;
  void eachStateInScope(std::int64_t leaf, const EachState& visit);
  void eachStateHeld(const EachState& visit);
  // Records in order of root, from behind `afterRoot`, until `visit` answers false.
  void eachStateByRoot(std::string_view afterRoot,
                       const std::function<bool(std::string_view root, std::string_view id,
                                                std::string_view state)>& visit);
  // Roots noted from behind `after` up to `upTo` (empty: to the end).
  std::vector<std::pair<std::string, RootRow>> rootsBetween(std::string_view after,
                                                            std::string_view upTo);
  void putHealing(const HealingRow& row);  // inserts where row.id is 0
  std::optional<HealingRow> lastHealing(std::string_view peer);
  std::vector<HealingRow> healings(int limit);  // newest first
  std::int64_t countHealings(bool onlyOpen);

  // Erasure.
  void addErasure(const ErasureRow& row);
  std::optional<ErasureRow> erasure(std::string_view hash);
  std::vector<ErasureRow> erasures();
  void countDestroyed(std::string_view hash, std::int64_t records, bool isLate);
  void setReported(std::string_view hash);
  // Ids that an erasure names, or that turned out to belong to one.
  void addErased(std::string_view id, std::string_view hash);
  std::optional<std::string> erasedBy(std::string_view id);
  bool hasErased();  // anything at all
  void addErasureReceipt(const ErasureReceiptRow& row);
  std::vector<ErasureReceiptRow> erasureReceipts();
  void eraseRecord(const RecordRow& row);  // and its links, search and import entries
  void eraseRoot(std::string_view root);   // all that names it but records and changes
  // What is left of an entry, nothing where it is empty; its salt goes, its digest stays.
  void cutJournal(std::int64_t seq, std::string_view body);
  void cutQuarantine(std::int64_t id, std::string_view body);
  // Entries that go once the hub has them: its proof needs them whole.
  void addErasureWaiting(std::int64_t seq);
  std::vector<std::int64_t> erasureWaiting();
  void removeErasureWaiting(std::int64_t seq);
  // Leaves no byte of what was deleted in the database's file; outside of a transaction.
  void scrub();

  // Bundles. Of those read, the last thousand are remembered.
  void addBundleRead(std::string_view id, std::string_view peer, std::int64_t atMs);
  std::optional<std::int64_t> bundleRead(std::string_view id);  // when
  void keepBundle(const KeptBundleRow& row);
  void addBundlePiece(std::string_view id, std::uint64_t piece, std::string_view bytes);
  std::optional<std::string> bundlePiece(std::string_view id, std::uint64_t piece);
  std::vector<KeptBundleRow> keptBundles();  // in the order in which they were made
  void removeKeptBundle(std::string_view id);

  // The search index: a projection, rebuilt from the records at any time.
  void putSearch(std::int64_t recordRow, std::string_view words);
  void removeSearch(std::int64_t recordRow);
  void clearSearch();
  // Which of these texts a query finds, as the index would find them.
  static std::vector<std::size_t> matching(const std::vector<std::string>& words,
                                           std::string_view query);
  // Which record an imported row became: a projection too.
  void putImportKey(std::string_view kind, std::string_view key, std::string_view recordId);
  std::optional<std::string> importedRecord(std::string_view kind, std::string_view key);

  Database& database() { return db_; }

 private:
  void wipeFreePages();
  std::optional<JournalRow> baseOf(const RecordRow& row);
  // Of the records that are packed beside this entry: by themselves from now on.
  void packAlone(std::int64_t seq);
  Database& db_;
};

}  // namespace waystation::storage

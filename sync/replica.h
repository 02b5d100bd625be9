#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crypto/random.h"
#include "crypto/signature.h"
#include "storage/store.h"
#include "sync/clock.h"
#include "sync/record.h"

namespace waystation::sync {

class Renaming;

// Told, inside the transaction, of each record that changed (or went: `record` null): keeps what is
// derived from records, such as the search index.
using Projection =
    std::function<void(storage::Store& store, std::int64_t row, const Record* record)>;

// Fields and values (JSON) whose writing makes a change urgent: a risk that has become immediate.
using UrgentValues = std::set<std::pair<std::string, std::string>>;

struct ReplicaSettings {
  std::string node;     // "HQ", "NBO": what stands behind the @ of authors
  bool hasHub = false;  // an office: what is saved here has to go up
  Projection projection;
  // After a commit that had something to tell: news for this node's hub, or for its leaves.
  std::function<void(bool forHub, bool forLeaves)> committed;
  // After certificates of erasure have come: to keep them beside the store (sync/erasure.h).
  std::function<void(storage::Store&)> erased = {};
  std::string publicKey = {};  // Ed25519, 32 bytes; headquarters' own signs erasures
  const crypto::SigningKey* signingKey = nullptr;  // borrowed; a hub seals with it what it feeds
  bool sealsChanges = false;  // its hub is not the root: what is saved here goes up sealed
  UrgentValues urgent = {};   // what does not wait its turn (sync/ahead.h)
  // Borrowed: where the bytes of files are (storage/file_deliveries.h); null: none are kept here.
  storage::Connections* files = nullptr;
};

// Where the chain of what goes up stands.
struct ChainHead {
  ReplicaId incarnation = 0;
  std::uint64_t number = 0;
  std::string hash;  // 32 bytes; empty before the first link
};

// h(n) = SHA-256(h(n-1) || d(n)), d(n) = SHA-256(salt || body); the salt is the first 16 bytes of
// HMAC-SHA-256(salt key, number as 8 bytes).
inline constexpr std::size_t kSaltSize = 16;
std::string chainSalt(std::string_view saltKey, std::uint64_t number);
std::string linkDigest(std::string_view salt, std::string_view body);
std::string nextChainHash(std::string_view previous, std::string_view digest);

// What one node holds in memory of its own history: incarnation, counters, clock, chain. All the
// rest is in the store. One at a time may be written through (see Work).
class Replica {
 public:
  // Borrows clock and random. Draws a new incarnation: construct one per start of the process.
  Replica(storage::Database& writer, const Clock& clock, crypto::Random& random,
          ReplicaSettings settings);

  ReplicaId incarnation() const { return state_.incarnation; }
  const std::string& node() const { return settings_.node; }
  bool hasHub() const { return settings_.hasHub; }
  const std::string& publicKey() const { return settings_.publicKey; }
  const crypto::SigningKey* signingKey() const { return settings_.signingKey; }
  const Clock& clock() const { return clock_; }
  void tellErased(storage::Store& store) {
    if (settings_.erased) settings_.erased(store);
  }
  // The root up to which records were last held against digests (sync/healing.h); to be touched
  // only under the writer.
  std::string& checkedUpTo() { return checkedUpTo_; }
  crypto::Random& random() const { return random_; }
  // Its hub is an office, which carries what this node signs further up.
  bool sealsChanges() const { return settings_.sealsChanges; }
  const UrgentValues& urgent() const { return settings_.urgent; }
  // How many urgent changes were saved here since the start; from any thread.
  std::uint64_t urgentSaves() const { return urgentSaves_; }
  storage::Connections* files() const { return settings_.files; }

 private:
  friend class Work;
  struct State {
    ReplicaId incarnation = 0;
    std::uint64_t lastCounter = 0;
    std::uint64_t lastRecord = 0;
    HybridTime lastTime = 0;
    ChainHead head;       // of the last link made, under whichever incarnation
    std::string saltKey;  // of the current incarnation
  };

  const Clock& clock_;
  crypto::Random& random_;
  ReplicaSettings settings_;
  State state_;
  std::string checkedUpTo_;
  std::atomic<std::uint64_t> urgentSaves_ = 0;
  std::map<std::int64_t, StateSum> scopeSums_;  // of leaves; dropped when a root or scope changes
};

// One write of a save: the field's new value, and what the editor had read of the field.
struct DraftWrite {
  std::string field;
  std::string value;  // canonical JSON
  // The fields of the same record on whose values this one was decided (sync/binding.h).
  std::vector<std::string> boundTo = {};
};

struct DraftEdit {
  RecordId record;
  bool isNew = false;              // `record` came from Work::newRecord() in this transaction
  std::string kind;                // of a new record
  std::optional<RecordId> root;    // of a new record; absent: it is a root itself
  std::optional<std::string> tag;  // what the editor had read of an existing one; absent: nothing
  bool sawCurrent = false;         // the writer is this program and has just read the record
  // A write of kDeletedField says "true" or "false": it deletes or restores what was read.
  std::vector<DraftWrite> writes;
};

// How a change came, where that matters to what becomes of it.
struct Passage {
  bool roundabout = false;  // carried by another node: the leaf whose change it is lacks it as well
  bool sealed = false;      // the journal keeps it as it came, so that its seal still fits
  bool ours = false;        // this node's own word that comes home: what it names, this node named
};

// One transaction on a replica: everything in it becomes durable and visible together on commit(),
// or nothing does. Holds the writer; borrows both.
class Work {
 public:
  Work(Replica& replica, storage::Database& writer);
  ~Work();
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  // An identity for a record about to be born.
  RecordId newRecord();

  // Saves what a person at this node did, as one change. Answers its dot, or nothing where every
  // value was already so. Throws Failure: "record.not-found", "case.tag-malformed",
  // "case.too-large", "case.handed-over", "case.reserved-field", and "sync.malformed" where a
  // record or a field of it is named twice.
  std::optional<Dot> save(const std::string& person, const std::vector<DraftEdit>& edits);

  // Joins a change that came from elsewhere. `fromLeaf`: whose it is of the leaves, 0: the hub's.
  // Applying twice is harmless. Of what the hub sends, edits of records that are not here and are
  // not born by the change are left out: their root's ENTER is still to come and holds them.
  // Answers its journal entry, 0 where nothing of it was new.
  std::int64_t apply(const Change& change, std::int64_t fromLeaf, const Passage& passage = {});
  // Takes a change that only passes through on its way up: it is joined into nothing here.
  std::int64_t carry(const Change& change);

  // Removes a root and all that is kept of it but the digests of the chain.
  void evict(std::string_view root);

  // Makes a record's state what the journal says, and its root's digest the sum over its records;
  // answers whether the state was another. What no entry speaks of stays. Of `trusted`, the hub's
  // word, writes that this node holds otherwise are taken over, but for its own.
  bool rebuild(const RecordId& id, const std::vector<Change>& trusted = {});
  // The same for all records of a root whose digest is not what its states sum up to; answers how
  // many were mended.
  std::size_t mendRoot(std::string_view root);
  // Takes a change back out of the records, as if it had never come, once all that was written here
  // to the roots it touches is at the hub (`acknowledgedSeq`). Answers whether it did.
  bool withdraw(const Dot& dot, std::int64_t acknowledgedSeq);

  // Begins a new incarnation, and makes again under it what this node's chain holds behind the
  // entry `lastHeldSeq`, with other dots, and records born there with other ids (sync/reissue.h).
  // Answers how many changes.
  std::size_t reissue(std::int64_t lastHeldSeq);

  // For erasure: one record goes, without its journal. Then the digest of its root: the sum over
  // the records that are left; without any, the root goes too.
  void forget(const storage::RecordRow& row);
  void resum(std::string_view root);

  std::optional<Record> record(const RecordId& id);
  storage::Store& store() { return store_; }
  Replica& replica() { return replica_; }
  // The last change made under this incarnation, this transaction's included.
  Dot lastDot() const { return {state_.incarnation, state_.lastCounter}; }

  // The digest of all roots in a leaf's scope, as this transaction sees them.
  StateSum scopeSum(std::int64_t leaf);
  // The sums kept in memory go: the next are made of what the store holds.
  void forgetScopeSums() { replica_.scopeSums_.clear(); }

  // Returns when everything is on disk.
  void commit();

  // For scopes (sync/scopes.h): this transaction queued something for a leaf.
  void tellLeaves() { forLeaves_ = scopesMoved_ = true; }

 private:
  struct Joined;
  Change draftChange(const std::string& person, const std::vector<DraftEdit>& edits);
  Edit draftEdit(const DraftEdit& draft, const Dot& dot, const std::vector<DraftEdit>& all);
  Edit draftBirth(const DraftEdit& draft, const std::vector<DraftEdit>& all);
  void requireStaying(const Record& record);
  Joined joinRecord(const Change& change, const Edit& edit);
  void updateRoot(const Joined& joined);
  void fillRow(Joined& joined);
  void withdrawFrom(const storage::RecordRow& row, const Dot& dot);
  void removeFromRoot(const std::string& id, const StateSum& term);
  void appendChain(std::int64_t seq, std::string_view body);
  bool putRebuilt(storage::RecordRow row, const Record& record);
  void chainAnew(const std::vector<storage::UpwardRow>& links, const Renaming& renaming);
  void renameRecords(const Renaming& renaming);
  std::int64_t applyOne(const Change& change, const Change& whole, std::int64_t fromLeaf,
                        const Passage& passage, bool goesUp);

  Replica& replica_;
  storage::Store store_;
  storage::Transaction transaction_;
  Replica::State state_;
  bool forHub_ = false;
  bool forLeaves_ = false;
  bool scopesMoved_ = false;  // a root's digest or a scope is not what it was
  std::uint64_t urgent_ = 0;  // changes saved in this transaction that are urgent
};

}  // namespace waystation::sync

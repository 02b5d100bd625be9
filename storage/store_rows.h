#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace waystation::storage {

// The rows that a Store takes and gives (storage/store.h).

struct RecordRow {
  std::int64_t row = 0;
  std::string id;
  std::string kind;
  std::string root;
  int conflicts = 0;
  std::int64_t changedSeq = 0;  // journal entry that touched it last
  std::int64_t upwardSeq = 0;   // last such entry that has to go up; 0: none
  std::string state;
  bool hidden = false;  // deleted by somebody who had read all of it
};

struct RootRow {
  std::string digest;  // 16 bytes
  std::string scope;   // what the root's scope field says, as JSON text; empty: none
  std::string custody;
  std::int64_t records = 0;
};

struct JournalRow {
  std::int64_t seq = 0;
  std::uint64_t replica = 0;
  std::uint64_t counter = 0;
  std::int64_t receivedMs = 0;
  std::string body;
};

// One link of the chain of what goes up (sync.md, "Chain"). Its journal entry may have gone with
// the records it concerned; `digest` then still proves the link.
struct UpwardRow {
  std::uint64_t incarnation = 0;
  std::uint64_t number = 0;
  std::int64_t seq = 0;
  std::string salt;
  std::string hash;
  std::string digest;  // of salt and body, 32 bytes
};

struct IncarnationRow {
  std::uint64_t id = 0;
  std::uint64_t parent = 0;
  std::uint64_t parentNumber = 0;
  std::string parentHash;
  std::string saltKey;
};

// How far the chain of one incarnation of a leaf has been received.
struct ChainRow {
  std::uint64_t incarnation = 0;
  std::uint64_t number = 0;
  std::string hash;
  std::string saltKey;
};

struct LeafRow {
  std::int64_t leaf = 0;
  std::string name;
  std::string publicKey;
  std::string certificateHash;
  std::uint64_t incarnation = 0;  // the newest that wrote anything; 0: none
  std::uint64_t feedAcked = 0;
  std::int64_t lastContactMs = 0;
  bool revoked = false;
  std::string home;                  // of a phone: the office it belongs to; empty: it is an office
  std::vector<std::string> offices;  // of an office: those below it, as it announced them
  std::string sealingKey;            // X25519: bundles for it are sealed to it; empty: not known
};

// A phone or office further down, as the leaf above it announced it: whose signature its changes
// bear, whoever carries them.
struct DeviceRow {
  std::string name;
  std::string publicKey;
  std::string home;  // as LeafRow::home
  std::int64_t leaf = 0;

  bool operator==(const DeviceRow&) const = default;
};

// A device's signature over several changes at once (sync.md, "Seals").
struct SealRow {
  // Empty: this node's hub, of what it fed; "^": the hub above that one, and so on.
  std::string signer;
  std::string signature;
  std::string digests;  // 32 bytes each
  // Of the own hub's: where the feed stood after these changes; 0: they did not come by the feed.
  std::uint64_t epoch = 0;
  std::uint64_t number = 0;
};

// A journal entry's place under a seal.
struct SealedRow {
  std::int64_t seal = 0;
  std::uint64_t position = 0;  // from 1
  std::string salt;
};

// The same under the seal of a hub; `signer` as SealRow has it.
struct SealFromAboveRow {
  std::string signer;
  SealedRow place;
};

// A journal entry under a seal.
struct SealedEntryRow {
  std::int64_t seq = 0;
  SealedRow place;
};

// A history of a leaf's feed: the entries numbered by one run of the hub, from behind `began`.
struct FeedEpochRow {
  std::uint64_t epoch = 0;
  std::uint64_t began = 0;
};

enum class FeedType : int { kEnter = 1, kChange = 2, kLeave = 3, kErase = 20 };

struct FeedRow {
  std::uint64_t number = 0;
  FeedType type = FeedType::kChange;
  std::string root;
  std::int64_t seq = 0;
};

// Up to kWaiting it is open; the others were settled by a person, or came in when what they
// awaited came.
enum class QuarantineState : int { kRefused = 0, kWaiting = 1, kReleased = 2, kDiscarded = 3 };

// A change of a leaf that was not let in, whole.
struct QuarantineRow {
  std::int64_t id = 0;
  std::string leaf;
  std::string reason;
  std::int64_t atMs = 0;
  std::string body;
  QuarantineState state = QuarantineState::kRefused;
  std::uint64_t linkReplica = 0;  // its place in the chain of the leaf
  std::uint64_t linkNumber = 0;
  std::uint64_t replica = 0;  // its dot
  std::uint64_t counter = 0;
  std::uint64_t awaitedReplica = 0;  // what it waits for: a change, or the birth of a record
  std::uint64_t awaitedCounter = 0;
  std::string awaitedRecord;
  std::string settledBy;  // the person; empty: nobody had to
  std::int64_t settledMs = 0;
  std::string why;
  SealedRow proof = {};  // that it is whose it says; `seal` 0: none came with it

  bool isOpen() const {
    return state == QuarantineState::kRefused || state == QuarantineState::kWaiting;
  }
};

// What a leaf knows of a change of its own that its hub keeps aside.
struct AsideRow {
  std::uint64_t replica = 0;
  std::uint64_t counter = 0;
  std::string reason;
  QuarantineState state = QuarantineState::kRefused;
  std::int64_t atMs = 0;

  bool operator==(const AsideRow&) const = default;
};

// A difference that was found, and what became of it. Never removed: it is an alarm.
struct HealingRow {
  std::int64_t id = 0;
  std::string peer;  // the leaf; "hub"; "store" for damage found without a peer
  std::int64_t foundMs = 0;
  std::int64_t damaged = 0;   // states or digests here that did not agree with the journal
  std::int64_t received = 0;  // writes joined that the other side had and this one did not
  std::int64_t sent = 0;      // records sent for it
  std::int64_t refused = 0;   // writes of the other side that were not let in
  std::int64_t agreedMs = 0;  // when both were found equal again; 0: not yet
};

// An order to erase (sync/erasure.h), kept for ever.
struct ErasureRow {
  std::string hash;       // 16 bytes: its name
  std::string body;       // the ids
  std::string signature;  // headquarters'
  std::int64_t madeMs = 0;
  std::string madeBy;          // at headquarters: who; elsewhere empty
  std::int64_t destroyed = 0;  // records that went when it came
  std::int64_t late = 0;       // edits destroyed since
  bool isReported = false;     // to the hub, with what went
};

struct ErasureReceiptRow {
  std::string hash;
  std::string holder;  // a leaf
  std::int64_t atMs = 0;
  std::int64_t records = 0;
};

// How many records of a kind, under roots of a kind (empty: not held), are in conflict.
struct ConflictCount {
  std::string kind;
  std::string rootKind;
  std::int64_t records = 0;
};

// A bundle whose turn has not come: sealed, as it came.
struct KeptBundleRow {
  std::string id;
  std::string peer;
  std::uint64_t part = 0;
  std::int64_t madeMs = 0;
  std::uint64_t bytes = 0;
};

struct RecordQuery {
  std::string kind;   // empty: any
  std::string root;   // 16 bytes, or empty: any
  std::string words;  // full-text query in FTS5's own syntax, or empty
  bool conflictsOnly = false;
  bool deletedOnly = false;            // else only what is not deleted; see Store::isShown
  std::int64_t beforeSeq = INT64_MAX;  // the cursor: changed before (seq, row)
  std::int64_t beforeRow = INT64_MAX;
  int limit = 50;
};

}  // namespace waystation::storage

#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/signature.h"
#include "storage/store.h"
#include "sync/frame.h"
#include "sync/replica.h"

namespace waystation::sync {

// Erasure by law (docs/spec/sync.md, "Erasure"): a certificate signed by headquarters names ids and
// nothing else, is kept for ever, and wins over everything that ever was or will be written there.

struct ErasureCertificate {
  std::vector<RecordId> ids;  // ascending
  std::string signature;      // Ed25519, headquarters'

  std::string body() const;  // varint(#ids) id(16)*
  std::string hash() const;  // its name: the first 16 bytes of SHA-256 of the body
};

// What an erasure takes, or would take.
struct ErasureCounts {
  std::size_t records = 0;
  std::size_t changes = 0;           // entries of the journal that go, or of which a part goes
  std::size_t quarantined = 0;       // likewise of the quarantine
  std::vector<std::string> offices;  // leaves that hold any of it now
};

// Headquarters': what erasing these records, and all that belong to those which are roots, takes.
ErasureCounts foreseeErasure(Work& work, const std::vector<RecordId>& ids);
// Does it in this transaction, for good; call Store::scrub() after its commit. `person` is noted
// beside the certificate at headquarters, nowhere else. Throws Failure("erasure.nothing-named").
ErasureCounts eraseForGood(Work& work, const crypto::SigningKey& key, const std::string& person,
                           const std::vector<RecordId>& ids);

// Takes certificates that came from outside, destroys what they cover, and answers whether any was
// new (then call Store::scrub() after the commit). Throws Failure("erasure.signature").
bool takeCertificates(Work& work, std::string_view headquartersKey,
                      const std::vector<ErasureCertificate>& certificates);

// The change without edits of what was erased.
Change leftOf(storage::Store& store, Change change);
// The same; what goes is counted as come late, and children of erased roots that are born in it are
// remembered as erased.
Change withoutErased(Work& work, Change change);
bool touchesErased(storage::Store& store, const Change& change);
// Whether a record is born in it into an erased root, and named by no certificate: other nodes
// learn by this birth alone that the record is erased.
bool bearsErased(storage::Store& store, const Change& change);

// Over the names of all certificates held: equal sums, equal sets.
StateSum erasureSum(storage::Store& store);
// All certificates as one text, to be kept beside the store and outside backups of it; empty where
// there are none. The first line is headquarters' key.
std::string exportErasures(storage::Store& store, Replica& replica);
// Takes of such a text what the store does not have, as takeCertificates(); a leaf that knows no
// key of headquarters pins the text's.
bool takeErasureText(Work& work, std::string_view text);

// Certificates in one direction of an exchange.
struct CertificatesFrame {
  std::string headquartersKey;  // 32 bytes, or empty where it is not known
  bool wantsAll = false;        // a hub: say first what you hold, then the feed goes on
  std::vector<ErasureCertificate> certificates;
};
std::string encodeCertificates(const CertificatesFrame& frame);
CertificatesFrame decodeCertificates(std::string_view payload);

// What a leaf says of erasures in one exchange, and what the hub makes of it.
class HubErasures {
 public:
  // Whether the frame was one of these.
  bool take(Replica& replica, storage::Connections& connections, const storage::LeafRow& leaf,
            const Frame& frame);
  // For a bundle that is written: the leaf is taken to hold what it has confirmed, or, where that
  // turned out otherwise, is asked for all.
  void assumeConfirmed(storage::Store& store, const storage::LeafRow& leaf, bool isKnown);
  // What is read may come again: a leaf's confirmation counts once.
  void countOnce() { countsOnce_ = true; }
  // Whether the leaf holds what this hub takes it to hold.
  bool isAsConfirmed(storage::Store& store, const storage::LeafRow& leaf) const;
  // Whether both hold the same certificates.
  bool areEqual(storage::Store& store) const { return held_ == erasureSum(store); }
  // Frames for the answer, before any of the feed. `mayFeed`: whether the feed may go on.
  std::string answer(storage::Store& store, Replica& replica, const storage::LeafRow& leaf,
                     bool& mayFeed) const;

 private:
  std::set<std::string> known(storage::Store& store, const storage::LeafRow& leaf) const;

  StateSum held_{};
  std::optional<std::set<std::string>> listed_;
  bool countsOnce_ = false;
};

// The leaf's frames for a request: what it holds, what it was asked for, what it has destroyed.
std::string erasureFrames(storage::Store& store, std::vector<std::string>& reported);
// Takes a hub's certificates frame; answers whether another exchange is wanted.
bool takeFromHub(Replica& replica, storage::Connections& connections, std::string_view payload);
// The hub has heard what was reported; answers whether there was anything.
bool noteReported(storage::Store& store, const std::vector<std::string>& reported);
// Entries that waited for the hub to have them go; answers whether any did.
bool sweepWaiting(Work& work, std::int64_t acknowledgedSeq);

}  // namespace waystation::sync

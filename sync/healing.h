#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sync/frame.h"
#include "sync/messages.h"
#include "sync/reconcile.h"
#include "sync/replica.h"

namespace waystation::sync {

// Proof of agreement and what follows when it fails (docs/spec/sync.md, "Agreement", "Healing").

// Peers in the list of healings (storage::HealingRow) that are no leaf's name.
inline constexpr std::string_view kHubPeer = "hub";
inline constexpr std::string_view kStorePeer = "store";

// How many records an exchange holds against their root's digest, at each side.
inline constexpr std::size_t kCheckedAtOnce = 1000;

// What healing did in one exchange.
struct HealingCounts {
  std::size_t damaged = 0;   // records here that were not what the journal says
  std::size_t received = 0;  // changes joined
  std::size_t sent = 0;      // records
  std::size_t refused = 0;   // changes
  bool any() const { return damaged + received + sent + refused != 0; }
};

// Holds the next records, in turn, against their roots' digests, and mends what does not fit from
// the journal; answers how many roots that were. What was found is kept as a healing of the store.
std::size_t checkSomeRoots(Work& work, std::size_t records = kCheckedAtOnce);

// What the other side said in one exchange.
struct HealingWords {
  std::optional<Comparison> comparison;
  std::vector<RecordId> wanted;
  std::vector<Change> changes;

  // Whether the frame was one of healing's. Throws Failure("sync.malformed").
  bool take(const Frame& frame);
  bool any() const { return comparison || !wanted.empty() || !changes.empty(); }
};

// The sum that a leaf must have, were its set and the hub's the same: what waits in quarantine
// stands at the leaf and not here. Nothing where too much waits.
std::optional<StateSum> expectedSum(Work& work, const storage::LeafRow& leaf);

// Notes the outcome of a comparison; answers whether it wrote anything.
bool noteAgreement(Work& work, std::string_view peer, Agreement agreement);

// The hub's part: takes in what the leaf said and answers frames; begins where the two differ.
std::string healAtHub(Work& work, const storage::LeafRow& leaf, const HealingWords& words,
                      bool differ, HealingCounts& counts);

// The leaf's part: takes in what the hub said, and keeps in the store what is to be said next.
HealingCounts healAtLeaf(Work& work, const HealingWords& words);
// The frames that are to be said next; empty where there are none.
std::string nextHealingFrames(Work& work);
// They have arrived.
bool clearNextHealing(storage::Store& store);

}  // namespace waystation::sync

#pragma once

#include <optional>
#include <string>

#include "sync/replica.h"

namespace waystation::sync {

// What has to come before a change may be let in: a change (its `record` null) or a record's birth.
struct Awaited {
  Dot change;
  RecordId record;

  bool operator==(const Awaited&) const = default;
};

// What becomes of a change that a leaf brought: let in (no reason), kept aside until what it awaits
// has come, or kept aside for a person. The reason is a stable code (docs/spec/sync.md,
// "Admission").
struct Judgement {
  std::string reason;
  std::optional<Awaited> awaited;

  bool letsIn() const { return reason.empty(); }
};

// The table of who may write what. `link`: the incarnation under which the leaf sent the change and
// its number in that chain.
Judgement judge(Work& work, const storage::LeafRow& leaf, const Dot& link, const Change& change);

// The same for what comes without a chain of the leaf's own, such as healing: all but the rules
// about the chain.
Judgement judgeContent(Work& work, const storage::LeafRow& leaf, const Change& change);

}  // namespace waystation::sync

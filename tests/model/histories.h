#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "tests/model/model.h"

namespace waystation::model {

// All that one field can live through at three replicas that write to it so often: not the order in
// which things happen, of which there are too many, but what each writer had then. Such a history
// is a set of writes, each with the writes that its replica held (its causes) and the page that it
// was made on: none, that of then, or an older one. Whatever was delivered in whatever order, lost,
// pruned or repeated, a replica holds a set of writes in which each has its causes (a cut), so a
// history is checked once for all orders:
//   - each cut has one state, whichever of its writes is joined last; hence, cut by cut, one state
//     for every order;
//   - it shows the writes that no write of the cut had read, and no other;
//   - two cuts joined as pruned records, forwards, backwards and twice, are the cut of both; an
//     older record changes nothing;
//   - each write that comes late, again, or before its causes, changes what it is to change;
//   - a page's context, which a deletion tells, covers all that the page shows and no write that
//     its reader did not hold.
// Fields are joined apart (sync::joinEdit), and of counters only the order within a field is ever
// compared: so a write, a save on an older page, a hand-over, a deletion and a restoral are here
// each the write of one field that it is, whatever was written to other fields in between; erasure
// takes away a replica, and what is left is a shorter history. That fields do not meddle is what
// `explored` tries, of all kinds of deeds together.
enum class OlderPages { kNone, kPrevious, kAny };

struct HistorySettings {
  std::array<int, 3> writes = {2, 2, 2};  // of each replica; descending, so that no history is
                                          // seen again with its replicas renamed
  OlderPages pages = OlderPages::kAny;    // kPrevious: as after this replica's write before
  Join join = sync::joinEdit;
  bool plainVectors = false;
  std::size_t problemsKept = 1;
};

struct HistoryResult {
  std::uint64_t orders = 0;     // of causes: who held what when he wrote, but for renaming
  std::uint64_t histories = 0;  // with the page of each write
  std::uint64_t cuts = 0;       // of histories, each with one state
  std::uint64_t merges = 0;     // of two cuts
  std::uint64_t states = 0;     // of a field that differ
  std::uint64_t joins = 0;      // of a state and a write that differ: so often the real join ran
  std::vector<std::string> problems;
};

HistoryResult histories(const HistorySettings& settings);

// What a save has seen of its field (docs/spec/sync.md, "Joining"): what its page says, of its own
// replica the writes left out that it had not read. `field`: as it is now.
sync::Context seenOf(const sync::Context& read, const sync::Field* field, sync::ReplicaId replica);

}  // namespace waystation::model

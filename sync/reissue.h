#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "storage/database.h"
#include "sync/replica.h"

namespace waystation::sync {

// A machine that is set back while it runs, as a hypervisor does it, goes on under the incarnation
// that it had, and gives dots a second time. Its hub notices, by another history under the same
// numbers (docs/spec/sync.md, "Set back while it ran").

// Whether a refusal with this code says so.
bool saysOtherHistory(std::string_view code);

// What a leaf asks its hub then, in an exchange by itself: which of its own newest changes the hub
// has as they are here. All behind the last of those is made again, under a new incarnation.
class HistoryQuestion {
 public:
  // Borrows both.
  HistoryQuestion(Replica& replica, storage::Connections& connections)
      : replica_(replica), connections_(connections) {}

  // The whole request.
  std::string request();
  // Takes the whole answer, and makes again what the hub lacks, in one transaction. Answers how
  // many changes; nothing where the hub does not know the question, and nothing was done.
  std::optional<std::size_t> settle(std::string_view answer);

 private:
  Replica& replica_;
  storage::Connections& connections_;
  std::vector<std::int64_t> asked_;  // journal entries, by their place in the request
};

// The hub's word: what it says to that frame's payload, of incarnations of this leaf alone.
std::string heldUpTo(storage::Store& store, std::int64_t leaf, std::string_view asked);

// File names that were given to the bytes of records made again, where a crash came before them;
// at the start of the process.
void finishReissue(Replica& replica, storage::Store& store);

}  // namespace waystation::sync

// What a leaf does about its changes that its hub keeps aside.

#include "sync/leaf.h"

namespace waystation::sync {

void LeafExchange::hearOfAside(const std::vector<storage::AsideRow>& rows) {
  const storage::Connections::Lease writer = connections_.writer();
  Work work(replica_, *writer);
  work.store().clearAside();
  for (const storage::AsideRow& row : rows) work.store().putAside(row);
  work.commit();
  outcome_.more = true;  // so that both are compared again
}

// What headquarters discarded is taken back here, once all that was written on top of it is at the
// hub: nothing unsent goes with it.
void LeafExchange::takeBackDiscarded() {
  const storage::Connections::Lease writer = connections_.writer();
  Work work(replica_, *writer);
  const std::int64_t acknowledged = readLeafState(work.store()).acknowledgedSeq;
  bool any = false;
  for (const storage::AsideRow& row : work.store().aside()) {
    if (row.state != storage::QuarantineState::kDiscarded) continue;
    any = work.withdraw({row.replica, row.counter}, acknowledged) || any;
  }
  if (any) work.commit();
}

}  // namespace waystation::sync

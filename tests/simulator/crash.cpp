#include "tests/simulator/crash.h"

#include <sqlite3.h>

namespace waystation::simulator {

Crash::Crash(testing::TestNode& node, std::int64_t afterSteps)
    : node_(node), armed_(afterSteps > 0), left_(afterSteps) {
  if (!armed_) return;
  sqlite3_progress_handler(node_.connections().writer()->handle(), 1, onStep, this);
}

Crash::~Crash() {
  if (!armed_) return;
  const storage::Connections::Lease writer = node_.connections().writer();
  sqlite3_progress_handler(writer->handle(), 0, nullptr, nullptr);
  if (writer->inTransaction()) writer->execute("ROLLBACK");
}

int Crash::onStep(void* self) {
  return --static_cast<Crash*>(self)->left_ <= 0 ? 1 : 0;
}

}  // namespace waystation::simulator

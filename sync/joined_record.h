#pragma once

#include "storage/store.h"
#include "sync/record.h"
#include "sync/replica.h"

namespace waystation::sync {

// A record on its way back into the store, with its row and what it added to its root's digest.
struct Work::Joined {
  Record record;
  storage::RecordRow row;
  StateSum before{};
  StateSum after{};
  bool isNew = false;
  bool changed = false;
};

}  // namespace waystation::sync

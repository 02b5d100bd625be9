// Bodies of changes, states of records and the API's tags. A body is accepted in one form only:
// hashes run over it.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "crypto/failure.h"
#include "sync/change.h"
#include "sync/record.h"

namespace {

using namespace waystation;

void readOne(std::uint8_t which, std::string_view bytes) {
  if (which % 3 == 0) {
    const sync::Change change = sync::decodeChange(bytes);
    if (sync::encodeChange(change) != bytes) std::abort();
    for (const sync::Edit& edit : change.edits) {
      sync::Record record;
      record.id = edit.record;
      sync::joinEdit(record, change, edit);
      const std::string state = sync::encodeState(record);
      if (sync::encodeState(sync::decodeState(record.id, state)) != state) std::abort();
      sync::joinEdit(record, change, edit);
      if (sync::encodeState(record) != state) std::abort();
    }
  } else if (which % 3 == 1) {
    const std::string state = sync::encodeState(sync::decodeState({}, bytes));
    if (sync::encodeState(sync::decodeState({}, state)) != state) std::abort();
  } else {
    sync::decodeTag(bytes);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  try {
    readOne(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
  } catch (const Failure&) {
    // Refused, as it may be.
  }
  return 0;
}

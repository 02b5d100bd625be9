// What a leaf was fed by its hub is kept with the hub's seal, and goes back to a hub that has lost
// it.

#include <algorithm>

#include "sync/byte_stream.h"
#include "sync/leaf.h"
#include "sync/returned.h"

namespace waystation::sync {
namespace {

// In `meta`, while something is to be returned: epoch(8) varint(number) varint(done) varint(last);
// what came by the feed after that point, of the seals after `done` up to `last`. Else empty.
constexpr std::string_view kReturnKey = "hub.return";

struct Return {
  storage::FeedEpochRow from;
  std::int64_t done = 0;
  std::int64_t last = 0;
};

std::optional<Return> readReturn(storage::Store& store) {
  const std::optional<std::string> kept = store.meta(kReturnKey);
  if (!kept || kept->empty()) return std::nullopt;
  ByteReader reader(*kept);
  Return found;
  found.from.epoch = reader.fixed64();
  found.from.began = reader.varint();
  found.done = static_cast<std::int64_t>(reader.varint());
  found.last = static_cast<std::int64_t>(reader.varint());
  return found;
}

void writeReturn(storage::Store& store, const Return& now) {
  ByteWriter writer;
  writer.fixed64(now.from.epoch);
  writer.varint(now.from.began);
  writer.varint(static_cast<std::uint64_t>(now.done));
  writer.varint(static_cast<std::uint64_t>(now.last));
  store.setMeta(kReturnKey, now.done < now.last ? writer.bytes() : std::string());
}

}  // namespace

bool LeafExchange::addReturned(storage::Store& store, std::string& body) {
  const std::optional<Return> due = hub_.empty() ? readReturn(store) : std::nullopt;
  if (!due) return true;
  ReturnedFrames frames(store);
  returnedUpTo_ = due->last;
  for (const std::int64_t seal : store.hubSealsSince(due->from, due->done, due->last)) {
    if (frames.size() > upBytes_) {
      returnedUpTo_ = seal - 1;
      break;
    }
    for (const storage::SealedEntryRow& entry : store.entriesUnder(seal)) frames.add(entry.seq);
  }
  body += frames.take();
  return returnedUpTo_ == due->last;
}

void returnToo(storage::Store& store, std::int64_t seal) {
  Return due = readReturn(store).value_or(Return{{}, seal - 1, seal});
  due.done = std::min(due.done, seal - 1);
  due.last = std::max(due.last, seal);
  writeReturn(store, due);
}

// The hub has what this request returned; or it says anew what it has lost.
bool LeafExchange::noteReturned(storage::Store& store) {
  if (lost_) {
    Return due;
    due.last = store.lastSeal();
    const std::vector<storage::FeedEpochRow> known = store.feedEpochs(0);
    for (const FeedCursor& history : *lost_) {
      const bool isKnown = std::any_of(known.begin(), known.end(),
                                       [&](const auto& row) { return row.epoch == history.epoch; });
      if (!isKnown) continue;
      due.from = {history.epoch, history.number};
      break;
    }
    writeReturn(store, due);
    return true;
  }
  std::optional<Return> due = returnedUpTo_ != 0 ? readReturn(store) : std::nullopt;
  if (!due) return false;
  due->done = returnedUpTo_;
  writeReturn(store, *due);
  return true;
}

}  // namespace waystation::sync

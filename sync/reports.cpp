#include "sync/reports.h"

#include <set>

#include "crypto/failure.h"
#include "sync/byte_stream.h"

namespace waystation::sync {
namespace {

// In `meta`, at a headquarters that was set back and has not heard from all since: byte(whether it
// goes on without them) string(office)*. Else empty.
constexpr std::string_view kRow = "reports";

struct Waiting {
  bool goesOn = false;
  std::set<std::string> offices;
};

Waiting readWaiting(storage::Store& store) {
  const std::string bytes = store.meta(kRow).value_or("");
  if (bytes.empty()) return {};
  ByteReader reader(bytes);
  Waiting waiting{reader.byte() != 0, {}};
  while (!reader.atEnd()) waiting.offices.insert(std::string(reader.string()));
  return waiting;
}

void writeWaiting(storage::Store& store, const Waiting& waiting) {
  ByteWriter writer;
  if (!waiting.offices.empty()) writer.byte(waiting.goesOn ? 1 : 0);
  for (const std::string& office : waiting.offices) writer.string(office);
  store.setMeta(kRow, writer.bytes());
}

// Who was revoked since can't report.
std::vector<std::string> expected(storage::Store& store, const Waiting& waiting) {
  std::vector<std::string> names;
  for (const std::string& office : waiting.offices) {
    const std::optional<storage::LeafRow> leaf = store.leafByName(office);
    if (leaf && !leaf->revoked) names.push_back(office);
  }
  return names;
}

}  // namespace

void noteSetBack(storage::Store& store) {
  Waiting waiting;
  for (const storage::LeafRow& leaf : store.leaves()) {
    if (leaf.home.empty()) waiting.offices.insert(leaf.name);
  }
  writeWaiting(store, waiting);
}

void noteBroughtHome(storage::Store& store, const std::string& leaf) {
  if (!readWaiting(store).offices.contains(leaf)) noteSetBack(store);
}

bool hearReport(storage::Store& store, const std::string& leaf) {
  Waiting waiting = readWaiting(store);
  if (waiting.offices.erase(leaf) == 0) return false;
  writeWaiting(store, waiting);
  return true;
}

std::vector<std::string> unreported(storage::Store& store) {
  return expected(store, readWaiting(store));
}

bool isHeldBack(storage::Store& store) {
  const Waiting waiting = readWaiting(store);
  return !waiting.goesOn && !expected(store, waiting).empty();
}

void stopWaiting(storage::Store& store) {
  Waiting waiting = readWaiting(store);
  waiting.goesOn = true;
  writeWaiting(store, waiting);
}

void requireReports(storage::Store& store, std::string_view what) {
  if (!isHeldBack(store)) return;
  std::string names;
  for (const std::string& name : unreported(store)) names += (names.empty() ? "" : ", ") + name;
  throw Failure("hub.awaits-reports",
                "Headquarters was restored from a copy and has not heard since from " + names +
                    ", which may know what was decided meanwhile. Nothing was " +
                    std::string(what) +
                    ". Wait until they have called; if they can't, say `waystation hq go-on`.");
}

}  // namespace waystation::sync

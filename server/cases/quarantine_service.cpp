#include "server/cases/quarantine_service.h"

#include <array>
#include <charconv>
#include <set>

#include "server/audit.h"
#include "server/cases/record_view.h"
#include "sync/clock.h"
#include "sync/quarantine.h"

namespace waystation::cases {
namespace {

constexpr int kMostListed = 200;

const char* nameOf(storage::QuarantineState state) {
  constexpr std::array<const char*, 4> kNames = {"refused", "waiting", "released", "discarded"};
  return kNames.at(static_cast<std::size_t>(state));
}

// Who wrote it and what it touches, without any value: a part's name is one.
void describe(const std::string& body, Json& shown) {
  const sync::Change change = sync::decodeChange(body);
  shown["by"] = personOf(change.author);
  shown["at"] = sync::formatTime(sync::physicalMs(change.time));
  shown["records"] = Json::array();
  for (const sync::Edit& edit : change.edits) {
    std::set<std::string> fields;
    for (const sync::Write& write : edit.writes) fields.insert(sync::fieldOfPart(write.field));
    shown["records"].push_back({{"id", edit.record.uuid()}, {"fields", fields}});
  }
}

Json shownRow(const storage::QuarantineRow& row) {
  Json shown = {{"id", std::to_string(row.id)},
                {"office", row.leaf},
                {"change", sync::RecordId{row.replica, row.counter}.uuid()},
                {"since", sync::formatTime(row.atMs)},
                {"reason", row.reason},
                {"state", nameOf(row.state)}};
  describe(row.body, shown);
  if (row.settledMs != 0) {
    shown["settledBy"] = row.settledBy;
    shown["settledAt"] = sync::formatTime(row.settledMs);
    shown["why"] = row.why;
  }
  return shown;
}

Json shownAside(storage::Store& store, const std::string& office, const storage::AsideRow& row) {
  Json shown = {{"office", office},
                {"change", sync::RecordId{row.replica, row.counter}.uuid()},
                {"since", sync::formatTime(row.atMs)},
                {"reason", row.reason},
                {"state", nameOf(row.state)}};
  const auto seq = store.journalSeq(row.replica, row.counter);
  const auto entry = seq ? store.journal(*seq) : std::nullopt;
  if (entry) describe(entry->body, shown);
  return shown;
}

}  // namespace

Json listQuarantine(server::Node& node) {
  return node.read([&](storage::Store& store) {
    Json changes = Json::array();
    for (const storage::QuarantineRow& row : store.quarantine(kMostListed)) {
      changes.push_back(shownRow(row));
    }
    for (const storage::AsideRow& row : store.aside()) {
      if (changes.size() >= kMostListed) break;
      changes.push_back(shownAside(store, node.config().name, row));
    }
    return Json{{"changes", std::move(changes)}};
  });
}

Json settleQuarantine(server::Node& node, const std::string& person, const std::string& id,
                      bool release, const Json& request) {
  const auto why = request.is_object() ? request.find("why") : request.end();
  if (why == request.end() || !why->is_string() || why->get<std::string>().empty()) {
    throw Failure("case.request-malformed",
                  "Whoever lets in or discards a change says 'why'. Nothing was decided.");
  }
  std::int64_t number = 0;
  const auto read = std::from_chars(id.data(), id.data() + id.size(), number);
  if (read.ec != std::errc() || read.ptr != id.data() + id.size()) number = 0;
  node.write([&](sync::Work& work) {
    if (release) {
      sync::releaseAside(work, number, person, why->get<std::string>(), node.admitted());
    } else {
      sync::discardAside(work, number, person, why->get<std::string>());
    }
    server::noteDeed(
        work.store(), node.clock(),
        {person, release ? "change-released" : "change-discarded", {}, {{"change", id}}});
  });
  return node.read([&](storage::Store& store) { return shownRow(*store.quarantined(number)); });
}

}  // namespace waystation::cases

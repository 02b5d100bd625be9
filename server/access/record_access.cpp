#include "server/access/record_access.h"

#include "crypto/failure.h"
#include "server/audit.h"
#include "sync/file_record.h"

namespace waystation::access {
namespace {

using http::Json;

// Kinds of the product's own, in no programme: they belong where their root belongs.
bool isOfTheRoot(std::string_view kind) {
  return kind == "handover" || kind == sync::kFileKind;
}
constexpr std::string_view kNewMark = "new:";

Failure malformed(const std::string& what) {
  return Failure("case.request-malformed", what + " Nothing was saved.");
}

Failure notFound() {
  return Failure("record.not-found", "There is no such record here.");
}

std::string textOf(const Json& object, const char* name) {
  const auto at = object.find(name);
  if (at == object.end()) return {};
  if (!at->is_string()) throw malformed(std::string("'") + name + "' must be a text.");
  return at->get<std::string>();
}

storage::RecordRow rowOf(server::Node& node, std::string_view uuid) {
  const std::optional<sync::RecordId> id = sync::RecordId::fromUuid(uuid);
  if (!id) throw notFound();
  std::optional<storage::RecordRow> row =
      node.read([&](storage::Store& store) { return store.record(id->bytes()); });
  if (!row) throw notFound();
  return std::move(*row);
}

}  // namespace

Decision RecordAccess::judge(Action action, const Place& place) const {
  const cases::Programmes& programmes = node_.programmes();
  const cases::Pack* rootPack = programmes.findPackOf(place.rootKind);
  const cases::Pack* pack = isOfTheRoot(place.kind) ? rootPack : programmes.findPackOf(place.kind);
  return decide(account_, action,
                {pack, place.rootKind.empty() ? pack : rootPack, place.isDisposable});
}

// `uuid`: of the record that is there, or empty.
Decision RecordAccess::require(Action action, const Place& place, std::string_view uuid) const {
  Decision decision = judge(action, place);
  if (decision.allowed) return decision;
  if (decision.code == "record.not-found" && !uuid.empty()) {
    node_.write([&](sync::Work& work) {
      server::noteDeed(work.store(), node_.clock(),
                       {account_.name, "refused", {std::string(uuid)}});
    });
  }
  throw Failure(decision.code, decision.reason);
}

// Empty where the record is not held here.
std::string RecordAccess::kindOf(std::string_view uuid) {
  if (const auto known = kinds_.find(uuid); known != kinds_.end()) return known->second;
  std::string kind;
  if (const std::optional<sync::RecordId> id = sync::RecordId::fromUuid(uuid)) {
    const std::optional<storage::RecordRow> row =
        node_.read([&](storage::Store& store) { return store.record(id->bytes()); });
    if (row) kind = row->kind;
  }
  return kinds_[std::string(uuid)] = kind;
}

RecordAccess::Place RecordAccess::placeOf(std::string_view uuid) {
  const storage::RecordRow row = rowOf(node_, uuid);
  if (row.root.empty()) return {row.kind};
  const auto root = node_.read([&](storage::Store& store) { return store.root(row.root); });
  const bool isHere = root && root->custody == node_.config().name;
  return {row.kind, kindOf(sync::RecordId::fromBytes(row.root).uuid()),
          isHere || node_.isHeadquarters(), isHere};
}

Decision RecordAccess::requireRead(std::string_view uuid, const char* deed) {
  const std::string root = rowOf(node_, uuid).root;
  // Handed over: it stays here only until headquarters has it safe.
  if (node_.read([&](storage::Store& store) { return store.isLeaving(root); })) throw notFound();
  const Decision decision = require(Action::kReadRecord, placeOf(uuid), uuid);
  if (decision.isNoted) {
    node_.write([&](sync::Work& work) {
      server::noteDeed(work.store(), node_.clock(), {account_.name, deed, {std::string(uuid)}});
    });
  }
  return decision;
}

void RecordAccess::requireWrite(std::string_view uuid) {
  require(Action::kWriteRecord, placeOf(uuid), uuid);
}

void RecordAccess::requireAnswer(std::string_view handoverUuid) {
  Place place = placeOf(handoverUuid);
  // Headquarters answers for its own cases alone, as everybody does.
  place.isDisposable = place.isHere;
  require(Action::kHandOver, place, handoverUuid);
}

void RecordAccess::requireHandOver(std::string_view rootUuid) {
  require(Action::kHandOver, placeOf(rootUuid), rootUuid);
}

void RecordAccess::requireChanges(const Json& request) {
  if (!request.is_object() || !request.contains("edits") || !request.at("edits").is_array()) {
    throw malformed("A change is {\"edits\": [...]}.");
  }
  for (const Json& edit : request.at("edits")) {
    if (!edit.is_object()) throw malformed("Each edit is an object.");
    const std::string record = textOf(edit, "record");
    const std::string kind = textOf(edit, "kind");
    const std::string root = textOf(edit, "root");
    if (!record.starts_with(kNewMark)) {
      require(Action::kWriteRecord, placeOf(record), record);
    } else if (kind.empty()) {
      throw malformed("A new record says its 'kind'.");
    }
    if (kind.empty()) continue;
    // A root made in the same change is judged as an edit of its own.
    const bool rootIsHeld = !root.empty() && !root.starts_with(kNewMark);
    require(Action::kWriteRecord, {kind, rootIsHeld ? kindOf(root) : std::string()},
            rootIsHeld ? std::string_view(root) : std::string_view());
  }
}

Decision RecordAccess::mayRead(const Json& shown) {
  const std::string kind = textOf(shown, "kind");
  const std::string root = textOf(shown, "root");
  return judge(Action::kReadRecord, {kind, root.empty() ? std::string() : kindOf(root)});
}

bool RecordAccess::mayKnowOf(std::string_view uuid) {
  if (kindOf(uuid).empty()) return decide(account_, Action::kSettleQuarantine).allowed;
  return judge(Action::kReadRecord, placeOf(uuid)).allowed;
}

std::int64_t RecordAccess::countConflicts() {
  const auto counts = node_.read([](storage::Store& store) { return store.conflictsByKind(); });
  std::int64_t count = 0;
  for (const storage::ConflictCount& row : counts) {
    const Decision decision = judge(Action::kReadRecord, {row.kind, row.rootKind});
    if (decision.allowed && !decision.isMasked) count += row.records;
  }
  return count;
}

}  // namespace waystation::access

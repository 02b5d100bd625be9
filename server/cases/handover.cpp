// The hand-over of a root's custody: asked for at an office, carried out by headquarters.
//
// A hand-over is a record of the kind "handover" under the root that it moves, with the fields
// from, to, why, consent, withheld and status ("asked", "done", "refused", "accepted", "declined").
// The case moves at once, so that it is never without an office; the receiving office then accepts
// it, or declines it, by the field answer, and headquarters hands it back. Only headquarters writes
// the root's custody.

#include "server/cases/handover.h"

#include <algorithm>

#include "server/access/account_records.h"
#include "server/audit.h"
#include "server/cases/record_service.h"
#include "server/http/json.h"
#include "sync/reports.h"

namespace waystation::cases {
namespace {

constexpr std::string_view kHandoverKind = "handover";
constexpr const char* kHeadquartersPerson = "headquarters";
constexpr const char* kReferencePrefix = "urn:uuid:";
constexpr std::size_t kMostWithheld = 100;
// In `meta`, at headquarters: a hand-over waits for a decision that was held back.
constexpr std::string_view kHeldBackRow = "handovers.held-back";

Failure malformed(const std::string& what) {
  return {"case.request-malformed", what + " Nothing was handed over."};
}

std::string optionalText(const Json& request, const char* name) {
  const auto at = request.find(name);
  if (at == request.end() || at->is_null()) return {};
  if (!at->is_string()) throw malformed(std::string("'") + name + "' must be a text.");
  return at->get<std::string>();
}

std::string textOf(const Json& request, const char* name) {
  std::string text = optionalText(request, name);
  if (text.empty()) {
    throw malformed(std::string("A hand-over must say '") + name + "' (root, to, why).");
  }
  return text;
}

// The roots that do not go along, as references.
Json withheldOf(const Json& request, storage::Store& store) {
  const auto at = request.find("withheld");
  if (at == request.end() || at->is_null()) return Json::array();
  if (!at->is_array() || at->size() > kMostWithheld) {
    throw malformed("'withheld' must be a list of at most 100 records.");
  }
  Json references = Json::array();
  for (const Json& each : *at) {
    const auto id = each.is_string() ? sync::RecordId::fromUuid(each.get<std::string>())
                                     : std::optional<sync::RecordId>();
    if (!id || !store.root(id->bytes())) {
      throw malformed("'withheld' names what is no case or person of its own here.");
    }
    references.push_back(kReferencePrefix + id->uuid());
  }
  return references;
}

// Why headquarters will not hand over; empty where it will.
std::string refusal(storage::Store& store, const storage::RootRow& root, const std::string& from,
                    const std::string& to) {
  if (root.custody != from) return "The case is in the custody of " + root.custody + ".";
  if (to == from) return "The case is there already.";
  const std::optional<storage::LeafRow> leaf = store.leafByName(to);
  if (!leaf || leaf->revoked) return "No office of the name " + to + " is enrolled.";
  return {};
}

sync::DraftEdit write(const sync::RecordId& record, std::string_view field, const Json& value) {
  sync::DraftEdit edit;
  edit.record = record;
  edit.sawCurrent = true;
  edit.writes = {{std::string(field), http::canonicalJson(value)}};
  return edit;
}

std::string_view plain(const sync::Record& record, std::string_view field) {
  return sync::plainText(record.value(field));
}

// Headquarters that was set back decides once it has heard from its offices, or need not wait: then
// this is noted, and what waits is decided by decideHeldBack().
bool putOff(storage::Store& store) {
  if (!sync::isHeldBack(store)) return false;
  store.setMeta(kHeldBackRow, "1");
  return true;
}

void decide(sync::Work& work, const sync::RecordId& handover, const std::string& from) {
  const std::optional<sync::Record> record = work.record(handover);
  if (!record || putOff(work.store())) return;
  const sync::RecordId root = record->root();
  const std::optional<storage::RootRow> row = work.store().root(root.bytes());
  const std::string to(plain(*record, "to"));
  const std::optional<sync::Record> moving = work.record(root);
  // The product's own roots are no cases: whoever moved an account would be rid of its disabling.
  const bool isCase = moving && moving->kind() != access::kAccountKind;
  const std::string reason = row && isCase ? refusal(work.store(), *row, from, to)
                                           : "The case is not known at headquarters.";
  if (!reason.empty()) {
    sync::DraftEdit edit = write(handover, "status", "refused");
    edit.writes.push_back({"reason", http::canonicalJson(reason)});
    work.save(kHeadquartersPerson, {edit});
    return;
  }
  sync::DraftEdit moved = write(root, sync::kCustodyField, to);
  const std::string_view withheld = record->value("withheld");
  if (!withheld.empty()) {
    moved.writes.push_back({std::string(sync::kWithheldField), std::string(withheld)});
  }
  work.save(kHeadquartersPerson, {write(handover, "status", "done"), moved});
}

// The receiving office has accepted or declined; what it declines goes back to where it came from.
void followAnswer(sync::Work& work, const sync::RecordId& handover, const std::string& office) {
  const std::optional<sync::Record> record = work.record(handover);
  if (!record || plain(*record, "status") != "done" || plain(*record, "to") != office) return;
  if (putOff(work.store())) return;
  const std::optional<storage::RootRow> root = work.store().root(record->root().bytes());
  if (!root || root->custody != office) return;
  const std::string from(plain(*record, "from"));
  if (plain(*record, "answer") != "declined") {
    work.save(kHeadquartersPerson, {write(handover, "status", "accepted")});
  } else if (refusal(work.store(), *root, office, from).empty()) {
    work.save(kHeadquartersPerson, {write(handover, "status", "declined"),
                                    write(record->root(), sync::kCustodyField, from)});
  }
}

sync::RecordId idOf(const std::string& uuid) {
  const std::optional<sync::RecordId> id = sync::RecordId::fromUuid(uuid);
  if (!id) throw Failure("record.not-found", "There is no such hand-over here.");
  return *id;
}

}  // namespace

Json askHandover(server::Node& node, const std::string& person, const Json& request) {
  const std::optional<sync::RecordId> root = sync::RecordId::fromUuid(textOf(request, "root"));
  const std::string to = textOf(request, "to");
  const std::string why = textOf(request, "why");
  const std::string consent = optionalText(request, "consent");
  const sync::RecordId id = node.write([&](sync::Work& work) {
    const std::optional<storage::RootRow> row =
        root ? work.store().root(root->bytes()) : std::nullopt;
    if (!row) {
      throw Failure("record.not-found", "The case is not held here. Nothing was handed over.");
    }
    if (!node.isHeadquarters() && row->custody != node.config().name) {
      throw Failure("case.not-in-custody", "This case is in the custody of " + row->custody +
                                               ", which alone can hand it over.");
    }
    const Json withheld = withheldOf(request, work.store());
    sync::DraftEdit edit;
    edit.record = work.newRecord();
    edit.isNew = true;
    edit.kind = kHandoverKind;
    edit.root = root;
    edit.writes = {{"status", "\"asked\""},
                   {"from", sync::jsonString(row->custody)},
                   {"to", http::canonicalJson(to)},
                   {"why", http::canonicalJson(why)}};
    if (!consent.empty()) edit.writes.push_back({"consent", http::canonicalJson(consent)});
    if (!withheld.empty()) edit.writes.push_back({"withheld", http::canonicalJson(withheld)});
    work.save(person, {edit});
    if (node.isHeadquarters()) decide(work, edit.record, row->custody);
    server::noteDeed(work.store(), node.clock(),
                     {person, "handover-asked", {root->uuid()}, {{"to", to}}});
    return edit.record;
  });
  const Json record = showRecord(node, id.uuid());
  return {{"id", id.uuid()},
          {"root", root->uuid()},
          {"to", to},
          {"status", record["fields"]["status"]}};
}

Json answerHandover(server::Node& node, const std::string& person, const std::string& uuid,
                    bool accepts) {
  const sync::RecordId id = idOf(uuid);
  node.write([&](sync::Work& work) {
    const std::optional<sync::Record> record = work.record(id);
    if (!record || record->kind() != kHandoverKind) idOf("");
    const std::string& here = node.config().name;
    const std::optional<storage::RootRow> root = work.store().root(record->root().bytes());
    if (plain(*record, "status") != "done" || record->field("answer") != nullptr) {
      throw Failure("case.handover-settled",
                    "This hand-over is not waiting for an answer. Nothing was saved.");
    }
    if (plain(*record, "to") != here || !root || root->custody != here) {
      throw Failure("case.not-in-custody",
                    "Only the office that the case was handed to answers. Nothing was saved.");
    }
    work.save(person, {write(id, "answer", accepts ? "accepted" : "declined")});
    server::noteDeed(
        work.store(), node.clock(),
        {person, accepts ? "handover-accepted" : "handover-declined", {record->root().uuid()}});
  });
  return {{"id", uuid}, {"answer", accepts ? "accepted" : "declined"}};
}

void carryOutHandovers(sync::Work& work, const storage::LeafRow& leaf, const sync::Change& change) {
  for (const sync::Edit& edit : change.edits) {
    for (const sync::Write& written : edit.writes) {
      if (written.field == sync::kKindField && sync::plainText(written.value) == kHandoverKind) {
        decide(work, edit.record, leaf.name);
      } else if (written.field == "answer") {
        const std::optional<storage::RecordRow> row = work.store().record(edit.record.bytes());
        if (row && row->kind == kHandoverKind) followAnswer(work, edit.record, leaf.name);
      }
    }
  }
}

void decideHeldBack(server::Node& node) {
  const bool isDue = node.read([](storage::Store& store) {
    return !store.meta(kHeldBackRow).value_or("").empty() && !sync::isHeldBack(store);
  });
  if (!isDue) return;
  node.write([&](sync::Work& work) {
    work.store().setMeta(kHeldBackRow, "");
    std::vector<sync::RecordId> all;
    work.store().eachRecord([&](const storage::RecordRow& row) {
      if (row.kind == kHandoverKind) all.push_back(sync::RecordId::fromBytes(row.id));
    });
    for (const sync::RecordId& id : all) {
      const std::optional<sync::Record> record = work.record(id);
      const sync::Field* const birth = record ? record->field(sync::kKindField) : nullptr;
      if (birth == nullptr) continue;
      if (plain(*record, "status") == "asked") {
        // An office can only hand over what is its own, whatever it says.
        const std::string_view office = sync::officeOf(birth->front().author);
        const bool isOwn = office == node.config().name;
        decide(work, id, std::string(isOwn ? plain(*record, "from") : office));
      } else if (const sync::Field* const answer = record->field("answer")) {
        followAnswer(work, id, std::string(sync::officeOf(sync::latest(*answer).author)));
      }
    }
  });
}

}  // namespace waystation::cases

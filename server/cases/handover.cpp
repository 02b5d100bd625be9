// The hand-over of a root's custody: asked for at an office, carried out by headquarters.
//
// A hand-over is a record of the kind "handover" under the root that it moves, with the fields to,
// why and status ("asked", "done", "refused"). Only headquarters writes the root's custody.

#include "server/cases/record_service.h"
#include "server/http/json.h"

namespace waystation::cases {
namespace {

constexpr const char* kHandoverKind = "handover";
constexpr const char* kHeadquartersPerson = "headquarters";

std::string textOf(const Json& request, const char* name) {
  const auto at = request.find(name);
  if (at == request.end() || !at->is_string() || at->get<std::string>().empty()) {
    throw Failure("case.request-malformed", std::string("A hand-over must say '") + name +
                                                "' (root, to, why). Nothing was handed over.");
  }
  return at->get<std::string>();
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

sync::DraftEdit write(const sync::RecordId& record, const std::string& field, const Json& value) {
  sync::DraftEdit edit;
  edit.record = record;
  edit.sawCurrent = true;
  edit.writes = {{field, http::canonicalJson(value)}};
  return edit;
}

void decide(sync::Work& work, const sync::RecordId& handover, const std::string& from) {
  const std::optional<sync::Record> record = work.record(handover);
  if (!record) return;
  const sync::RecordId root = record->root();
  const std::optional<storage::RootRow> row = work.store().root(root.bytes());
  const std::string to(sync::plainText(record->value("to")));
  const std::string reason =
      row ? refusal(work.store(), *row, from, to) : "The case is not known at headquarters.";
  if (!reason.empty()) {
    sync::DraftEdit edit = write(handover, "status", "refused");
    edit.writes.push_back({"reason", http::canonicalJson(reason)});
    work.save(kHeadquartersPerson, {edit});
    return;
  }
  work.save(kHeadquartersPerson,
            {write(handover, "status", "done"), write(root, std::string(sync::kCustodyField), to)});
}

}  // namespace

Json askHandover(server::Node& node, const std::string& person, const Json& request) {
  const std::optional<sync::RecordId> root = sync::RecordId::fromUuid(textOf(request, "root"));
  const std::string to = textOf(request, "to");
  const std::string why = textOf(request, "why");
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
    sync::DraftEdit edit;
    edit.record = work.newRecord();
    edit.isNew = true;
    edit.kind = kHandoverKind;
    edit.root = root;
    edit.writes = {{"status", "\"asked\""},
                   {"to", http::canonicalJson(to)},
                   {"why", http::canonicalJson(why)}};
    work.save(person, {edit});
    if (node.isHeadquarters()) decide(work, edit.record, row->custody);
    return edit.record;
  });
  const Json record = showRecord(node, id.uuid());
  return {{"id", id.uuid()},
          {"root", root->uuid()},
          {"to", to},
          {"status", record["fields"]["status"]}};
}

void carryOutHandovers(sync::Work& work, const storage::LeafRow& leaf, const sync::Change& change) {
  for (const sync::Edit& edit : change.edits) {
    for (const sync::Write& written : edit.writes) {
      if (written.field == sync::kKindField && written.value == "\"handover\"") {
        decide(work, edit.record, leaf.name);
      }
    }
  }
}

}  // namespace waystation::cases

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/cases/programme_pack.h"
#include "server/node.h"

namespace waystation::cases {

// Records as the API shows and takes them (docs/spec/http-api.yaml): checked against the programme
// packs on the way in, with conflicts and durability on the way out. Field values are JSON.

// POST /api/v1/changes: {"edits": [...]} as one change by `person`; "deleted": true or false in an
// edit deletes or restores what its "seen" had read. Answers
// {"change", "records": {given name: {"id", "tag"}}, "durability"}. Throws "case.*",
// "record.not-found" and saves nothing then.
Json saveChanges(server::Node& node, const std::string& person, const Json& request);

// {"id", "kind", "root", "fields", "tag", "conflicts", "durability", "since", "custody", "title"},
// and "deleted": true where it is; a deletion that stays open is the conflict "_deleted".
// Throws "record.not-found".
Json showRecord(server::Node& node, std::string_view uuid);

// {"entries": [{"change", "by", "office", "at", "fields": {name: {"value", "replaced"}}}]},
// newest first; "deleted": true or false in those that deleted or restored it,
// "late": true in those made before their office had heard that the case had gone.
Json showHistory(server::Node& node, std::string_view uuid);

struct ListQuery {
  std::string kind;
  std::string root;  // UUID
  std::string text;  // what a person typed into the search box
  bool conflictsOnly = false;
  std::string cursor;
  int limit = 50;            // at most 200
  bool deletedOnly = false;  // what was deleted, instead of what was not
};
// {"records": [...], "cursor": "..." or null}, newest change first.
Json listRecords(server::Node& node, const ListQuery& query);

// The projection of a record into the search index and the import keys.
sync::Projection searchProjection(const Programmes& programmes);

}  // namespace waystation::cases

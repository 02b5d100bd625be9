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

// POST /api/v1/changes: {"edits": [...]} as one change by `person`. Answers
// {"change", "records": {given name: {"id", "tag"}}, "durability"}. Throws "case.*",
// "record.not-found" and saves nothing then.
Json saveChanges(server::Node& node, const std::string& person, const Json& request);

// {"id", "kind", "root", "fields", "tag", "conflicts", "durability", "since", "custody", "title"}.
// Throws "record.not-found".
Json showRecord(server::Node& node, std::string_view uuid);

// {"entries": [{"change", "by", "office", "at", "fields": {name: {"value", "replaced"}}}]},
// newest first.
Json showHistory(server::Node& node, std::string_view uuid);

struct ListQuery {
  std::string kind;
  std::string root;  // UUID
  std::string text;  // what a person typed into the search box
  bool conflictsOnly = false;
  std::string cursor;
  int limit = 50;  // at most 200
};
// {"records": [...], "cursor": "..." or null}, newest change first.
Json listRecords(server::Node& node, const ListQuery& query);

// Asks HQ to hand the root's custody to another office: {"root", "to", "why"}. At HQ it happens at
// once. Answers {"id": of the hand-over record, ...}.
Json askHandover(server::Node& node, const std::string& person, const Json& request);

// HQ: carries out a hand-over that a leaf's change asked for, or refuses it in the same record.
void carryOutHandovers(sync::Work& work, const storage::LeafRow& leaf, const sync::Change& change);

// The projection of a record into the search index and the import keys.
sync::Projection searchProjection(const Programmes& programmes);

}  // namespace waystation::cases

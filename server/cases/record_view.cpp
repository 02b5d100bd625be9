#include "server/cases/record_view.h"

#include <algorithm>
#include <cctype>

#include "crypto/failure.h"
#include "server/cases/united_field.h"
#include "server/http/json.h"
#include "sync/binding.h"
#include "sync/deletion.h"

namespace waystation::cases {
namespace {

constexpr std::size_t kLongestIndexedText = 2'000;
constexpr std::size_t kMostWordsOfQuery = 8;

const Field* fieldOf(const Programmes& programmes, const std::string& kind,
                     const std::string& name) {
  const Kind* found = programmes.findKind(kind);
  return found == nullptr ? nullptr : found->findField(name);
}

// What a rule compares: rank of a code, a number, or a text such as a date.
struct Weight {
  double number = 0;
  std::string text;

  auto operator<=>(const Weight&) const = default;
};

Weight weightOf(const Field& field, const std::string& value) {
  const Json json = Json::parse(value, nullptr, false);
  if (json.is_number()) return {json.get<double>(), ""};
  if (json.is_boolean()) return {json.get<bool>() ? 1.0 : 0.0, ""};
  if (!json.is_string()) return {};
  const std::string text = json.get<std::string>();
  if (field.codes && field.codes->isOrdered) {
    if (const auto rank = field.codes->rankOf(text)) return {static_cast<double>(*rank) + 1, ""};
  }
  return {0, text};
}

const sync::Sibling& extreme(const Field& rule, const sync::Field& field, bool highest) {
  const sync::Sibling* best = nullptr;
  Weight bestWeight;
  for (const sync::Sibling& sibling : field) {
    if (sibling.value == "null") continue;
    Weight weight = weightOf(rule, sibling.value);
    if (best == nullptr || (highest ? bestWeight < weight : weight < bestWeight)) {
      best = &sibling;
      bestWeight = std::move(weight);
    }
  }
  return best == nullptr ? sync::latest(field) : *best;
}

Json parseValue(const std::string& value) {
  Json json = Json::parse(value, nullptr, false);
  return json.is_discarded() ? Json() : json;
}

Json siblingsOf(const sync::Field& field) {
  Json list = Json::array();
  for (const sync::Sibling& sibling : field) {
    list.push_back({{"value", parseValue(sibling.value)},
                    {"by", personOf(sibling.author)},
                    {"office", sync::officeOf(sibling.author)},
                    {"at", sync::formatTime(sync::physicalMs(sibling.time))}});
  }
  return list;
}

std::vector<const Field*> setsOf(const Programmes& programmes, const std::string& kind) {
  std::vector<const Field*> sets;
  const Kind* const known = programmes.findKind(kind);
  if (known == nullptr) return sets;
  for (const Field& field : known->fields) {
    if (isSet(field)) sets.push_back(&field);
  }
  return sets;
}

Json conflictsOf(const Programmes& programmes, const sync::Record& record, bool isDeletionOpen) {
  Json conflicts = Json::object();
  const std::string kind = record.kind();
  for (const auto& [name, field] : record.fields) {
    const Field* const known = fieldOf(programmes, kind, name);
    const bool isSetField = known != nullptr && isSet(*known);
    if (name.starts_with('_') || sync::isPart(name) || isSetField) continue;
    const bool isOpen = sync::inConflict(field) || !sync::movedSince(record, name).empty();
    if (isOpen) conflicts[name] = siblingsOf(field);
  }
  if (isDeletionOpen) {
    Json& deletions = conflicts[std::string(sync::kDeletedField)] = Json::array();
    for (sync::Sibling sibling : *record.field(sync::kDeletedField)) {
      sibling.value = sync::deletionOf(sibling.value) ? "true" : "false";
      deletions.push_back(siblingsOf({sibling}).front());
    }
  }
  return conflicts;
}

// Decisions that are open again, each with the fields that have other values since.
Json movedOf(const sync::Record& record) {
  Json moved = Json::object();
  for (const auto& [name, field] : record.fields) {
    const std::vector<std::string> since = sync::movedSince(record, name);
    if (!since.empty()) moved[name] = since;
  }
  return moved;
}

bool isWordByte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || std::isalnum(byte) != 0;
}

}  // namespace

bool isInternalField(std::string_view field) {
  return field.starts_with('_') || field == "import_key" || sync::isPart(field);
}

std::string titleOf(const Programmes& programmes, const std::string& kind, const Json& fields) {
  const Kind* found = programmes.findKind(kind);
  std::string title;
  if (found == nullptr) return title;
  for (const std::string& name : found->titleFields) {
    const auto at = fields.find(name);
    if (at == fields.end() || at->is_null()) continue;
    if (!title.empty()) title += ' ';
    title += at->is_string() ? at->get<std::string>() : at->dump();
  }
  return title;
}

bool isSearched(const Field& field) {
  return field.type == FieldType::kText || field.type == FieldType::kLongText ||
         field.type == FieldType::kPlace;
}

std::string personOf(std::string_view author) {
  return std::string(author.substr(0, author.rfind('@')));
}

const sync::Sibling& shownSibling(const Programmes& programmes, const std::string& kind,
                                  const std::string& fieldName, const sync::Field& field) {
  const Field* known = field.size() > 1 ? fieldOf(programmes, kind, fieldName) : nullptr;
  if (known == nullptr) return sync::latest(field);
  switch (known->rule) {
    case MergeRule::kMostRestrictive:
    case MergeRule::kHighest:
      return extreme(*known, field, true);
    case MergeRule::kLowest:
      return extreme(*known, field, false);
    case MergeRule::kUnite:  // shown from its parts
    case MergeRule::kLatest:
    case MergeRule::kAsk:
      break;
  }
  return sync::latest(field);
}

Json shownFields(const Programmes& programmes, const sync::Record& record) {
  const std::string kind = record.kind();
  Json fields = Json::object();
  for (const Field* set : setsOf(programmes, kind)) {
    Json codes = unitedCodes(*set, record);
    if (!codes.empty()) fields[set->name] = std::move(codes);
  }
  for (const auto& [name, field] : record.fields) {
    const Field* const known = fieldOf(programmes, kind, name);
    if (isInternalField(name) || field.empty() || (known != nullptr && isSet(*known))) continue;
    Json value = parseValue(shownSibling(programmes, kind, name, field).value);
    if (!value.is_null()) fields[name] = std::move(value);
  }
  return fields;
}

namespace {

// Where the newest change of the record is kept. Of one that came from headquarters an office does
// not know whether it is in the copy.
const char* durabilityOf(const Standing& standing, const storage::RecordRow& row) {
  if (standing.isHub) return row.changedSeq <= standing.copiedSeq ? "hq-backup" : "hq";
  if (row.upwardSeq > standing.acknowledgedSeq) return "office";
  const bool isOwn = row.upwardSeq != 0 && row.upwardSeq == row.changedSeq;
  return isOwn && row.upwardSeq <= standing.copiedSeq ? "hq-backup" : "hq";
}

}  // namespace

Json viewRecord(const Programmes& programmes, storage::Store& store, const Standing& standing,
                const storage::RecordRow& row) {
  const sync::Record record = sync::decodeState(sync::RecordId::fromBytes(row.id), row.state);
  Json fields = shownFields(programmes, record);
  const std::optional<storage::RootRow> root = store.root(row.root);
  const std::optional<storage::JournalRow> entry = store.journal(row.changedSeq);
  const bool isShown = store.isShown(row);
  const bool isDeletionOpen = row.hidden ? isShown : sync::isDeletionOpen(record);
  Json view = {{"id", record.id.uuid()},
               {"kind", row.kind},
               {"root", sync::RecordId::fromBytes(row.root).uuid()},
               {"title", titleOf(programmes, row.kind, fields)},
               {"tag", sync::encodeTag(record)},
               {"conflicts", conflictsOf(programmes, record, isDeletionOpen)},
               {"durability", durabilityOf(standing, row)},
               {"since", sync::formatTime(entry ? entry->receivedMs : 0)},
               {"custody", root ? root->custody : ""}};
  view["fields"] = std::move(fields);
  if (Json moved = movedOf(record); !moved.empty()) view["moved"] = std::move(moved);
  if (!isShown) view["deleted"] = true;
  return view;
}

std::string searchWords(const Programmes& programmes, const sync::Record& record) {
  std::string words;
  const Kind* kind = programmes.findKind(record.kind());
  if (kind == nullptr) return words;
  for (const Field& field : kind->fields) {
    const sync::Field* siblings = isSearched(field) ? record.field(field.name) : nullptr;
    if (siblings == nullptr) continue;
    for (const sync::Sibling& sibling : *siblings) {
      const Json value = parseValue(sibling.value);
      if (!value.is_string()) continue;
      words += value.get<std::string>().substr(0, kLongestIndexedText);
      words += '\n';
    }
  }
  return words;
}

std::string searchQuery(std::string_view typed) {
  std::string query;
  std::size_t words = 0;
  for (std::size_t at = 0; at < typed.size() && words < kMostWordsOfQuery;) {
    if (!isWordByte(typed[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < typed.size() && isWordByte(typed[end])) ++end;
    if (!query.empty()) query += ' ';
    query += '"' + std::string(typed.substr(at, end - at)) + "\"*";
    ++words;
    at = end;
  }
  return query;
}

}  // namespace waystation::cases

#include "server/cases/masking.h"

#include "server/cases/record_view.h"
#include "storage/store.h"

namespace waystation::cases {
namespace {

// What no programme here knows may be anything; "_deleted" says nothing of what stood there.
bool isSensitive(const Kind* kind, const std::string& name) {
  if (name.starts_with('_')) return false;
  const Field* field = kind == nullptr ? nullptr : kind->findField(name);
  return field == nullptr || field->isSensitive;
}

void maskMembers(const Kind* kind, Json& members, Json& masked) {
  for (auto each = members.begin(); each != members.end();) {
    if (!isSensitive(kind, each.key())) {
      ++each;
      continue;
    }
    masked[each.key()] = true;
    each = members.erase(each);
  }
}

void tellMasked(Json& shown, const Json& masked) {
  if (masked.empty()) return;
  shown["masked"] = Json::array();
  for (const auto& [name, _] : masked.items()) shown["masked"].push_back(name);
}

void addWords(const Json& value, std::string& words) {
  if (value.is_string()) words += value.get<std::string>() + "\n";
}

std::string wordsOf(const Programmes& programmes, const Json& shown) {
  std::string words;
  const Kind* kind = programmes.findKind(shown.at("kind").get<std::string>());
  if (kind == nullptr) return words;
  for (const Field& field : kind->fields) {
    if (!isSearched(field)) continue;
    if (shown.at("fields").contains(field.name)) addWords(shown["fields"][field.name], words);
    if (!shown.at("conflicts").contains(field.name)) continue;
    for (const Json& sibling : shown["conflicts"][field.name]) addWords(sibling["value"], words);
  }
  return words;
}

}  // namespace

void maskRecord(const Programmes& programmes, Json& shown) {
  const std::string kindName = shown.at("kind").get<std::string>();
  const Kind* kind = programmes.findKind(kindName);
  Json masked = Json::object();
  maskMembers(kind, shown.at("fields"), masked);
  maskMembers(kind, shown.at("conflicts"), masked);
  if (shown.contains("moved")) {
    maskMembers(kind, shown["moved"], masked);
    for (Json& since : shown["moved"]) {
      Json seen = Json::array();
      for (const Json& name : since) {
        if (!isSensitive(kind, name.get<std::string>())) seen.push_back(name);
      }
      since = std::move(seen);
    }
  }
  shown["title"] = titleOf(programmes, kindName, shown.at("fields"));
  tellMasked(shown, masked);
}

void maskHistory(const Programmes& programmes, std::string_view kind, Json& history) {
  const Kind* known = programmes.findKind(kind);
  for (Json& entry : history.at("entries")) {
    Json masked = Json::object();
    maskMembers(known, entry.at("fields"), masked);
    tellMasked(entry, masked);
  }
}

std::vector<bool> foundInMasked(const Programmes& programmes, const std::vector<Json>& masked,
                                std::string_view typed) {
  const std::string query = searchQuery(typed);
  std::vector<bool> found(masked.size(), query.empty());
  if (query.empty() || masked.empty()) return found;
  std::vector<std::string> words;
  for (const Json& shown : masked) words.push_back(wordsOf(programmes, shown));
  for (const std::size_t index : storage::Store::matching(words, query)) found[index] = true;
  return found;
}

}  // namespace waystation::cases

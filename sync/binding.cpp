#include "sync/binding.h"

#include <algorithm>
#include <set>

#include "crypto/failure.h"

namespace waystation::sync {
namespace {

// Nothing where the value is not a tag; admission lets no such value in.
ReadContexts readOf(std::string_view value) {
  if (value.size() < 2 || value.front() != '"') return {};
  try {
    return decodeTag(plainText(value));
  } catch (const Failure&) {
    return {};
  }
}

// What was written by the deciding change itself was decided with the rest.
bool hasRead(const Context& read, const Sibling& decision, const Field& field) {
  return std::all_of(field.begin(), field.end(), [&](const Sibling& sibling) {
    return sibling.dot == decision.dot || read.covers(sibling.dot);
  });
}

}  // namespace

std::string boundValue(const ReadContexts& read, const std::vector<std::string>& fields) {
  ReadContexts told;
  for (const std::string& field : fields) {
    const auto at = read.find(field);
    told.emplace(field, at == read.end() ? Context{} : at->second);
  }
  return jsonString(encodeContexts(told));
}

std::vector<std::string> movedSince(const Record& record, std::string_view field) {
  const Field* const decisions = record.field(partName(field, kBoundPart));
  if (decisions == nullptr) return {};
  std::set<std::string> moved;
  for (const Sibling& decision : *decisions) {
    for (const auto& [name, read] : readOf(decision.value)) {
      const Field* const now = record.field(name);
      if (now != nullptr && !hasRead(read, decision, *now)) moved.insert(name);
    }
  }
  return {moved.begin(), moved.end()};
}

}  // namespace waystation::sync

#include "sync/deletion.h"

#include <algorithm>

#include "crypto/failure.h"

namespace waystation::sync {
namespace {

bool hasRead(const ReadContexts& read, std::string_view name, const Field& field) {
  const auto at = read.find(name);
  return std::all_of(field.begin(), field.end(), [&](const Sibling& sibling) {
    return at != read.end() && at->second.covers(sibling.dot);
  });
}

bool hasReadAll(const ReadContexts& read, const Record& record) {
  return std::all_of(record.fields.begin(), record.fields.end(), [&](const auto& entry) {
    return entry.first.starts_with('_') || hasRead(read, entry.first, entry.second);
  });
}

}  // namespace

std::string deletionValue(const ReadContexts& read) {
  ReadContexts told;
  for (const auto& [field, context] : read) {
    if (!field.starts_with('_')) told.emplace(field, context);
  }
  return jsonString(encodeContexts(told));
}

std::optional<ReadContexts> deletionOf(std::string_view value) {
  if (value.size() < 2 || value.front() != '"') return std::nullopt;
  try {
    return decodeTag(plainText(value));
  } catch (const Failure&) {
    return std::nullopt;  // admission lets no such value in
  }
}

bool isHidden(const Record& record) {
  const Field* deleted = record.field(kDeletedField);
  if (deleted == nullptr) return false;
  bool hides = false;
  for (const Sibling& sibling : *deleted) {
    const std::optional<ReadContexts> read = deletionOf(sibling.value);
    if (!read) return false;
    hides = hides || hasReadAll(*read, record);
  }
  return hides;
}

bool isDeletionOpen(const Record& record) {
  const Field* deleted = record.field(kDeletedField);
  if (deleted == nullptr || isHidden(record)) return false;
  return std::any_of(deleted->begin(), deleted->end(),
                     [](const Sibling& sibling) { return deletionOf(sibling.value).has_value(); });
}

}  // namespace waystation::sync

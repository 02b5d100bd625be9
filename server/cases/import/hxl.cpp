#include "server/cases/import/hxl.h"

#include <algorithm>

#include "server/cases/text_check.h"

namespace waystation::cases {

namespace {

std::string lowered(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return lower;
}

bool isWordCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

// A letter, then letters, digits or '_' (HXL 1.1, "Syntax").
bool isWord(std::string_view word) {
  return !word.empty() && word[0] >= 'a' && word[0] <= 'z' &&
         std::all_of(word.begin(), word.end(), isWordCharacter);
}

}  // namespace

std::optional<HxlPattern> HxlPattern::parse(std::string_view text) {
  std::string rest = lowered(trimmed(text));
  rest.erase(std::remove(rest.begin(), rest.end(), ' '), rest.end());
  if (rest.empty() || rest[0] != '#') return std::nullopt;
  HxlPattern pattern;
  std::size_t at = std::min(rest.find_first_of("+-"), rest.size());
  if (!isWord(std::string_view(rest).substr(1, at - 1))) return std::nullopt;
  pattern.tag = rest.substr(0, at);
  while (at < rest.size()) {
    const bool isWith = rest[at] == '+';
    const std::size_t end = std::min(rest.find_first_of("+-", at + 1), rest.size());
    const std::string word = rest.substr(at + 1, end - at - 1);
    if (!isWord(word)) return std::nullopt;
    (isWith ? pattern.with : pattern.without).insert(word);
    at = end;
  }
  return pattern;
}

std::optional<HxlTag> HxlTag::parse(std::string_view text) {
  const auto pattern = HxlPattern::parse(text);
  if (!pattern || !pattern->without.empty()) return std::nullopt;
  return HxlTag{pattern->tag, pattern->with};
}

bool HxlPattern::matches(const HxlTag& column) const {
  if (tag != column.tag) return false;
  const auto has = [&](const std::string& word) { return column.attributes.count(word) != 0; };
  return std::all_of(with.begin(), with.end(), has) &&
         std::none_of(without.begin(), without.end(), has);
}

int HxlPattern::closeness(const HxlTag& column) const {
  return static_cast<int>(with.size()) * 2 + (with.size() == column.attributes.size() ? 1 : 0);
}

bool isHxlRow(const std::vector<std::string>& cells) {
  bool hasTag = false;
  for (const std::string& cell : cells) {
    if (trimmed(cell).empty()) continue;
    if (!HxlTag::parse(cell)) return false;
    hasTag = true;
  }
  return hasTag;
}

}  // namespace waystation::cases

#include "server/cases/import/cell_value.h"

#include <algorithm>
#include <charconv>

#include "server/cases/text_check.h"

namespace waystation::cases {

namespace {

// Line ends as LF, the only one that a record keeps.
std::string withLineFeeds(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r') {
      if (i + 1 == text.size() || text[i + 1] != '\n') result.push_back('\n');
    } else {
      result.push_back(text[i]);
    }
  }
  return result;
}

// "2017-03-30T00:00:00", with a fraction of zeros or a Z: the day alone.
std::string_view withoutMidnight(std::string_view text) {
  constexpr std::string_view kMidnight = "00:00:00";
  if (text.size() < 19 || (text[10] != 'T' && text[10] != ' ')) return text;
  if (text.substr(11, kMidnight.size()) != kMidnight) return text;
  std::string_view rest = text.substr(19);
  if (!rest.empty() && rest.back() == 'Z') rest.remove_suffix(1);
  if (rest.find_first_not_of(".0") != std::string_view::npos) return text;
  return text.substr(0, 10);
}

Json numberOf(std::string_view text) {
  std::string_view whole = text;
  const std::size_t point = text.find('.');
  if (point != std::string_view::npos &&
      text.find_first_not_of('0', point + 1) == std::string_view::npos) {
    whole = text.substr(0, point);
  }
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(whole.data(), whole.data() + whole.size(), number);
  if (error != std::errc() || end != whole.data() + whole.size()) return std::string(text);
  return number;
}

Json truthOf(std::string_view text) {
  const std::string word = comparable(text);
  if (word == "true" || word == "yes" || word == "1") return true;
  if (word == "false" || word == "no" || word == "0") return false;
  return std::string(text);
}

std::string codeOf(const Field& field, std::string_view text) {
  const auto meant = field.import.values.find(std::string(text));
  if (meant != field.import.values.end()) return meant->second;
  if (field.codes->rankOf(text)) return std::string(text);
  const std::string word = comparable(text);
  for (const Code& code : field.codes->codes) {
    for (const std::string& label : {code.label.en, code.label.fr, code.label.es, code.label.ar}) {
      if (comparable(label) == word) return code.code;
    }
  }
  return std::string(text);
}

Json codesOf(const Field& field, std::string_view text) {
  std::vector<std::string> codes;
  std::size_t from = 0;
  while (from <= text.size()) {
    const std::size_t end = std::min(text.find(field.import.separator, from), text.size());
    const std::string_view part = trimmed(text.substr(from, end - from));
    if (!part.empty()) codes.push_back(codeOf(field, part));
    from = end + field.import.separator.size();
  }
  // In one order, so that the same set read twice is the same value.
  std::sort(codes.begin(), codes.end());
  codes.erase(std::unique(codes.begin(), codes.end()), codes.end());
  return codes;
}

}  // namespace

std::string comparable(std::string_view header) {
  std::string result;
  for (const char c : trimmed(header)) {
    if (c == ' ' || c == '_' || c == '-') continue;
    result.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
  }
  return result;
}

std::optional<Json> valueOfCell(const Field& field, std::string_view cell) {
  const std::string_view text = trimmed(cell);
  if (text.empty()) return std::nullopt;
  const auto& absent = field.import.absent;
  if (std::find(absent.begin(), absent.end(), text) != absent.end()) return std::nullopt;
  switch (field.type) {
    case FieldType::kDate:
      return std::string(withoutMidnight(text));
    case FieldType::kInteger:
      return numberOf(text);
    case FieldType::kBoolean:
      return truthOf(text);
    case FieldType::kCode:
      return codeOf(field, text);
    case FieldType::kCodes:
      return codesOf(field, text);
    case FieldType::kText:
    case FieldType::kLongText:
    case FieldType::kRef:
    case FieldType::kPlace:
      return withLineFeeds(text);
  }
  return std::nullopt;
}

std::optional<Json> valueOfJson(const Field& field, const Json& value) {
  if (value.is_null()) return std::nullopt;
  if (value.is_string()) return valueOfCell(field, value.get_ref<const std::string&>());
  return value;
}

}  // namespace waystation::cases

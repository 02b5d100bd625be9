#include "server/cases/field_value.h"

#include <algorithm>
#include <set>
#include <string>

#include "crypto/failure.h"
#include "server/cases/programme_pack.h"
#include "server/cases/text_check.h"

namespace waystation::cases {

namespace {

// JSON numbers beyond this lose their last digits in a browser (RFC 8259, section 6).
constexpr std::int64_t kExactInteger = 9007199254740991;

bool isDigit(char c) {
  return c >= '0' && c <= '9';
}
bool isCapital(char c) {
  return c >= 'A' && c <= 'Z';
}
bool isSmall(char c) {
  return c >= 'a' && c <= 'z';
}

int numberAt(std::string_view text, std::size_t at, std::size_t digits) {
  int number = 0;
  for (std::size_t i = at; i < at + digits; ++i) number = number * 10 + (text[i] - '0');
  return number;
}

int daysOf(int year, int month) {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool isLeap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && isLeap ? 29 : kDays[month - 1];
}

[[noreturn]] void fail(const Field& field, const std::string& what) {
  throw Failure("case.value-invalid", "The field \"" + field.name + "\" " + what + ".");
}

const std::string& textOf(const Field& field, const Json& value) {
  if (!value.is_string()) fail(field, "must be text");
  return value.get_ref<const std::string&>();
}

void checkTextValue(const Field& field, const Json& value) {
  const std::string& text = textOf(field, value);
  const TextCheck check = checkText(text, field.type == FieldType::kLongText);
  if (check.fault == TextFault::kNotUtf8) fail(field, "is not valid UTF-8 text");
  if (check.fault) fail(field, "holds a control character; type the text again");
  if (text.empty()) fail(field, "is an empty text; leave it out or send null instead");
  if (check.characters > field.maxLength) {
    fail(field, "is longer than " + std::to_string(field.maxLength) + " characters");
  }
}

void checkInteger(const Field& field, const Json& value) {
  if (!value.is_number_integer()) fail(field, "must be a whole number");
  const bool isHuge = value.is_number_unsigned() &&
                      value.get<std::uint64_t>() > static_cast<std::uint64_t>(kExactInteger);
  if (isHuge || value.get<std::int64_t>() < -kExactInteger) fail(field, "is too large a number");
  const std::int64_t number = value.get<std::int64_t>();
  if (field.minimum && number < *field.minimum) {
    fail(field, "must be " + std::to_string(*field.minimum) + " or more");
  }
  if (field.maximum && number > *field.maximum) {
    fail(field, "must be " + std::to_string(*field.maximum) + " or less");
  }
}

void checkCode(const Field& field, const Json& value) {
  const std::string& code = textOf(field, value);
  if (field.codes->rankOf(code)) return;
  if (field.codes->isOpen && isCodeText(code)) return;
  // The code itself is not repeated: it may be somebody's name typed into the wrong box.
  fail(field, "must be one of the codes of the list \"" + field.codes->name + "\"");
}

void checkCodes(const Field& field, const Json& value) {
  if (!value.is_array()) fail(field, "must be a list of codes");
  std::set<std::string> seen;
  for (const Json& each : value) {
    checkCode(field, each);
    if (!seen.insert(each.get<std::string>()).second) fail(field, "names a code twice");
  }
}

}  // namespace

bool isRealDate(std::string_view text) {
  if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
  for (const std::size_t i : {0, 1, 2, 3, 5, 6, 8, 9}) {
    if (!isDigit(text[i])) return false;
  }
  const int year = numberAt(text, 0, 4);
  const int month = numberAt(text, 5, 2);
  const int day = numberAt(text, 8, 2);
  if (year < 1800 || year > 2200 || month < 1 || month > 12) return false;
  return day >= 1 && day <= daysOf(year, month);
}

bool isPlaceCode(std::string_view text) {
  if (text.size() < 2 || text.size() > 20) return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return isCapital(c) || isDigit(c); });
}

bool isRecordReference(std::string_view text) {
  constexpr std::string_view kPrefix = "urn:uuid:";
  if (text.size() != kPrefix.size() + 36 || text.substr(0, kPrefix.size()) != kPrefix) return false;
  const std::string_view uuid = text.substr(kPrefix.size());
  for (std::size_t i = 0; i < uuid.size(); ++i) {
    const bool isDash = i == 8 || i == 13 || i == 18 || i == 23;
    const char c = uuid[i];
    if (isDash ? c != '-' : !(isDigit(c) || (c >= 'a' && c <= 'f'))) return false;
  }
  return true;
}

bool isCodeText(std::string_view text) {
  const auto isPlain = [](char c) { return isDigit(c) || isCapital(c) || isSmall(c); };
  if (text.empty() || text.size() > 64 || !isPlain(text[0])) return false;
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return isPlain(c) || c == '_' || c == '-' || c == '.'; });
}

void Programmes::checkValue(const Field& field, const Json& value) const {
  if (value.is_null()) {
    if (field.isRequired) fail(field, "is required and cannot be emptied");
    return;
  }
  switch (field.type) {
    case FieldType::kText:
    case FieldType::kLongText:
      return checkTextValue(field, value);
    case FieldType::kDate:
      if (!isRealDate(textOf(field, value))) {
        fail(field, "must be a day that exists, written YYYY-MM-DD");
      }
      return;
    case FieldType::kInteger:
      return checkInteger(field, value);
    case FieldType::kBoolean:
      if (!value.is_boolean()) fail(field, "must be true or false");
      return;
    case FieldType::kCode:
      return checkCode(field, value);
    case FieldType::kCodes:
      return checkCodes(field, value);
    case FieldType::kRef:
      if (!isRecordReference(textOf(field, value))) {
        fail(field, "must name a record as urn:uuid:...");
      }
      return;
    case FieldType::kPlace:
      if (!isPlaceCode(textOf(field, value))) {
        fail(field, "must be a place code (P-code), like AF0101");
      }
      return;
  }
}

}  // namespace waystation::cases

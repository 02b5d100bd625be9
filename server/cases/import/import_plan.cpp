#include "server/cases/import/import_plan.h"

#include <algorithm>

#include "crypto/failure.h"
#include "server/cases/import/cell_value.h"
#include "server/cases/import/hxl.h"
#include "server/cases/text_check.h"

namespace waystation::cases {

namespace {

bool contains(const std::vector<std::string>& texts, std::string_view word) {
  return std::any_of(texts.begin(), texts.end(),
                     [&](const std::string& text) { return comparable(text) == word; });
}

const Field* findFieldForTag(const Kind& kind, const HxlTag& tag) {
  const Field* best = nullptr;
  int closest = -1;
  for (const Field& field : kind.fields) {
    for (const std::string& text : field.import.hxl) {
      const auto pattern = HxlPattern::parse(text);
      if (!pattern || !pattern->matches(tag) || pattern->closeness(tag) <= closest) continue;
      best = &field;
      closest = pattern->closeness(tag);
    }
  }
  return best;
}

std::size_t countFields(const Kind& kind, const SourceRow& row) {
  return static_cast<std::size_t>(std::count_if(
      row.cells.begin(), row.cells.end(),
      [&](const std::string& cell) { return findFieldForColumn(kind, cell) != nullptr; }));
}

void addColumn(const Kind& kind, ImportPlan& plan, const std::string& header,
               const std::string& tagText) {
  const auto tag = HxlTag::parse(tagText);
  const bool isIgnored = isIgnoredColumn(kind, header) || isIgnoredColumn(kind, tagText);
  const Field* field = tag && !isIgnored ? findFieldForTag(kind, *tag) : nullptr;
  if (field == nullptr && !isIgnored) field = findFieldForColumn(kind, header);
  plan.headers.push_back(header.empty() ? tagText : header);
  plan.fieldOf.push_back(field);
  if (field == nullptr && !isIgnored && !plan.headers.back().empty()) {
    plan.unknown.push_back(plan.headers.back());
  }
}

void checkPlan(const Kind& kind, const ImportPlan& plan) {
  const auto isFilled = [&](const std::string& name) {
    return std::find(plan.fieldOf.begin(), plan.fieldOf.end(), kind.findField(name)) !=
           plan.fieldOf.end();
  };
  for (const Field& field : kind.fields) {
    if (std::count(plan.fieldOf.begin(), plan.fieldOf.end(), &field) > 1) {
      throw Failure("import.column-twice", "Two columns of the file would fill the field \"" +
                                               field.name + "\"; remove or rename one.");
    }
    if (field.isRequired && !isFilled(field.name)) {
      throw Failure("import.column-missing", "The file has no column for the field \"" +
                                                 field.name + "\", which is required; add it.");
    }
  }
  if (!kind.importKey.empty() &&
      std::none_of(kind.importKey.begin(), kind.importKey.end(), isFilled)) {
    throw Failure("import.column-missing",
                  "The file has no column that tells one row from another (\"" +
                      kind.importKey.front() + "\"); add it.");
  }
}

}  // namespace

const Field* findFieldForColumn(const Kind& kind, std::string_view header) {
  const std::string word = comparable(header);
  if (word.empty()) return nullptr;
  for (const Field& field : kind.fields) {
    if (comparable(field.name) == word || contains(field.import.columns, word)) return &field;
  }
  for (const Field& field : kind.fields) {
    const Label& label = field.label;
    if (contains({label.en, label.fr, label.es, label.ar}, word)) return &field;
  }
  return nullptr;
}

bool isIgnoredColumn(const Kind& kind, std::string_view header) {
  return contains(kind.importIgnored, comparable(header));
}

ImportPlan planColumns(const Kind& kind, const std::vector<SourceRow>& firstRows) {
  const SourceRow* tags = nullptr;
  const SourceRow* headers = nullptr;
  std::size_t most = 0;
  for (std::size_t i = 0; i < firstRows.size() && tags == nullptr; ++i) {
    const SourceRow& row = firstRows[i];
    if (isHxlRow(row.cells)) {
      const bool hasHeader = i > 0 && firstRows[i - 1].cells.size() == row.cells.size();
      headers = hasHeader ? &firstRows[i - 1] : nullptr;
      tags = &row;
    } else if (countFields(kind, row) > most) {
      most = countFields(kind, row);
      headers = &row;
    }
  }
  const SourceRow* last = tags != nullptr ? tags : headers;
  if (last == nullptr) {
    throw Failure("import.no-columns",
                  "No row at the top of the file names columns of \"" + kind.kind +
                      "\". The first row must hold the names of the fields, like \"" +
                      kind.fields.front().name + "\", or the second HXL tags.");
  }
  ImportPlan plan;
  for (std::size_t i = 0; i < last->cells.size(); ++i) {
    const std::string tag = tags != nullptr ? tags->cells[i] : std::string();
    const std::string header = headers != nullptr ? headers->cells[i] : std::string();
    addColumn(kind, plan, std::string(trimmed(header)), tag);
  }
  plan.headRows = static_cast<std::size_t>(last - firstRows.data()) + 1;
  checkPlan(kind, plan);
  return plan;
}

}  // namespace waystation::cases

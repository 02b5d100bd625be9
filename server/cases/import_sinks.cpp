#include "server/cases/import_sinks.h"

#include <optional>
#include <set>

#include "server/cases/record_view.h"
#include "server/cases/record_writes.h"
#include "server/http/json.h"

namespace waystation::cases {
namespace {

constexpr std::string_view kImportKeyField = "import_key";
// The root under which all records of a global kind stand, such as the places of a code list.
constexpr const char* kListKind = "code_list";

struct Existing {
  sync::RecordId id;
  Json fields;
};

std::optional<Existing> existing(storage::Store& store, const Programmes& programmes,
                                 const Kind& kind, const std::string& key) {
  const std::optional<std::string> id = store.importedRecord(kind.kind, key);
  if (!id) return std::nullopt;
  const std::optional<storage::RecordRow> row = store.record(*id);
  if (!row) return std::nullopt;
  const sync::RecordId record = sync::RecordId::fromBytes(*id);
  return Existing{record, shownFields(programmes, sync::decodeState(record, row->state))};
}

std::set<Json> elements(const Json& list) {
  return {list.begin(), list.end()};
}

// A set has no order.
bool isSame(const Kind& kind, const std::string& name, const Json& before, const Json& now) {
  const Field* const field = kind.findField(name);
  const bool isList = before.is_array() && now.is_array();
  if (isList && field != nullptr && isSet(*field)) return elements(before) == elements(now);
  return before == now;
}

// The fields that the row says differently.
Json differences(const Kind& kind, const Existing& before, const Json& fields) {
  Json changed = Json::object();
  for (const auto& [name, value] : fields.items()) {
    const auto at = before.fields.find(name);
    if (at == before.fields.end() || !isSame(kind, name, *at, value)) changed[name] = value;
  }
  return changed;
}

class Importer {
 public:
  Importer(server::Node& node, std::string person, ImportHolders holders)
      : node_(node), person_(std::move(person)), holders_(std::move(holders)) {}

  std::vector<SinkAnswer> save(const Kind& kind, const std::vector<ImportedRecord>& rows) {
    return node_.write([&](sync::Work& work) {
      const std::optional<sync::RecordId> list = listRoot(work, kind);
      std::vector<SinkAnswer> answers;
      answers.reserve(rows.size());
      for (const ImportedRecord& row : rows) answers.push_back(saveRow(work, kind, list, row));
      return answers;
    });
  }

  std::vector<SinkAnswer> examine(const Kind& kind, const std::vector<ImportedRecord>& rows) {
    return node_.read([&](storage::Store& store) {
      std::vector<SinkAnswer> answers;
      for (const ImportedRecord& row : rows) {
        const auto before = existing(store, node_.programmes(), kind, row.externalKey);
        answers.push_back({!before                                          ? RowOutcome::kCreated
                           : differences(kind, *before, row.fields).empty() ? RowOutcome::kUnchanged
                                                                            : RowOutcome::kUpdated,
                           {}});
      }
      return answers;
    });
  }

 private:
  SinkAnswer saveRow(sync::Work& work, const Kind& kind, const std::optional<sync::RecordId>& list,
                     const ImportedRecord& row) {
    sync::DraftEdit edit;
    SinkAnswer answer;
    if (const auto before = existing(work.store(), node_.programmes(), kind, row.externalKey)) {
      edit.record = before->id;
      edit.sawCurrent = true;
      appendWrites(node_.programmes(), work, differences(kind, *before, row.fields), edit);
      answer.outcome = edit.writes.empty() ? RowOutcome::kUnchanged : RowOutcome::kUpdated;
    } else {
      edit.record = work.newRecord();
      edit.isNew = true;
      edit.kind = kind.kind;
      edit.root = list;
      appendWrites(node_.programmes(), work, row.fields, edit);
      edit.writes.push_back({std::string(kImportKeyField), sync::jsonString(row.externalKey)});
      if (!list) addHolders(edit);
    }
    if (!edit.writes.empty()) work.save(person_, {edit});
    return answer;
  }

  // Headquarters says at birth who is to hold a record; an office's own are its own.
  void addHolders(sync::DraftEdit& edit) const {
    if (!node_.isHeadquarters()) return;
    if (!holders_.custody.empty()) {
      edit.writes.push_back({std::string(sync::kCustodyField), sync::jsonString(holders_.custody)});
    }
    if (!holders_.shared.empty()) {
      edit.writes.push_back(
          {std::string(sync::kScopeField), http::canonicalJson(Json(holders_.shared))});
    }
  }

  std::optional<sync::RecordId> listRoot(sync::Work& work, const Kind& kind) const {
    if (!kind.isGlobal) return std::nullopt;
    if (!node_.isHeadquarters()) {
      throw Failure("import.headquarters-only",
                    "Records of the kind " + kind.kind +
                        " are held by every office, so headquarters alone imports them. Nothing "
                        "was imported.");
    }
    if (const auto known = work.store().importedRecord(kListKind, kind.kind)) {
      return sync::RecordId::fromBytes(*known);
    }
    sync::DraftEdit edit;
    edit.record = work.newRecord();
    edit.isNew = true;
    edit.kind = kListKind;
    edit.writes = {{"of", sync::jsonString(kind.kind)},
                   {std::string(kImportKeyField), sync::jsonString(kind.kind)},
                   {std::string(sync::kScopeField), "\"all\""}};
    work.save(person_, {edit});
    return edit.record;
  }

  server::Node& node_;
  std::string person_;
  ImportHolders holders_;
};

}  // namespace

ImportSinks importSinks(server::Node& node, const std::string& person, ImportHolders holders) {
  auto importer = std::make_shared<Importer>(node, person, std::move(holders));
  return {[importer](const Kind& kind, const std::vector<ImportedRecord>& rows) {
            return importer->save(kind, rows);
          },
          [importer](const Kind& kind, const std::vector<ImportedRecord>& rows) {
            return importer->examine(kind, rows);
          }};
}

}  // namespace waystation::cases

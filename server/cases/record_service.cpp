#include "server/cases/record_service.h"

#include <map>
#include <utility>

#include "server/cases/list_cursor.h"
#include "server/cases/record_view.h"
#include "server/cases/record_writes.h"
#include "server/cases/united_field.h"
#include "server/http/json.h"
#include "sync/custody.h"
#include "sync/deletion.h"
#include "sync/durable.h"
#include "sync/file_record.h"
#include "sync/leaf.h"

namespace waystation::cases {
namespace {

constexpr int kMostListed = 200;
constexpr int kMostHistory = 500;
constexpr std::size_t kMostEdits = 1'000;
constexpr std::string_view kNewPrefix = "new:";
constexpr std::string_view kNewReference = "urn:uuid:new:";

Failure notFound() {
  return {"record.not-found",
          "This record is not held here: it was never here, or it was handed to another office."};
}

Failure malformed(const std::string& what) {
  return {"case.request-malformed", "The save can't be read: " + what + ". Nothing was saved."};
}

sync::RecordId idOf(std::string_view uuid) {
  const std::optional<sync::RecordId> id = sync::RecordId::fromUuid(uuid);
  if (!id) throw notFound();
  return *id;
}

// Of an edit that has the member.
std::string textOf(const Json& edit, const char* member) {
  const Json& value = edit.at(member);
  if (!value.is_string()) throw malformed(std::string("its '") + member + "' is not a text");
  return value.get<std::string>();
}

Standing standingOf(server::Node& node, storage::Store& store) {
  if (node.isHeadquarters()) return {true, 0, sync::lastCopy(store).journal};
  return {false, sync::readLeafState(store).acknowledgedSeq, sync::durableSeq(store).value_or(0)};
}

// One save on its way in: names of new records become ids, values become canonical JSON.
class SaveRequest {
 public:
  SaveRequest(const Programmes& programmes, sync::Work& work)
      : programmes_(programmes), work_(work) {}

  std::vector<sync::DraftEdit> read(const Json& request) {
    const auto edits = request.find("edits");
    if (!request.is_object() || edits == request.end() || !edits->is_array()) {
      throw malformed("it has no list of edits");
    }
    if (edits->empty() || edits->size() > kMostEdits) {
      throw malformed("it must have between 1 and " + std::to_string(kMostEdits) + " edits");
    }
    for (const Json& edit : *edits) name(edit);
    std::vector<sync::DraftEdit> drafts;
    for (const Json& edit : *edits) drafts.push_back(draft(edit));
    return drafts;
  }

  // The records of the request by the names that it gave them.
  const std::map<std::string, sync::RecordId>& records() const { return records_; }

 private:
  void name(const Json& edit) {
    if (!edit.is_object() || !edit.contains("record") || !edit["record"].is_string()) {
      throw malformed("an edit does not name its record");
    }
    for (const auto& [key, value] : edit.items()) {
      if (key != "record" && key != "kind" && key != "root" && key != "fields" && key != "seen" &&
          key != "deleted") {
        throw malformed("'" + key + "' means nothing in an edit");
      }
    }
    const std::string record = edit["record"].get<std::string>();
    if (records_.contains(record)) throw malformed("a record stands in it twice");
    records_[record] = record.starts_with(kNewPrefix) ? work_.newRecord() : idOf(record);
  }

  sync::RecordId recordNamed(const std::string& name) const {
    const auto at = records_.find(name);
    if (at != records_.end()) return at->second;
    if (name.starts_with(kNewPrefix))
      throw malformed("it names " + name + ", which it does not make");
    return idOf(name);
  }

  // The fields with references to records of the same save, by the name given them there, made
  // references to their ids.
  Json resolved(const Json& fields) const {
    Json known = fields;
    for (auto field = known.begin(); field != known.end(); ++field) {
      if (!field->is_string()) continue;
      const std::string text = field->get<std::string>();
      if (!text.starts_with(kNewReference)) continue;
      *field = "urn:uuid:" + recordNamed(text.substr(std::string_view("urn:uuid:").size())).uuid();
    }
    return known;
  }

  sync::DraftEdit draft(const Json& edit) const {
    static const Json none = Json::object();
    const Json& given = edit.contains("fields") ? edit["fields"] : none;
    if (!given.is_object()) throw malformed("the fields of an edit are not named");
    const Json fields = resolved(given);
    const std::string name = edit["record"].get<std::string>();
    sync::DraftEdit draft;
    draft.record = records_.at(name);
    draft.isNew = name.starts_with(kNewPrefix);
    if (edit.contains("seen") && !edit["seen"].is_null()) {
      draft.tag = textOf(edit, "seen");
    }
    if (draft.isNew) {
      draftNew(edit, fields, draft);
    } else {
      checkExisting(draft.record, fields);
      if (edit.contains("deleted")) draft.writes.push_back(deletion(edit["deleted"]));
    }
    appendWrites(programmes_, work_, fields, draft);
    return draft;
  }

  static sync::DraftWrite deletion(const Json& deleted) {
    if (!deleted.is_boolean()) throw malformed("its 'deleted' is neither true nor false");
    return {std::string(sync::kDeletedField), deleted.get<bool>() ? "true" : "false"};
  }

  void draftNew(const Json& edit, const Json& fields, sync::DraftEdit& draft) const {
    if (!edit.contains("kind")) throw malformed("a new record does not say its kind");
    if (edit.contains("deleted")) throw malformed("a new record can't be deleted");
    draft.kind = textOf(edit, "kind");
    const Kind& kind = programmes_.kind(draft.kind);
    programmes_.checkNewRecord(draft.kind, fields);
    if (kind.isRoot) return;
    if (!edit.contains("root")) {
      throw malformed("a record of the kind " + draft.kind + " does not say what it belongs to");
    }
    const std::string root = textOf(edit, "root");
    draft.root = recordNamed(root);
    const bool isNewRoot = root.starts_with(kNewPrefix);
    if (!isNewRoot && !work_.store().root(draft.root->bytes())) throw notFound();
  }

  void checkExisting(const sync::RecordId& id, const Json& fields) const {
    const std::optional<sync::Record> current = work_.record(id);
    if (!current) throw notFound();
    const std::string kindName = current->kind();
    // A file is written once; it can be deleted and restored.
    if (kindName == sync::kFileKind && fields.empty()) return;
    programmes_.checkEdit(kindName, fields);
    Json whole = shownFields(programmes_, *current);
    for (const auto& [name, value] : fields.items()) whole[name] = value;
    programmes_.checkStage(programmes_.kind(kindName), whole);
  }

  const Programmes& programmes_;
  sync::Work& work_;
  std::map<std::string, sync::RecordId> records_;
};

// Sets as people see them: the whole list as this change left it.
void addSetChanges(const Programmes& programmes, const sync::Record& before,
                   const sync::Record& after, const sync::Edit& edit, Json& fields) {
  const Kind* const kind = programmes.findKind(after.kind());
  if (kind == nullptr) return;
  for (const sync::Write& write : edit.writes) {
    const Field* const field = kind->findField(sync::fieldOfPart(write.field));
    if (field == nullptr || !isSet(*field) || fields.contains(field->name)) continue;
    const Json old = unitedCodes(*field, before);
    fields[field->name] = {{"value", unitedCodes(*field, after)},
                           {"replaced", old.empty() ? Json::array() : Json::array({old})}};
  }
}

std::string dotText(const sync::Dot& dot) {
  return sync::RecordId{dot.replica, dot.counter}.uuid();
}

}  // namespace

Json saveChanges(server::Node& node, const std::string& person, const Json& request) {
  Json answer = node.write([&](sync::Work& work) {
    SaveRequest save(node.programmes(), work);
    const std::optional<sync::Dot> dot = work.save(person, save.read(request));
    Json records = Json::object();
    for (const auto& [name, id] : save.records()) {
      const std::optional<sync::Record> record = work.record(id);
      records[name] = {{"id", id.uuid()}, {"tag", record ? sync::encodeTag(*record) : ""}};
    }
    return Json{{"change", dot ? Json(dotText(*dot)) : Json()}, {"records", std::move(records)}};
  });
  answer["durability"] = node.isHeadquarters() ? "hq" : "office";
  return answer;
}

Json showRecord(server::Node& node, std::string_view uuid) {
  const sync::RecordId id = idOf(uuid);
  return node.read([&](storage::Store& store) {
    const std::optional<storage::RecordRow> row = store.record(id.bytes());
    if (!row) throw notFound();
    return viewRecord(node.programmes(), store, standingOf(node, store), *row);
  });
}

Json showHistory(server::Node& node, std::string_view uuid) {
  const sync::RecordId id = idOf(uuid);
  std::optional<sync::Record> root;  // it says which changes were late
  std::vector<storage::JournalRow> journal = node.read([&](storage::Store& store) {
    const std::optional<storage::RecordRow> row = store.record(id.bytes());
    if (!row) throw notFound();
    const auto rootRow = store.record(row->root);
    if (rootRow) root = sync::decodeState(sync::RecordId::fromBytes(row->root), rootRow->state);
    return store.journalOfRecord(row->row, INT64_MAX, kMostHistory);
  });
  sync::Record record;
  record.id = id;
  Json entries = Json::array();
  for (auto entry = journal.rbegin(); entry != journal.rend(); ++entry) {
    const sync::Change change = sync::decodeChange(entry->body);
    Json fields = Json::object();
    Json deleted;
    for (const sync::Edit& edit : change.edits) {
      if (edit.record != id) continue;
      const sync::Record before = record;
      sync::joinEdit(record, change, edit);
      addSetChanges(node.programmes(), before, record, edit, fields);
      for (const sync::Write& write : edit.writes) {
        if (write.field == sync::kDeletedField) deleted = sync::deletionOf(write.value).has_value();
        if (isInternalField(write.field) || fields.contains(write.field)) continue;
        Json replaced = Json::array();
        if (const sync::Field* old = before.field(write.field)) {
          for (const sync::Sibling& sibling : *old) {
            const sync::Sibling now{change.dot, write.seen, "", 0, ""};
            if (now.replaces(sibling.dot)) replaced.push_back(Json::parse(sibling.value));
          }
        }
        fields[write.field] = {{"value", Json::parse(write.value)}, {"replaced", replaced}};
      }
    }
    entries.insert(entries.begin(), Json{{"change", dotText(change.dot)},
                                         {"by", personOf(change.author)},
                                         {"office", sync::officeOf(change.author)},
                                         {"at", sync::formatTime(sync::physicalMs(change.time))},
                                         {"fields", std::move(fields)}});
    if (!deleted.is_null()) entries.front()["deleted"] = deleted;
    const bool isLate = root && root->field(sync::lateField(change.dot)) != nullptr;
    if (isLate) entries.front()["late"] = true;
  }
  return {{"entries", std::move(entries)}, {"cursor", nullptr}};
}

Json listRecords(server::Node& node, const ListQuery& wanted) {
  storage::RecordQuery query;
  query.kind = wanted.kind;
  if (!wanted.root.empty()) query.root = idOf(wanted.root).bytes();
  query.conflictsOnly = wanted.conflictsOnly;
  query.deletedOnly = wanted.deletedOnly;
  query.limit = std::max(1, std::min(wanted.limit, kMostListed));
  query.words = searchQuery(wanted.text);
  if (!wanted.cursor.empty()) readCursor(wanted.cursor, query);
  return node.read([&](storage::Store& store) {
    Json records = Json::array();
    const std::vector<storage::RecordRow> rows = store.find(query);
    const Standing standing = standingOf(node, store);
    for (const storage::RecordRow& row : rows) {
      records.push_back(viewRecord(node.programmes(), store, standing, row));
    }
    const bool full = static_cast<int>(rows.size()) == query.limit;
    return Json{{"records", std::move(records)},
                {"cursor", full ? Json(cursorOf(rows.back())) : Json()}};
  });
}

sync::Projection searchProjection(const Programmes& programmes) {
  return [&programmes](storage::Store& store, std::int64_t row, const sync::Record* record) {
    if (record == nullptr) {
      store.removeSearch(row);
      return;
    }
    store.putSearch(row, searchWords(programmes, *record));
    const std::string_view key = sync::plainText(record->value("import_key"));
    if (!key.empty()) store.putImportKey(record->kind(), key, record->id.bytes());
  };
}

}  // namespace waystation::cases

#include "server/cases/import/import_rows.h"

#include <unordered_map>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "server/cases/import/cell_value.h"
#include "server/cases/import/csv_reader.h"
#include "server/cases/import/import_plan.h"
#include "server/cases/import/input_file.h"
#include "server/cases/import/jsonl_reader.h"
#include "server/cases/import/rejects_file.h"
#include "server/cases/progress_bar.h"
#include "server/cases/text_check.h"
#include "server/http/json.h"

namespace waystation::cases {

namespace {

constexpr std::size_t kHeadRows = 25;  // how far down a header may stand

// One import from its first row to its last.
class ImportRun {
 public:
  ImportRun(const Programmes& programmes, const Kind& kind, InputFile& input,
            const ImportSinks& sinks, const ProgressCallback& progress,
            const ImportOptions& options, RejectsFile& rejects)
      : programmes_(programmes),
        kind_(kind),
        input_(input),
        sinks_(sinks),
        progress_(progress),
        options_(options),
        rejects_(rejects) {
    result_.isDryRun = options.isDryRun;
  }

  void readCsv(CsvReader reader);
  void readJsonl(JsonlReader reader);
  ImportResult finish();

 private:
  void takeCells(const ImportPlan& plan, SourceRow row);
  void takeObject(JsonlReader::Line line);
  void takeFields(SourceRow row, Json fields);
  void reject(const SourceRow& row, const RowFault& fault);
  void flush();

  const Programmes& programmes_;
  const Kind& kind_;
  InputFile& input_;
  const ImportSinks& sinks_;
  const ProgressCallback& progress_;
  const ImportOptions& options_;
  RejectsFile& rejects_;
  ImportResult result_;
  std::vector<ImportedRecord> batch_;
  std::vector<SourceRow> batchRows_;
  std::unordered_map<std::string, std::uint64_t> lineOfKey_;
  std::unordered_map<std::string, const Field*> fieldOfName_;
};

void ImportRun::reject(const SourceRow& row, const RowFault& fault) {
  ++result_.rejected;
  rejects_.add(row, fault);
}

void ImportRun::readCsv(CsvReader reader) {
  std::vector<SourceRow> head;
  while (head.size() < kHeadRows) {
    auto row = reader.next();
    if (!row) break;
    head.push_back(std::move(*row));
  }
  const ImportPlan plan = planColumns(kind_, head);
  result_.unknownColumns = plan.unknown;
  for (std::size_t i = plan.headRows; i < head.size(); ++i) takeCells(plan, std::move(head[i]));
  while (auto row = reader.next()) takeCells(plan, std::move(*row));
}

void ImportRun::takeCells(const ImportPlan& plan, SourceRow row) {
  ++result_.rows;
  if (row.fault) return reject(row, *row.fault);
  if (row.cells.size() != plan.fieldOf.size()) {
    return reject(row, {"csv.cell-count", "The row has " + std::to_string(row.cells.size()) +
                                              " cells, the header has " +
                                              std::to_string(plan.fieldOf.size()) + "."});
  }
  Json fields = Json::object();
  for (std::size_t i = 0; i < row.cells.size(); ++i) {
    if (plan.fieldOf[i] == nullptr) continue;
    auto value = valueOfCell(*plan.fieldOf[i], row.cells[i]);
    if (value) fields[plan.fieldOf[i]->name] = std::move(*value);
  }
  row.cells.clear();
  takeFields(std::move(row), std::move(fields));
}

void ImportRun::readJsonl(JsonlReader reader) {
  while (auto line = reader.next()) takeObject(std::move(*line));
}

void ImportRun::takeObject(JsonlReader::Line line) {
  ++result_.rows;
  if (line.row.fault) return reject(line.row, *line.row.fault);
  Json fields = Json::object();
  for (const auto& [name, value] : line.object.items()) {
    const auto known = fieldOfName_.find(name);
    const Field* field = nullptr;
    if (known != fieldOfName_.end()) {
      field = known->second;
    } else {
      field = isIgnoredColumn(kind_, name) ? nullptr : findFieldForColumn(kind_, name);
      // A hostile file may bring a new name with every line.
      if (fieldOfName_.size() < options_.limits.columns) {
        fieldOfName_[name] = field;
        if (field == nullptr && !isIgnoredColumn(kind_, name)) {
          result_.unknownColumns.push_back(showable(name));
        }
      }
    }
    if (field == nullptr) continue;
    if (fields.contains(field->name)) {
      return reject(line.row, {"jsonl.field-twice",
                               "Two names of the line mean the field \"" + field->name + "\"."});
    }
    auto converted = valueOfJson(*field, value);
    if (converted) fields[field->name] = std::move(*converted);
  }
  takeFields(std::move(line.row), std::move(fields));
}

void ImportRun::takeFields(SourceRow row, Json fields) {
  try {
    if (fields.empty()) throw Failure("import.row-empty", "The row fills no field.");
    programmes_.checkNewRecord(kind_.kind, fields);
  } catch (const Failure& failure) {
    return reject(row, {failure.code(), failure.what()});
  }
  std::string key = externalKeyOf(kind_, fields);
  const auto [found, isNew] = lineOfKey_.emplace(crypto::fromHex(key), row.line);
  if (!isNew) {
    return reject(row, {"import.row-twice", "The row stands for the same record as line " +
                                                std::to_string(found->second) + "."});
  }
  batch_.push_back({row.line, std::move(key), std::move(fields)});
  batchRows_.push_back(std::move(row));
  if (batch_.size() >= options_.batchRows) flush();
}

void ImportRun::flush() {
  const RecordSink& sink = options_.isDryRun ? sinks_.examine : sinks_.save;
  if (batch_.empty()) {
    // Nothing passed the checks since the last time; the progress is told all the same.
  } else if (!sink) {
    result_.accepted += batch_.size();
  } else {
    const std::vector<SinkAnswer> answers = sink(kind_, batch_);
    if (answers.size() != batch_.size()) {
      throw Failure("import.sink-broken",
                    "The store did not answer for every row; the import ends.");
    }
    for (std::size_t i = 0; i < answers.size(); ++i) {
      result_.created += answers[i].outcome == RowOutcome::kCreated;
      result_.updated += answers[i].outcome == RowOutcome::kUpdated;
      result_.unchanged += answers[i].outcome == RowOutcome::kUnchanged;
      const bool isRejected = answers[i].outcome == RowOutcome::kRejected;
      if (isRejected) reject(batchRows_[i], answers[i].fault);
      result_.accepted += !isRejected;
    }
  }
  batch_.clear();
  batchRows_.clear();
  if (progress_) {
    progress_({input_.bytesDone(), input_.bytesTotal(), result_.rows, result_.rejected});
  }
}

ImportResult ImportRun::finish() {
  flush();
  rejects_.close();
  if (rejects_.count() > 0) result_.rejectsFile = rejects_.path();
  return result_;
}

}  // namespace

std::string externalKeyOf(const Kind& kind, const Json& fields) {
  Json key = Json::array({kind.kind});
  if (kind.importKey.empty()) {
    key.push_back(fields);
  } else {
    for (const std::string& name : kind.importKey) key.push_back(fields.value(name, Json()));
  }
  const auto digest = crypto::sha256(http::canonicalJson(key));
  return crypto::toHex(crypto::view(digest).substr(0, 16));
}

ImportResult importFile(const Programmes& programmes, const Kind& kind,
                        const std::filesystem::path& file, const ImportSinks& sinks,
                        const ProgressCallback& progress, const ImportOptions& options) {
  if (!kind.isRoot) {
    throw Failure("import.kind-not-root", "Records of the kind \"" + kind.kind +
                                              "\" stand under another record and cannot be "
                                              "imported on their own.");
  }
  if (!options.isDryRun && !sinks.save) {
    throw Failure("import.sink-broken", "There is no store to import into.");
  }
  InputFile input(file);
  std::string first(input.read());
  bool isFirst = true;
  const ByteSource source = [&]() -> std::string_view {
    if (!std::exchange(isFirst, false)) return input.read();
    return first;
  };
  const bool hasMark = first.compare(0, 3, "\xEF\xBB\xBF") == 0;
  const std::string_view start = trimmed(std::string_view(first).substr(hasMark ? 3 : 0));
  if (start.substr(0, 1) == "[") {
    throw Failure("import.format",
                  "The file is one JSON list; write it as JSON Lines, one object "
                  "per line, or as CSV.");
  }
  const bool isJsonl = start.substr(0, 1) == "{";
  std::filesystem::path rejectsPath = options.rejectsFile;
  if (rejectsPath.empty()) {
    rejectsPath = file;
    rejectsPath += isJsonl ? ".rejected.jsonl" : ".rejected.csv";
  }
  RejectsFile rejects(rejectsPath, isJsonl ? RejectsFormat::kJsonl : RejectsFormat::kCsv);
  ImportRun run(programmes, kind, input, sinks, progress, options, rejects);
  if (isJsonl) {
    run.readJsonl(JsonlReader(source, options.limits));
  } else {
    run.readCsv(CsvReader(source, options.limits));
  }
  return run.finish();
}

std::string ImportResult::sentence() const {
  std::string text = groupedNumber(rows) + (rows == 1 ? " row read: " : " rows read: ");
  if (isDryRun && created + updated + unchanged == 0) {
    text += groupedNumber(accepted) + " could be imported, ";
  } else {
    text += groupedNumber(created) + " created, " + groupedNumber(updated) + " updated, " +
            groupedNumber(unchanged) + " unchanged, ";
  }
  text += groupedNumber(rejected) + " rejected.";
  if (isDryRun) text += " This was a trial: nothing was saved.";
  if (!unknownColumns.empty()) {
    text += " Columns not known and left out: ";
    for (std::size_t i = 0; i < unknownColumns.size(); ++i) {
      text += (i == 0 ? "" : ", ") + unknownColumns[i];
    }
    text += ".";
  }
  if (!rejectsFile.empty()) {
    text += " The rejected rows with their reasons are in " + rejectsFile.string() + ".";
  }
  return text;
}

}  // namespace waystation::cases

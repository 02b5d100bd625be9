#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "server/cases/import/source_row.h"
#include "server/cases/programme_pack.h"

namespace waystation::cases {

// A row that passed every check of its programme pack.
struct ImportedRecord {
  std::uint64_t line = 0;
  // 32 hexadecimal digits: the same row of the same kind has the same key whenever and wherever it
  // is imported. Made from the fields that the pack names as the import key, or from all of them.
  std::string externalKey;
  Json fields;  // name -> value; nothing is null
};

enum class RowOutcome { kCreated, kUpdated, kUnchanged, kRejected };

// What became of one record; `fault` says why it was rejected.
struct SinkAnswer {
  RowOutcome outcome = RowOutcome::kCreated;
  RowFault fault;
};

// Takes a batch of records and answers for each, in order. What it throws ends the import; batches
// answered before stay saved, and the same import started again finds them unchanged.
using RecordSink =
    std::function<std::vector<SinkAnswer>(const Kind& kind, const std::vector<ImportedRecord>&)>;

struct ImportSinks {
  RecordSink save;
  // Says what `save` would do, without doing it; asked in a dry run. May be empty: the records
  // that pass the checks then count as accepted only.
  RecordSink examine;
};

struct ImportProgress {
  std::uint64_t bytesDone = 0;  // of the file as it lies on the disk
  std::uint64_t bytesTotal = 0;
  std::uint64_t rows = 0;
  std::uint64_t rejected = 0;
};

using ProgressCallback = std::function<void(const ImportProgress&)>;

struct ImportOptions {
  bool isDryRun = false;
  std::filesystem::path rejectsFile;  // empty: beside the file, with ".rejected.csv" or ".jsonl"
  std::size_t batchRows = 500;
  RowLimits limits;
};

struct ImportResult {
  std::uint64_t rows = 0;      // accepted and rejected
  std::uint64_t accepted = 0;  // created, updated, unchanged, and in a dry run not examined
  std::uint64_t created = 0;
  std::uint64_t updated = 0;
  std::uint64_t unchanged = 0;
  std::uint64_t rejected = 0;
  bool isDryRun = false;
  std::vector<std::string> unknownColumns;  // not in the pack, not imported
  std::filesystem::path rejectsFile;        // empty: every row was taken

  // What happened, for people.
  std::string sentence() const;
};

// Imports a CSV file (with or without HXL tags) or JSON Lines, packed with zstd or not, as records
// of a root kind. Every row is a record of its own root. The format is told from the content.
// Throws Failure("import.unreadable"), ("import.damaged"), ("import.encoding"), ("import.format"),
// ("import.no-columns"), ("import.column-twice"), ("import.column-missing"),
// ("import.kind-not-root"),
// ("import.rejects-unwritable") and what the sinks throw.
ImportResult importFile(const Programmes& programmes, const Kind& kind,
                        const std::filesystem::path& file, const ImportSinks& sinks,
                        const ProgressCallback& progress, const ImportOptions& options);

// The key of a record, see ImportedRecord.
std::string externalKeyOf(const Kind& kind, const Json& fields);

}  // namespace waystation::cases

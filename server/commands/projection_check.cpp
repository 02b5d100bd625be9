#include "server/cases/record_service.h"
#include "server/commands/store_check.h"
#include "sync/record.h"

namespace waystation::commands {
namespace {

constexpr std::uint64_t kRecordsBetweenNews = 1'000;
constexpr const char* kMendIndex = "Run `waystation reindex`.";

// What the projections of one record ought to be: derived anew in a database in memory.
class FreshProjection {
 public:
  explicit FreshProjection(const cases::Programmes& programmes)
      : database_(storage::Database::inMemory()),
        store_((storage::Store::createTables(*database_), *database_)),
        project_(cases::searchProjection(programmes)) {
    // Only the words are compared: a table that takes what the full-text index is told, and does
    // not cut it into words, saves most of the time.
    database_->execute("DROP TABLE search; CREATE TABLE search(search, words); BEGIN");
  }

  // False for a record that can't be read, which is told where records are checked.
  bool derive(const storage::RecordRow& row) {
    database_->execute("DELETE FROM import_keys; DELETE FROM search_words; DELETE FROM search");
    const std::optional<sync::Record> record = readable(row);
    if (record) project_(store_, row.row, &*record);
    return record.has_value();
  }

  std::optional<std::string> words(std::int64_t row) { return wordsIn(*database_, row); }

  static std::optional<std::string> wordsIn(storage::Database& database, std::int64_t row) {
    storage::Statement statement =
        database.statement("SELECT words FROM search_words WHERE record = ?");
    if (!statement.bind(1, row).step()) return std::nullopt;
    return statement.text(0);
  }

  bool hasImportKeysIn(storage::Database& other) {
    storage::Statement fresh = database_->statement("SELECT kind, key, record FROM import_keys");
    storage::Statement kept =
        other.statement("SELECT 1 FROM import_keys WHERE kind = ? AND key = ? AND record = ?");
    while (fresh.step()) {
      kept.reset();
      kept.bindText(1, fresh.view(0)).bindText(2, fresh.view(1)).bindBlob(3, fresh.view(2));
      if (!kept.step()) return false;
    }
    return true;
  }

 private:
  static std::optional<sync::Record> readable(const storage::RecordRow& row) {
    try {
      return sync::decodeState(sync::RecordId::fromBytes(row.id), row.state);
    } catch (const Failure&) {
      return std::nullopt;
    }
  }

  std::unique_ptr<storage::Database> database_;
  storage::Store store_;
  sync::Projection project_;
};

// The full-text index against the words that it was made from. SQLite takes this as a write.
void checkFullText(server::Node& node, CheckReport& report) {
  const storage::Connections::Lease writer = node.connections().writer();
  storage::Transaction never(*writer);
  try {
    writer->execute("INSERT INTO search(search, rank) VALUES('integrity-check', 1)");
  } catch (const Failure& failure) {
    report.add(std::string("The full-text index is not whole: ") + failure.what(), kMendIndex);
  }
}

}  // namespace

void checkProjections(server::Node& node, Output& output, CheckReport& report) {
  FreshProjection fresh(node.programmes());
  {
    const storage::Connections::Lease reader = node.connections().reader();
    storage::Store store(*reader);
    const auto total = static_cast<std::uint64_t>(store.countRecords(""));
    std::uint64_t records = 0;
    std::uint64_t wrong = 0;
    std::uint64_t indexed = 0;
    store.eachRecord([&](const storage::RecordRow& row) {
      if (fresh.derive(row)) {
        const std::optional<std::string> words = fresh.words(row.row);
        if (words) ++indexed;
        if (words != FreshProjection::wordsIn(*reader, row.row) ||
            !fresh.hasImportKeysIn(*reader)) {
          ++wrong;
        }
      }
      if (++records % kRecordsBetweenNews != 0) return;
      output.throwIfCancelled();
      output.progress(total + records, 2 * total, records);
    });
    storage::Statement count = reader->statement("SELECT count(*) FROM search_words");
    count.step();
    if (wrong != 0 || static_cast<std::uint64_t>(count.integer(0)) != indexed) {
      report.add("The search index does not say what the records say: " + std::to_string(wrong) +
                     " of " + std::to_string(records) + " records differ.",
                 kMendIndex);
    }
  }
  checkFullText(node, report);
}

}  // namespace waystation::commands

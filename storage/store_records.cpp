// Records, roots and the search index.

#include "storage/store.h"
#include "storage/store_schema.h"

namespace waystation::storage {
namespace {

constexpr std::string_view kRecordColumns =
    "r.row, r.id, r.kind, r.root, r.conflicts, r.changed_seq, r.upward_seq, r.hidden, r.state, "
    "r.packing, b.body, b.packing";

// A smaller state would gain less than the look-up of a second row costs.
constexpr std::size_t kLeastBeside = 512;

// A hidden root is shown for as long as a record of it is.
constexpr std::string_view kShownInPart =
    "(r.hidden = 1 AND r.root = r.id AND "
    "EXISTS(SELECT 1 FROM records c WHERE c.root = r.id AND c.hidden = 0))";

RecordRow readRecord(const Statement& statement) {
  return {statement.integer(0),
          statement.text(1),
          statement.text(2),
          statement.text(3),
          static_cast<int>(statement.integer(4)),
          statement.integer(5),
          statement.integer(6),
          statement.unpackedBeside(8),
          statement.integer(7) != 0};
}

std::vector<RecordRow> readRecords(Statement& statement) {
  std::vector<RecordRow> rows;
  while (statement.step()) rows.push_back(readRecord(statement));
  return rows;
}

std::string selectRecords(std::string_view tail) {
  return "SELECT " + std::string(kRecordColumns) +
         " FROM records r LEFT JOIN journal b ON b.seq = r.base " + std::string(tail);
}

}  // namespace

void Store::createTables(Database& database) {
  migrate(database, storeMigrations());
}

std::optional<std::string> Store::meta(std::string_view name) {
  Statement statement = db_.statement("SELECT value FROM meta WHERE name = ?");
  if (!statement.bindText(1, name).step()) return std::nullopt;
  return statement.text(0);
}

void Store::setMeta(std::string_view name, std::string_view value) {
  db_.statement(
         "INSERT INTO meta VALUES(?, ?) ON CONFLICT(name) DO UPDATE SET value = excluded.value")
      .bindText(1, name)
      .bindBlob(2, value)
      .run();
}

std::int64_t Store::metaNumber(std::string_view name, std::int64_t otherwise) {
  const std::optional<std::string> text = meta(name);
  return text ? std::stoll(*text) : otherwise;
}

void Store::setMetaNumber(std::string_view name, std::int64_t value) {
  setMeta(name, std::to_string(value));
}

std::optional<RecordRow> Store::record(std::string_view id) {
  Statement statement = db_.statement(selectRecords("WHERE id = ?"));
  if (!statement.bindBlob(1, id).step()) return std::nullopt;
  return readRecord(statement);
}

// The entry that the state is packed beside: the first that touched the record, which as a rule
// brought most of it.
std::optional<JournalRow> Store::baseOf(const RecordRow& row) {
  if (row.state.size() < kLeastBeside) return std::nullopt;
  std::int64_t seq = row.changedSeq;
  if (row.row != 0) {
    Statement first = db_.statement("SELECT min(seq) FROM journal_records WHERE record = ?");
    first.bind(1, row.row).step();
    seq = first.integer(0);
  }
  std::optional<JournalRow> entry = journal(seq);
  // One that is much larger holds other records too, and takes longer to unpack.
  const bool isOfItsSize = entry && entry->body.size() >= row.state.size() / 2 &&
                           entry->body.size() <= row.state.size() * 4;
  return isOfItsSize ? entry : std::nullopt;
}

void Store::packAlone(std::int64_t seq) {
  Statement select = db_.statement(selectRecords("WHERE r.base = ? AND r.base <> 0"));
  select.bind(1, seq);
  for (const RecordRow& row : readRecords(select)) {
    const RowPacker::Packed state = db_.packer().pack(row.state);
    db_.statement("UPDATE records SET state = ?, packing = ?, base = 0 WHERE row = ?")
        .bindBlob(1, state.bytes)
        .bind(2, state.packing)
        .bind(3, row.row)
        .run();
  }
}

std::int64_t Store::putRecord(const RecordRow& row) {
  const std::optional<JournalRow> base = baseOf(row);
  const RowPacker::Packed state =
      base ? db_.packer().packBeside(base->body, row.state) : db_.packer().pack(row.state);
  const std::int64_t baseSeq = state.packing == kPackedBeside ? base->seq : 0;
  if (row.row == 0) {
    db_.statement(
           "INSERT INTO records(kind, root, conflicts, changed_seq, upward_seq, state, id, hidden, "
           "packing, base) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
        .bindText(1, row.kind)
        .bindBlob(2, row.root)
        .bind(3, row.conflicts)
        .bind(4, row.changedSeq)
        .bind(5, row.upwardSeq)
        .bindBlob(6, state.bytes)
        .bindBlob(7, row.id)
        .bind(8, row.hidden ? 1 : 0)
        .bind(9, state.packing)
        .bind(10, baseSeq)
        .run();
    return db_.lastInsertRowId();
  }
  db_.statement(
         "UPDATE records SET kind = ?, root = ?, conflicts = ?, changed_seq = ?, upward_seq = ?, "
         "state = ?, hidden = ?, packing = ?, base = ? WHERE row = ?")
      .bindText(1, row.kind)
      .bindBlob(2, row.root)
      .bind(3, row.conflicts)
      .bind(4, row.changedSeq)
      .bind(5, row.upwardSeq)
      .bindBlob(6, state.bytes)
      .bind(7, row.hidden ? 1 : 0)
      .bind(8, state.packing)
      .bind(9, baseSeq)
      .bind(10, row.row)
      .run();
  return row.row;
}

void Store::removeRecord(std::int64_t row) {
  db_.statement("DELETE FROM journal_records WHERE record = ?").bind(1, row).run();
  db_.statement("DELETE FROM records WHERE row = ?").bind(1, row).run();
}

std::vector<RecordRow> Store::recordsOfRoot(std::string_view root, std::string_view afterId,
                                            int limit) {
  Statement statement =
      db_.statement(selectRecords("WHERE root = ? AND id > ? ORDER BY id LIMIT ?"));
  statement.bindBlob(1, root).bindBlob(2, afterId).bind(3, limit);
  return readRecords(statement);
}

std::vector<RecordRow> Store::find(const RecordQuery& query) {
  // States are looked up once it is clear which are wanted: a search may find many.
  constexpr std::string_view kNewestFirst = " ORDER BY r.changed_seq DESC, r.row DESC";
  std::string tail = "WHERE r.row IN (SELECT r.row FROM records r ";
  if (!query.words.empty()) tail += "JOIN search s ON s.rowid = r.row ";
  tail += "WHERE (r.changed_seq < ?1 OR (r.changed_seq = ?1 AND r.row < ?2)) ";
  tail += "AND r.root NOT IN (SELECT root FROM leaving) ";
  if (!query.kind.empty()) tail += "AND r.kind = ?3 ";
  if (!query.root.empty()) tail += "AND r.root = ?4 ";
  const std::string inPart(kShownInPart);
  tail += query.deletedOnly ? "AND r.hidden = 1 AND NOT " + inPart + " "
                            : "AND (r.hidden = 0 OR " + inPart + ") ";
  if (query.conflictsOnly) tail += "AND (r.conflicts > 0 OR r.hidden = 1) ";
  if (!query.words.empty()) tail += "AND search MATCH ?5 ";
  tail += std::string(kNewestFirst) + " LIMIT ?6)" + std::string(kNewestFirst);
  Statement statement = db_.statement(selectRecords(tail));
  statement.bind(1, query.beforeSeq).bind(2, query.beforeRow).bind(6, query.limit);
  if (!query.kind.empty()) statement.bindText(3, query.kind);
  if (!query.root.empty()) statement.bindBlob(4, query.root);
  if (!query.words.empty()) statement.bindText(5, query.words);
  return readRecords(statement);
}

bool Store::isShown(const RecordRow& row) {
  if (!row.hidden) return true;
  if (row.root != row.id) return false;
  return db_.statement("SELECT 1 FROM records WHERE root = ? AND hidden = 0 LIMIT 1")
      .bindBlob(1, row.id)
      .step();
}

std::int64_t Store::countRecords(std::string_view kind) {
  Statement statement = db_.statement(kind.empty() ? "SELECT count(*) FROM records"
                                                   : "SELECT count(*) FROM records WHERE kind = ?");
  if (!kind.empty()) statement.bindText(1, kind);
  statement.step();
  return statement.integer(0);
}

std::int64_t Store::countConflicts() {
  Statement statement = db_.statement(
      "SELECT (SELECT count(*) FROM records WHERE conflicts > 0) + "
      "(SELECT count(*) FROM records r WHERE " +
      std::string(kShownInPart) + ")");
  statement.step();
  return statement.integer(0);
}

std::vector<ConflictCount> Store::conflictsByKind() {
  Statement statement = db_.statement(
      "SELECT r.kind, coalesce(p.kind, ''), count(*) FROM records r "
      "LEFT JOIN records p ON p.id = r.root WHERE (r.conflicts > 0 OR " +
      std::string(kShownInPart) + ") AND r.root NOT IN (SELECT root FROM leaving) GROUP BY 1, 2");
  std::vector<ConflictCount> counts;
  while (statement.step()) {
    counts.push_back({statement.text(0), statement.text(1), statement.integer(2)});
  }
  return counts;
}

void Store::eachRecord(const std::function<void(const RecordRow&)>& visit) {
  Statement statement = db_.statement(selectRecords("ORDER BY r.row"));
  while (statement.step()) visit(readRecord(statement));
}

std::optional<RootRow> Store::root(std::string_view id) {
  Statement statement =
      db_.statement("SELECT digest, scope, custody, records FROM roots WHERE id = ?");
  if (!statement.bindBlob(1, id).step()) return std::nullopt;
  return RootRow{statement.text(0), statement.text(1), statement.text(2), statement.integer(3)};
}

void Store::putRoot(std::string_view id, const RootRow& row) {
  db_.statement(
         "INSERT INTO roots(id, digest, scope, custody, records) VALUES(?, ?, ?, ?, ?) "
         "ON CONFLICT(id) DO UPDATE SET digest = excluded.digest, scope = excluded.scope, "
         "custody = excluded.custody, records = excluded.records")
      .bindBlob(1, id)
      .bindBlob(2, row.digest)
      .bindText(3, row.scope)
      .bindText(4, row.custody)
      .bind(5, row.records)
      .run();
}

std::vector<std::string> Store::rootsMeantFor(std::string_view office) {
  Statement statement = db_.statement(
      "SELECT id FROM roots WHERE custody = ?1 OR scope = '\"all\"' "
      "OR (scope LIKE '[%' AND instr(scope, '\"' || ?1 || '\"') > 0)");
  statement.bindText(1, office);
  std::vector<std::string> roots;
  while (statement.step()) roots.push_back(statement.text(0));
  return roots;
}

void Store::eachRootDigest(const std::function<void(std::string_view)>& visit) {
  Statement statement =
      db_.statement("SELECT digest FROM roots WHERE id NOT IN (SELECT root FROM leaving)");
  while (statement.step()) visit(statement.view(0));
}

void Store::putSearch(std::int64_t recordRow, std::string_view words) {
  removeSearch(recordRow);
  if (words.empty()) return;
  db_.statement("INSERT INTO search_words VALUES(?, ?)")
      .bind(1, recordRow)
      .bindText(2, words)
      .run();
  db_.statement("INSERT INTO search(rowid, words) VALUES(?, ?)")
      .bind(1, recordRow)
      .bindText(2, words)
      .run();
}

void Store::removeSearch(std::int64_t recordRow) {
  db_.statement(
         "INSERT INTO search(search, rowid, words) "
         "SELECT 'delete', record, words FROM search_words WHERE record = ?")
      .bind(1, recordRow)
      .run();
  db_.statement("DELETE FROM search_words WHERE record = ?").bind(1, recordRow).run();
}

void Store::clearSearch() {
  db_.execute("DELETE FROM search_words; INSERT INTO search(search) VALUES('rebuild')");
}

std::vector<std::size_t> Store::matching(const std::vector<std::string>& words,
                                         std::string_view query) {
  const std::unique_ptr<Database> database = Database::inMemory();
  database->execute(
      "CREATE VIRTUAL TABLE search USING fts5(words, "
      "tokenize='unicode61 remove_diacritics 2')");
  Statement insert = database->statement("INSERT INTO search(rowid, words) VALUES(?, ?)");
  for (std::size_t i = 0; i < words.size(); ++i) {
    insert.reset();
    insert.bind(1, static_cast<std::int64_t>(i)).bindText(2, words[i]).run();
  }
  Statement find = database->statement("SELECT rowid FROM search WHERE search MATCH ?");
  find.bindText(1, query);
  std::vector<std::size_t> found;
  while (find.step()) found.push_back(static_cast<std::size_t>(find.integer(0)));
  return found;
}

void Store::putImportKey(std::string_view kind, std::string_view key, std::string_view recordId) {
  db_.statement("INSERT OR REPLACE INTO import_keys VALUES(?, ?, ?)")
      .bindText(1, kind)
      .bindText(2, key)
      .bindBlob(3, recordId)
      .run();
}

std::optional<std::string> Store::importedRecord(std::string_view kind, std::string_view key) {
  Statement statement = db_.statement(
      "SELECT k.record FROM import_keys k JOIN records r ON r.id = k.record "
      "WHERE k.kind = ? AND k.key = ?");
  if (!statement.bindText(1, kind).bindText(2, key).step()) return std::nullopt;
  return statement.text(0);
}

}  // namespace waystation::storage

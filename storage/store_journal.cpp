// The journal, the chain of what goes up, eviction of roots.

#include "storage/store.h"

namespace waystation::storage {
namespace {

std::int64_t signedOf(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

std::uint64_t unsignedOf(std::int64_t value) {
  return static_cast<std::uint64_t>(value);
}

JournalRow readJournal(const Statement& statement) {
  return {statement.integer(0), unsignedOf(statement.integer(1)), unsignedOf(statement.integer(2)),
          statement.integer(3), statement.unpacked(4)};
}

UpwardRow readUpward(const Statement& statement) {
  return {unsignedOf(statement.integer(0)),
          unsignedOf(statement.integer(1)),
          statement.integer(2),
          statement.text(3),
          statement.text(4),
          statement.text(5)};
}

std::vector<std::string> readBlobs(Statement statement) {
  std::vector<std::string> blobs;
  while (statement.step()) blobs.push_back(statement.text(0));
  return blobs;
}

}  // namespace

std::int64_t Store::appendJournal(const JournalRow& row) {
  const RowPacker::Packed packed = db_.packer().pack(row.body);
  db_.statement(
         "INSERT INTO journal(replica, counter, received_ms, body, packing) VALUES(?, ?, ?, ?, ?)")
      .bind(1, signedOf(row.replica))
      .bind(2, signedOf(row.counter))
      .bind(3, row.receivedMs)
      .bindBlob(4, packed.bytes)
      .bind(5, packed.packing)
      .run();
  return db_.lastInsertRowId();
}

std::optional<JournalRow> Store::journal(std::int64_t seq) {
  Statement statement = db_.statement(
      "SELECT seq, replica, counter, received_ms, body, packing FROM journal WHERE seq = ?");
  if (!statement.bind(1, seq).step()) return std::nullopt;
  return readJournal(statement);
}

std::optional<std::int64_t> Store::journalSeq(std::uint64_t replica, std::uint64_t counter) {
  Statement statement = db_.statement(
      "SELECT seq FROM journal WHERE replica = ? AND counter = ? ORDER BY seq LIMIT 1");
  if (!statement.bind(1, signedOf(replica)).bind(2, signedOf(counter)).step()) return std::nullopt;
  return statement.integer(0);
}

std::vector<JournalRow> Store::journalOfDot(std::uint64_t replica, std::uint64_t counter) {
  Statement statement = db_.statement(
      "SELECT seq, replica, counter, received_ms, body, packing FROM journal "
      "WHERE replica = ? AND counter = ? ORDER BY seq");
  statement.bind(1, signedOf(replica)).bind(2, signedOf(counter));
  std::vector<JournalRow> rows;
  while (statement.step()) rows.push_back(readJournal(statement));
  return rows;
}

void Store::eachJournal(const std::function<void(const JournalRow&)>& visit) {
  Statement statement = db_.statement(
      "SELECT seq, replica, counter, received_ms, body, packing FROM journal ORDER BY seq");
  while (statement.step()) visit(readJournal(statement));
}

void Store::removeJournal(std::int64_t seq) {
  packAlone(seq);
  db_.statement("DELETE FROM journal_records WHERE seq = ?").bind(1, seq).run();
  db_.statement("DELETE FROM journal WHERE seq = ?").bind(1, seq).run();
}

void Store::linkRecord(std::int64_t recordRow, std::int64_t seq) {
  db_.statement("INSERT OR IGNORE INTO journal_records VALUES(?, ?)")
      .bind(1, recordRow)
      .bind(2, seq)
      .run();
}

bool Store::isLinked(std::int64_t recordRow, std::uint64_t replica, std::uint64_t counter) {
  Statement statement = db_.statement(
      "SELECT 1 FROM journal j JOIN journal_records l ON l.seq = j.seq AND l.record = ? "
      "WHERE j.replica = ? AND j.counter = ? LIMIT 1");
  return statement.bind(1, recordRow).bind(2, signedOf(replica)).bind(3, signedOf(counter)).step();
}

std::vector<JournalRow> Store::journalOfRecord(std::int64_t recordRow, std::int64_t beforeSeq,
                                               int limit) {
  Statement statement = db_.statement(
      "SELECT j.seq, j.replica, j.counter, j.received_ms, j.body, j.packing FROM journal_records l "
      "JOIN journal j ON j.seq = l.seq WHERE l.record = ? AND l.seq < ? "
      "ORDER BY l.seq DESC LIMIT ?");
  statement.bind(1, recordRow).bind(2, beforeSeq).bind(3, limit);
  std::vector<JournalRow> rows;
  while (statement.step()) rows.push_back(readJournal(statement));
  return rows;
}

std::int64_t Store::lastJournalSeq() {
  Statement statement = db_.statement("SELECT coalesce(max(seq), 0) FROM journal");
  statement.step();
  return statement.integer(0);
}

void Store::putIncarnation(const IncarnationRow& row) {
  db_.statement("INSERT OR REPLACE INTO incarnations VALUES(?, ?, ?, ?, ?)")
      .bind(1, signedOf(row.id))
      .bind(2, signedOf(row.parent))
      .bind(3, signedOf(row.parentNumber))
      .bindBlob(4, row.parentHash)
      .bindBlob(5, row.saltKey)
      .run();
}

std::optional<IncarnationRow> Store::incarnation(std::uint64_t id) {
  Statement statement = db_.statement(
      "SELECT id, parent, parent_number, parent_hash, salt_key FROM incarnations WHERE id = ?");
  if (!statement.bind(1, signedOf(id)).step()) return std::nullopt;
  return IncarnationRow{unsignedOf(statement.integer(0)), unsignedOf(statement.integer(1)),
                        unsignedOf(statement.integer(2)), statement.text(3), statement.text(4)};
}

void Store::appendUpward(const UpwardRow& row) {
  db_.statement(
         "INSERT INTO upward(incarnation, number, seq, salt, hash, digest) "
         "VALUES(?, ?, ?, ?, ?, ?)")
      .bind(1, signedOf(row.incarnation))
      .bind(2, signedOf(row.number))
      .bind(3, row.seq)
      .bindBlob(4, row.salt)
      .bindBlob(5, row.hash)
      .bindBlob(6, row.digest)
      .run();
}

std::optional<UpwardRow> Store::upward(std::uint64_t incarnation, std::uint64_t number) {
  Statement statement = db_.statement(
      "SELECT incarnation, number, seq, salt, hash, digest FROM upward "
      "WHERE incarnation = ? AND number = ?");
  if (!statement.bind(1, signedOf(incarnation)).bind(2, signedOf(number)).step()) {
    return std::nullopt;
  }
  return readUpward(statement);
}

std::optional<UpwardRow> Store::upwardOfSeq(std::int64_t seq) {
  Statement statement = db_.statement(
      "SELECT incarnation, number, seq, salt, hash, digest FROM upward WHERE seq = ?");
  if (!statement.bind(1, seq).step()) return std::nullopt;
  return readUpward(statement);
}

std::vector<UpwardRow> Store::upwardAfter(std::int64_t afterSeq, int limit) {
  Statement statement = db_.statement(
      "SELECT incarnation, number, seq, salt, hash, digest FROM upward WHERE seq > ? "
      "ORDER BY seq LIMIT ?");
  statement.bind(1, afterSeq).bind(2, limit);
  std::vector<UpwardRow> rows;
  while (statement.step()) rows.push_back(readUpward(statement));
  return rows;
}

std::int64_t Store::countUpwardAfter(std::int64_t seq) {
  Statement statement = db_.statement("SELECT count(*) FROM upward WHERE seq > ?");
  statement.bind(1, seq).step();
  return statement.integer(0);
}

void Store::addLeaving(std::string_view root) {
  db_.statement("INSERT OR IGNORE INTO leaving VALUES(?)").bindBlob(1, root).run();
}

void Store::removeLeaving(std::string_view root) {
  db_.statement("DELETE FROM leaving WHERE root = ?").bindBlob(1, root).run();
}

bool Store::isLeaving(std::string_view root) {
  return db_.statement("SELECT 1 FROM leaving WHERE root = ?").bindBlob(1, root).step();
}

std::vector<std::string> Store::leaving() {
  return readBlobs(db_.statement("SELECT root FROM leaving"));
}

std::int64_t Store::lastUpwardSeqOfRoot(std::string_view root) {
  Statement statement =
      db_.statement("SELECT coalesce(max(upward_seq), 0) FROM records WHERE root = ?");
  statement.bindBlob(1, root).step();
  return statement.integer(0);
}

std::vector<std::int64_t> Store::evictRoot(std::string_view root) {
  std::vector<std::int64_t> rows;
  Statement select = db_.statement("SELECT row FROM records WHERE root = ?");
  select.bindBlob(1, root);
  while (select.step()) rows.push_back(select.integer(0));
  // Before the entries that they are packed beside.
  db_.statement("DELETE FROM records WHERE root = ?").bindBlob(1, root).run();
  for (const std::int64_t row : rows) {
    removeSearch(row);
    db_.statement(
           "DELETE FROM journal WHERE seq IN (SELECT seq FROM journal_records WHERE record = ?1) "
           "AND NOT EXISTS (SELECT 1 FROM journal_records l JOIN records r ON r.row = l.record "
           "WHERE l.seq = journal.seq AND r.root <> ?2)")
        .bind(1, row)
        .bindBlob(2, root)
        .run();
    db_.statement("DELETE FROM journal_records WHERE record = ?").bind(1, row).run();
  }
  db_.statement("DELETE FROM roots WHERE id = ?").bindBlob(1, root).run();
  db_.statement("DELETE FROM names WHERE root = ?").bindBlob(1, root).run();
  return rows;
}

void Store::addReceipt(std::string_view root) {
  db_.statement("INSERT OR IGNORE INTO receipts VALUES(?)").bindBlob(1, root).run();
}

std::vector<std::string> Store::receipts() {
  return readBlobs(db_.statement("SELECT root FROM receipts"));
}

void Store::removeReceipt(std::string_view root) {
  db_.statement("DELETE FROM receipts WHERE root = ?").bindBlob(1, root).run();
}

}  // namespace waystation::storage

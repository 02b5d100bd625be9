// Erasures: what must never be kept here again, and the removal of what is.

#include <algorithm>

#include "storage/store.h"

namespace waystation::storage {
namespace {

// Up to this size the whole database is written anew, which leaves no byte of what went.
constexpr std::int64_t kMostBytesToVacuum = 128 * 1024 * 1024;
constexpr std::int64_t kPagesAtOnce = 1'000;

constexpr const char* kErasureColumns =
    "SELECT hash, body, signature, made_ms, made_by, destroyed, late, reported FROM erasures ";

ErasureRow readErasure(const Statement& statement) {
  return {statement.text(0), statement.text(1),    statement.text(2),    statement.integer(3),
          statement.text(4), statement.integer(5), statement.integer(6), statement.integer(7) != 0};
}

std::int64_t pragma(Database& database, const char* name) {
  Statement statement = database.statement(std::string("PRAGMA ") + name);
  return statement.step() ? statement.integer(0) : 0;
}

}  // namespace

void Store::addErasure(const ErasureRow& row) {
  db_.statement("INSERT OR IGNORE INTO erasures VALUES(?, ?, ?, ?, ?, ?, ?, ?)")
      .bindBlob(1, row.hash)
      .bindBlob(2, row.body)
      .bindBlob(3, row.signature)
      .bind(4, row.madeMs)
      .bindText(5, row.madeBy)
      .bind(6, row.destroyed)
      .bind(7, row.late)
      .bind(8, row.isReported ? 1 : 0)
      .run();
}

std::optional<ErasureRow> Store::erasure(std::string_view hash) {
  Statement statement = db_.statement(std::string(kErasureColumns) + "WHERE hash = ?");
  if (!statement.bindBlob(1, hash).step()) return std::nullopt;
  return readErasure(statement);
}

std::vector<ErasureRow> Store::erasures() {
  Statement statement = db_.statement(std::string(kErasureColumns) + "ORDER BY hash");
  std::vector<ErasureRow> rows;
  while (statement.step()) rows.push_back(readErasure(statement));
  return rows;
}

void Store::countDestroyed(std::string_view hash, std::int64_t records, bool isLate) {
  db_.statement(isLate ? "UPDATE erasures SET late = late + ? WHERE hash = ?"
                       : "UPDATE erasures SET destroyed = destroyed + ? WHERE hash = ?")
      .bind(1, records)
      .bindBlob(2, hash)
      .run();
}

void Store::setReported(std::string_view hash) {
  db_.statement("UPDATE erasures SET reported = 1 WHERE hash = ?").bindBlob(1, hash).run();
}

void Store::addErased(std::string_view id, std::string_view hash) {
  db_.statement("INSERT OR IGNORE INTO erased VALUES(?, ?)")
      .bindBlob(1, id)
      .bindBlob(2, hash)
      .run();
}

std::optional<std::string> Store::erasedBy(std::string_view id) {
  Statement statement = db_.statement("SELECT hash FROM erased WHERE id = ?");
  if (!statement.bindBlob(1, id).step()) return std::nullopt;
  return statement.text(0);
}

bool Store::hasErased() {
  return db_.statement("SELECT 1 FROM erased LIMIT 1").step();
}

void Store::addErasureReceipt(const ErasureReceiptRow& row) {
  db_.statement(
         "INSERT INTO erasure_receipts VALUES(?1, ?2, ?3, ?4) ON CONFLICT(hash, holder) DO UPDATE "
         "SET at_ms = ?3, records = records + ?4")
      .bindBlob(1, row.hash)
      .bindText(2, row.holder)
      .bind(3, row.atMs)
      .bind(4, row.records)
      .run();
}

std::vector<ErasureReceiptRow> Store::erasureReceipts() {
  Statement statement = db_.statement(
      "SELECT hash, holder, at_ms, records FROM erasure_receipts ORDER BY hash, holder");
  std::vector<ErasureReceiptRow> rows;
  while (statement.step()) {
    rows.push_back(
        {statement.text(0), statement.text(1), statement.integer(2), statement.integer(3)});
  }
  return rows;
}

void Store::eraseRecord(const RecordRow& row) {
  removeSearch(row.row);
  db_.statement("DELETE FROM journal_records WHERE record = ?").bind(1, row.row).run();
  db_.statement("DELETE FROM import_keys WHERE record = ?").bindBlob(1, row.id).run();
  db_.statement("DELETE FROM records WHERE row = ?").bind(1, row.row).run();
}

void Store::eraseRoot(std::string_view root) {
  for (const char* sql :
       {"DELETE FROM roots WHERE id = ?", "DELETE FROM scopes WHERE root = ?",
        "DELETE FROM releasing WHERE root = ?", "DELETE FROM leaving WHERE root = ?",
        "DELETE FROM names WHERE root = ?", "DELETE FROM names WHERE named = ?",
        "DELETE FROM receipts WHERE root = ?"}) {
    db_.statement(sql).bindBlob(1, root).run();
  }
  // Of changes the entries stay: one may speak of other roots too.
  db_.statement("DELETE FROM feed WHERE root = ? AND type <> ?")
      .bindBlob(1, root)
      .bind(2, static_cast<int>(FeedType::kChange))
      .run();
}

void Store::cutJournal(std::int64_t seq, std::string_view body) {
  if (body.empty()) {
    removeJournal(seq);
  } else {
    packAlone(seq);
    const RowPacker::Packed packed = db_.packer().pack(body);
    db_.statement("UPDATE journal SET body = ?, packing = ? WHERE seq = ?")
        .bindBlob(1, packed.bytes)
        .bind(2, packed.packing)
        .bind(3, seq)
        .run();
  }
  db_.statement("UPDATE upward SET salt = x'' WHERE seq = ?").bind(1, seq).run();
}

void Store::cutQuarantine(std::int64_t id, std::string_view body) {
  if (body.empty()) {
    removeQuarantine(id);
  } else {
    db_.statement("UPDATE quarantine SET body = ?, seal = 0, salt = x'' WHERE id = ?")
        .bindBlob(1, body)
        .bind(2, id)
        .run();
  }
}

void Store::addErasureWaiting(std::int64_t seq) {
  db_.statement("INSERT OR IGNORE INTO erasure_waiting VALUES(?)").bind(1, seq).run();
}

std::vector<std::int64_t> Store::erasureWaiting() {
  Statement statement = db_.statement("SELECT seq FROM erasure_waiting ORDER BY seq");
  std::vector<std::int64_t> seqs;
  while (statement.step()) seqs.push_back(statement.integer(0));
  return seqs;
}

void Store::removeErasureWaiting(std::int64_t seq) {
  db_.statement("DELETE FROM erasure_waiting WHERE seq = ?").bind(1, seq).run();
}

void Store::scrub() {
  // Deleted words stay in the index's older segments until these are merged.
  db_.execute("INSERT INTO search(search) VALUES('optimize')");
  if (pragma(db_, "page_count") * pragma(db_, "page_size") <= kMostBytesToVacuum) {
    db_.execute("VACUUM");
  } else {
    wipeFreePages();
  }
  // The log holds pages as they were; a reader in the middle of its work defers this.
  db_.statement("PRAGMA wal_checkpoint(TRUNCATE)").run();
}

// Takes up all free pages and gives them back zeroed.
void Store::wipeFreePages() {
  db_.execute("PRAGMA secure_delete = ON");
  const std::int64_t size = pragma(db_, "page_size");
  std::int64_t pages = pragma(db_, "freelist_count");
  {
    Transaction transaction(db_);
    db_.execute("CREATE TABLE wiped(zeros BLOB)");
    for (; pages > 0; pages -= kPagesAtOnce) {
      db_.statement("INSERT INTO wiped VALUES(zeroblob(?))")
          .bind(1, std::min(pages, kPagesAtOnce) * size)
          .run();
    }
    db_.execute("DROP TABLE wiped");
    transaction.commit();
  }
  db_.execute("PRAGMA secure_delete = FAST");
}

}  // namespace waystation::storage

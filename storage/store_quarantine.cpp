// What could not be let in: at the hub whole, at the leaf as the hub told it.

#include "storage/store.h"

namespace waystation::storage {
namespace {

std::int64_t signedOf(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

std::uint64_t unsignedOf(std::int64_t value) {
  return static_cast<std::uint64_t>(value);
}

constexpr const char* kColumns =
    "SELECT id, leaf, reason, at_ms, body, state, link_replica, link_number, replica, counter, "
    "awaited_replica, awaited_counter, awaited_record, settled_by, settled_ms, why, seal, "
    "position, salt FROM quarantine ";

QuarantineRow readRow(const Statement& statement) {
  return {statement.integer(0),
          statement.text(1),
          statement.text(2),
          statement.integer(3),
          statement.text(4),
          static_cast<QuarantineState>(statement.integer(5)),
          unsignedOf(statement.integer(6)),
          unsignedOf(statement.integer(7)),
          unsignedOf(statement.integer(8)),
          unsignedOf(statement.integer(9)),
          unsignedOf(statement.integer(10)),
          unsignedOf(statement.integer(11)),
          statement.text(12),
          statement.text(13),
          statement.integer(14),
          statement.text(15),
          {statement.integer(16), unsignedOf(statement.integer(17)), statement.text(18)}};
}

std::vector<QuarantineRow> readRows(Statement& statement) {
  std::vector<QuarantineRow> rows;
  while (statement.step()) rows.push_back(readRow(statement));
  return rows;
}

}  // namespace

void Store::addQuarantine(const QuarantineRow& row) {
  db_.statement(
         "INSERT INTO quarantine(leaf, reason, at_ms, body, state, link_replica, link_number, "
         "replica, counter, awaited_replica, awaited_counter, awaited_record, seal, position, "
         "salt) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
      .bindText(1, row.leaf)
      .bindText(2, row.reason)
      .bind(3, row.atMs)
      .bindBlob(4, row.body)
      .bind(5, static_cast<int>(row.state))
      .bind(6, signedOf(row.linkReplica))
      .bind(7, signedOf(row.linkNumber))
      .bind(8, signedOf(row.replica))
      .bind(9, signedOf(row.counter))
      .bind(10, signedOf(row.awaitedReplica))
      .bind(11, signedOf(row.awaitedCounter))
      .bindBlob(12, row.awaitedRecord)
      .bind(13, row.proof.seal)
      .bind(14, signedOf(row.proof.position))
      .bindBlob(15, row.proof.salt)
      .run();
}

void Store::putQuarantine(const QuarantineRow& row) {
  db_.statement(
         "UPDATE quarantine SET reason = ?, state = ?, awaited_replica = ?, awaited_counter = ?, "
         "awaited_record = ?, settled_by = ?, settled_ms = ?, why = ? WHERE id = ?")
      .bindText(1, row.reason)
      .bind(2, static_cast<int>(row.state))
      .bind(3, signedOf(row.awaitedReplica))
      .bind(4, signedOf(row.awaitedCounter))
      .bindBlob(5, row.awaitedRecord)
      .bindText(6, row.settledBy)
      .bind(7, row.settledMs)
      .bindText(8, row.why)
      .bind(9, row.id)
      .run();
}

std::optional<QuarantineRow> Store::quarantined(std::int64_t id) {
  Statement statement = db_.statement(std::string(kColumns) + "WHERE id = ?");
  if (!statement.bind(1, id).step()) return std::nullopt;
  return readRow(statement);
}

std::int64_t Store::countQuarantine() {
  Statement statement = db_.statement(
      "SELECT (SELECT count(*) FROM quarantine WHERE state < 2) + (SELECT count(*) FROM aside "
      "WHERE state < 2)");
  statement.step();
  return statement.integer(0);
}

bool Store::hasQuarantine(std::string_view leaf) {
  return db_.statement("SELECT 1 FROM quarantine WHERE leaf = ? AND state < 2 LIMIT 1")
      .bindText(1, leaf)
      .step();
}

bool Store::isQuarantined(std::string_view body) {
  return db_.statement("SELECT 1 FROM quarantine WHERE body = ? LIMIT 1").bindBlob(1, body).step();
}

std::vector<QuarantineRow> Store::quarantine(int limit) {
  Statement statement = db_.statement(std::string(kColumns) + "ORDER BY id DESC LIMIT ?");
  statement.bind(1, limit);
  return readRows(statement);
}

std::vector<QuarantineRow> Store::quarantineFor(std::string_view reason) {
  Statement statement =
      db_.statement(std::string(kColumns) + "WHERE reason = ? AND state < 2 ORDER BY id");
  statement.bindText(1, reason);
  return readRows(statement);
}

void Store::removeQuarantine(std::int64_t id) {
  db_.statement("DELETE FROM quarantine WHERE id = ?").bind(1, id).run();
}

std::vector<QuarantineRow> Store::quarantineOf(std::string_view leaf, int limit) {
  Statement statement =
      db_.statement(std::string(kColumns) + "WHERE leaf = ? ORDER BY id DESC LIMIT ?");
  statement.bindText(1, leaf).bind(2, limit);
  return readRows(statement);
}

std::vector<QuarantineRow> Store::whoseWaitIsOver() {
  Statement statement =
      db_.statement(std::string(kColumns) +
                    "AS q WHERE state = 1 AND (EXISTS(SELECT 1 FROM chains c "
                    "WHERE c.incarnation = q.awaited_replica AND c.number >= q.awaited_counter) "
                    "OR EXISTS(SELECT 1 FROM journal j WHERE j.replica = q.awaited_replica AND "
                    "j.counter = q.awaited_counter) "
                    "OR EXISTS(SELECT 1 FROM records r WHERE r.id = q.awaited_record) "
                    "OR EXISTS(SELECT 1 FROM erased e WHERE e.id = q.awaited_record)) ORDER BY id");
  return readRows(statement);
}

void Store::putAside(const AsideRow& row) {
  db_.statement("INSERT OR REPLACE INTO aside VALUES(?, ?, ?, ?, ?)")
      .bind(1, signedOf(row.replica))
      .bind(2, signedOf(row.counter))
      .bindText(3, row.reason)
      .bind(4, static_cast<int>(row.state))
      .bind(5, row.atMs)
      .run();
}

std::vector<AsideRow> Store::aside() {
  Statement statement = db_.statement(
      "SELECT replica, counter, reason, state, at_ms FROM aside ORDER BY at_ms DESC, replica, "
      "counter");
  std::vector<AsideRow> rows;
  while (statement.step()) {
    rows.push_back({unsignedOf(statement.integer(0)), unsignedOf(statement.integer(1)),
                    statement.text(2), static_cast<QuarantineState>(statement.integer(3)),
                    statement.integer(4)});
  }
  return rows;
}

void Store::clearAside() {
  db_.execute("DELETE FROM aside");
}

}  // namespace waystation::storage

// What agreement and healing read and keep.

#include "storage/store.h"

namespace waystation::storage {
namespace {

constexpr const char* kHealingColumns =
    "SELECT id, peer, found_ms, damaged, received, sent, refused, agreed_ms FROM healings ";

HealingRow readHealing(const Statement& statement) {
  return {statement.integer(0), statement.text(1),    statement.integer(2), statement.integer(3),
          statement.integer(4), statement.integer(5), statement.integer(6), statement.integer(7)};
}

}  // namespace

void Store::eachStateInScope(std::int64_t leaf, const EachState& visit) {
  Statement statement = db_.statement(
      "SELECT r.id, r.state, r.packing, b.body, b.packing FROM scopes s JOIN records r ON r.root = "
      "s.root LEFT JOIN journal b ON b.seq = r.base WHERE s.leaf = ?");
  statement.bind(1, leaf);
  while (statement.step()) visit(statement.view(0), statement.unpackedBeside(1));
}

void Store::eachStateHeld(const EachState& visit) {
  Statement statement = db_.statement(
      "SELECT r.id, r.state, r.packing, b.body, b.packing FROM records r LEFT JOIN journal b ON "
      "b.seq = r.base WHERE r.root NOT IN (SELECT root FROM leaving)");
  while (statement.step()) visit(statement.view(0), statement.unpackedBeside(1));
}

void Store::eachStateByRoot(
    std::string_view afterRoot,
    const std::function<bool(std::string_view, std::string_view, std::string_view)>& visit) {
  Statement statement = db_.statement(
      "SELECT r.root, r.id, r.state, r.packing, b.body, b.packing FROM records r LEFT JOIN journal "
      "b ON b.seq = r.base WHERE r.root > ? ORDER BY r.root, r.id");
  statement.bindBlob(1, afterRoot);
  while (statement.step()) {
    if (!visit(statement.view(0), statement.view(1), statement.unpackedBeside(2))) return;
  }
}

std::vector<std::pair<std::string, RootRow>> Store::rootsBetween(std::string_view after,
                                                                 std::string_view upTo) {
  Statement statement = db_.statement(
      "SELECT id, digest, scope, custody, records FROM roots WHERE id > ?1 AND "
      "(length(?2) = 0 OR id <= ?2) ORDER BY id");
  statement.bindBlob(1, after).bindBlob(2, upTo);
  std::vector<std::pair<std::string, RootRow>> roots;
  while (statement.step()) {
    roots.emplace_back(statement.text(0), RootRow{statement.text(1), statement.text(2),
                                                  statement.text(3), statement.integer(4)});
  }
  return roots;
}

void Store::removeRoot(std::string_view id) {
  db_.statement("DELETE FROM roots WHERE id = ?").bindBlob(1, id).run();
}

void Store::unlinkRecord(std::int64_t recordRow, std::int64_t seq) {
  packAlone(seq);
  db_.statement("DELETE FROM journal_records WHERE record = ? AND seq = ?")
      .bind(1, recordRow)
      .bind(2, seq)
      .run();
}

void Store::putHealing(const HealingRow& row) {
  Statement statement = db_.statement(
      row.id == 0 ? "INSERT INTO healings(damaged, received, sent, refused, agreed_ms, peer, "
                    "found_ms) VALUES(?, ?, ?, ?, ?, ?, ?)"
                  : "UPDATE healings SET damaged = ?, received = ?, sent = ?, refused = ?, "
                    "agreed_ms = ? WHERE id = ?");
  statement.bind(1, row.damaged)
      .bind(2, row.received)
      .bind(3, row.sent)
      .bind(4, row.refused)
      .bind(5, row.agreedMs);
  if (row.id == 0) {
    statement.bindText(6, row.peer).bind(7, row.foundMs);
  } else {
    statement.bind(6, row.id);
  }
  statement.run();
}

std::optional<HealingRow> Store::lastHealing(std::string_view peer) {
  Statement statement =
      db_.statement(std::string(kHealingColumns) + "WHERE peer = ? ORDER BY id DESC LIMIT 1");
  if (!statement.bindText(1, peer).step()) return std::nullopt;
  return readHealing(statement);
}

std::vector<HealingRow> Store::healings(int limit) {
  Statement statement = db_.statement(std::string(kHealingColumns) + "ORDER BY id DESC LIMIT ?");
  statement.bind(1, limit);
  std::vector<HealingRow> rows;
  while (statement.step()) rows.push_back(readHealing(statement));
  return rows;
}

std::int64_t Store::countHealings(bool onlyOpen) {
  Statement statement = db_.statement(onlyOpen ? "SELECT count(*) FROM healings WHERE agreed_ms = 0"
                                               : "SELECT count(*) FROM healings");
  statement.step();
  return statement.integer(0);
}

}  // namespace waystation::storage

// What a node in the middle of the tree keeps of the nodes below it: who signs, and what they
// signed.

#include "storage/store.h"

namespace waystation::storage {
namespace {

std::vector<DeviceRow> readDevices(Statement& statement) {
  std::vector<DeviceRow> rows;
  while (statement.step()) {
    rows.push_back({statement.text(0), statement.text(1), statement.text(2), statement.integer(3)});
  }
  return rows;
}

}  // namespace

void Store::putDevice(const DeviceRow& row) {
  db_.statement("INSERT OR REPLACE INTO devices VALUES(?, ?, ?, ?)")
      .bindText(1, row.name)
      .bindBlob(2, row.publicKey)
      .bindText(3, row.home)
      .bind(4, row.leaf)
      .run();
}

std::vector<DeviceRow> Store::devices() {
  Statement statement =
      db_.statement("SELECT name, public_key, home, leaf FROM devices ORDER BY name, public_key");
  return readDevices(statement);
}

std::vector<DeviceRow> Store::devicesNamed(std::string_view name) {
  Statement statement =
      db_.statement("SELECT name, public_key, home, leaf FROM devices WHERE name = ?");
  statement.bindText(1, name);
  return readDevices(statement);
}

std::string Store::claimReplica(std::uint64_t replica, std::string_view owner) {
  const auto id = static_cast<std::int64_t>(replica);
  {
    Statement statement = db_.statement("SELECT owner FROM replicas WHERE replica = ?");
    if (statement.bind(1, id).step()) return statement.text(0);
  }
  db_.statement("INSERT INTO replicas VALUES(?, ?)").bind(1, id).bindText(2, owner).run();
  return std::string(owner);
}

std::int64_t Store::addSeal(const SealRow& row) {
  db_.statement(
         "INSERT INTO seals(signer, signature, digests, epoch, number) VALUES(?, ?, ?, ?, ?)")
      .bindText(1, row.signer)
      .bindBlob(2, row.signature)
      .bindBlob(3, row.digests)
      .bind(4, static_cast<std::int64_t>(row.epoch))
      .bind(5, static_cast<std::int64_t>(row.number))
      .run();
  return db_.lastInsertRowId();
}

std::optional<SealRow> Store::seal(std::int64_t seal) {
  Statement statement =
      db_.statement("SELECT signer, signature, digests, epoch, number FROM seals WHERE seal = ?");
  if (!statement.bind(1, seal).step()) return std::nullopt;
  return SealRow{statement.text(0), statement.text(1), statement.text(2),
                 static_cast<std::uint64_t>(statement.integer(3)),
                 static_cast<std::uint64_t>(statement.integer(4))};
}

void Store::putSealed(std::int64_t seq, const SealedRow& row) {
  db_.statement("INSERT OR REPLACE INTO sealed VALUES(?, ?, ?, ?)")
      .bind(1, seq)
      .bind(2, row.seal)
      .bind(3, static_cast<std::int64_t>(row.position))
      .bindBlob(4, row.salt)
      .run();
}

std::optional<SealedRow> Store::sealed(std::int64_t seq) {
  Statement statement = db_.statement("SELECT seal, position, salt FROM sealed WHERE seq = ?");
  if (!statement.bind(1, seq).step()) return std::nullopt;
  return SealedRow{statement.integer(0), static_cast<std::uint64_t>(statement.integer(1)),
                   statement.text(2)};
}

void Store::addSealedAbove(std::int64_t seq, const SealedRow& row) {
  db_.statement("INSERT OR IGNORE INTO sealed_above VALUES(?, ?, ?, ?)")
      .bind(1, seq)
      .bind(2, row.seal)
      .bind(3, static_cast<std::int64_t>(row.position))
      .bindBlob(4, row.salt)
      .run();
}

std::vector<SealFromAboveRow> Store::sealsFromAbove(std::int64_t seq) {
  Statement statement = db_.statement(
      "SELECT s.signer, d.seal, d.position, d.salt FROM ("
      "SELECT seal, position, salt FROM sealed WHERE seq = ?1 UNION ALL "
      "SELECT seal, position, salt FROM sealed_above WHERE seq = ?1) d "
      "JOIN seals s ON s.seal = d.seal WHERE s.signer = '' OR substr(s.signer, 1, 1) = '^' "
      "ORDER BY s.signer, d.seal");
  statement.bind(1, seq);
  std::vector<SealFromAboveRow> rows;
  while (statement.step()) {
    rows.push_back({statement.text(0),
                    {statement.integer(1), static_cast<std::uint64_t>(statement.integer(2)),
                     statement.text(3)}});
  }
  return rows;
}

std::optional<std::int64_t> Store::sealSigned(std::string_view signature, std::string_view signer) {
  Statement statement =
      db_.statement("SELECT seal FROM seals WHERE signature = ? AND signer = ? LIMIT 1");
  if (!statement.bindBlob(1, signature).bindText(2, signer).step()) return std::nullopt;
  return statement.integer(0);
}

std::vector<std::int64_t> Store::hubSealsSince(const FeedEpochRow& from, std::int64_t after,
                                               std::int64_t upTo) {
  Statement statement = db_.statement(
      "SELECT s.seal FROM seals s LEFT JOIN feed_epochs e ON e.leaf = 0 AND e.epoch = s.epoch "
      "LEFT JOIN feed_epochs f ON f.leaf = 0 AND f.epoch = ?1 "
      "WHERE s.signer = '' AND s.seal > ?3 AND s.seal <= ?4 AND (f.position IS NULL OR "
      "s.epoch = 0 OR e.position > f.position OR "
      "(e.position = f.position AND s.number > ?2)) "
      "AND (EXISTS(SELECT 1 FROM sealed d WHERE d.seal = s.seal) OR "
      "EXISTS(SELECT 1 FROM sealed_above d WHERE d.seal = s.seal)) ORDER BY s.seal");
  statement.bind(1, static_cast<std::int64_t>(from.epoch))
      .bind(2, static_cast<std::int64_t>(from.began))
      .bind(3, after)
      .bind(4, upTo);
  std::vector<std::int64_t> seals;
  while (statement.step()) seals.push_back(statement.integer(0));
  return seals;
}

std::int64_t Store::lastSeal() {
  Statement statement = db_.statement("SELECT coalesce(max(seal), 0) FROM seals");
  statement.step();
  return statement.integer(0);
}

std::vector<SealedEntryRow> Store::entriesUnder(std::int64_t seal) {
  Statement statement = db_.statement(
      "SELECT seq, position, salt FROM sealed WHERE seal = ?1 UNION "
      "SELECT seq, position, salt FROM sealed_above WHERE seal = ?1 "
      "ORDER BY position");
  statement.bind(1, seal);
  std::vector<SealedEntryRow> rows;
  while (statement.step()) {
    rows.push_back({statement.integer(0),
                    {seal, static_cast<std::uint64_t>(statement.integer(1)), statement.text(2)}});
  }
  return rows;
}

void Store::addCarried(std::int64_t seq) {
  db_.statement("INSERT INTO carried VALUES(?)").bind(1, seq).run();
}

std::int64_t Store::forgetCarried(std::int64_t upToSeq) {
  Statement count = db_.statement("SELECT count(*) FROM carried WHERE seq <= ?");
  count.bind(1, upToSeq).step();
  const std::int64_t found = count.integer(0);
  if (found == 0) return 0;
  db_.statement("DELETE FROM journal WHERE seq IN (SELECT seq FROM carried WHERE seq <= ?)")
      .bind(1, upToSeq)
      .run();
  return found;
}

void Store::dropQuarantined(std::string_view body) {
  if (!db_.statement("SELECT 1 FROM quarantine LIMIT 1").step()) return;
  db_.statement("DELETE FROM quarantine WHERE body = ? AND state < 2").bindBlob(1, body).run();
}

bool Store::isHeldBelow(std::string_view root) {
  return db_
      .statement(
          "SELECT 1 FROM leaves l WHERE l.revoked = 0 AND "
          "(EXISTS (SELECT 1 FROM scopes s WHERE s.leaf = l.leaf AND s.root = ?1) OR "
          "EXISTS (SELECT 1 FROM releasing r WHERE r.leaf = l.leaf AND r.root = ?1 AND "
          "r.gone = 0)) LIMIT 1")
      .bindBlob(1, root)
      .step();
}

bool Store::isEnterWaiting(std::int64_t leaf, std::string_view root) {
  return db_
      .statement("SELECT 1 FROM feed WHERE leaf = ? AND root = ? AND number IS NULL AND type = 1")
      .bind(1, leaf)
      .bindBlob(2, root)
      .step();
}

}  // namespace waystation::storage

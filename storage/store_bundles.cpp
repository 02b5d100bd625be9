// Bundles that came on a stick: which were read, and those kept until it is their turn.

#include "storage/store.h"

namespace waystation::storage {
namespace {

constexpr std::int64_t kRemembered = 1000;

}  // namespace

void Store::addBundleRead(std::string_view id, std::string_view peer, std::int64_t atMs) {
  db_.statement("INSERT OR REPLACE INTO bundles_read(id, peer, at_ms) VALUES(?, ?, ?)")
      .bindBlob(1, id)
      .bindText(2, peer)
      .bind(3, atMs)
      .run();
  db_.statement("DELETE FROM bundles_read WHERE rowid <= (SELECT max(rowid) FROM bundles_read) - ?")
      .bind(1, kRemembered)
      .run();
}

std::optional<std::int64_t> Store::bundleRead(std::string_view id) {
  Statement statement = db_.statement("SELECT at_ms FROM bundles_read WHERE id = ?");
  if (!statement.bindBlob(1, id).step()) return std::nullopt;
  return statement.integer(0);
}

void Store::keepBundle(const KeptBundleRow& row) {
  db_.statement("INSERT INTO bundles_kept VALUES(?, ?, ?, ?, ?)")
      .bindBlob(1, row.id)
      .bindText(2, row.peer)
      .bind(3, static_cast<std::int64_t>(row.part))
      .bind(4, row.madeMs)
      .bind(5, static_cast<std::int64_t>(row.bytes))
      .run();
}

void Store::addBundlePiece(std::string_view id, std::uint64_t piece, std::string_view bytes) {
  db_.statement("INSERT INTO bundle_pieces VALUES(?, ?, ?)")
      .bindBlob(1, id)
      .bind(2, static_cast<std::int64_t>(piece))
      .bindBlob(3, bytes)
      .run();
}

std::optional<std::string> Store::bundlePiece(std::string_view id, std::uint64_t piece) {
  Statement statement = db_.statement("SELECT bytes FROM bundle_pieces WHERE id = ? AND piece = ?");
  statement.bindBlob(1, id).bind(2, static_cast<std::int64_t>(piece));
  if (!statement.step()) return std::nullopt;
  return statement.text(0);
}

std::vector<KeptBundleRow> Store::keptBundles() {
  Statement statement = db_.statement(
      "SELECT id, peer, part, made_ms, bytes FROM bundles_kept ORDER BY made_ms, part");
  std::vector<KeptBundleRow> rows;
  while (statement.step()) {
    rows.push_back({statement.text(0), statement.text(1),
                    static_cast<std::uint64_t>(statement.integer(2)), statement.integer(3),
                    static_cast<std::uint64_t>(statement.integer(4))});
  }
  return rows;
}

void Store::removeKeptBundle(std::string_view id) {
  db_.statement("DELETE FROM bundles_kept WHERE id = ?").bindBlob(1, id).run();
  db_.statement("DELETE FROM bundle_pieces WHERE id = ?").bindBlob(1, id).run();
}

}  // namespace waystation::storage

// What a hub keeps for each of its leaves: chain, scope and feed.

#include "storage/store.h"

namespace waystation::storage {
namespace {

std::int64_t signedOf(std::uint64_t value) {
  return static_cast<std::int64_t>(value);
}

std::uint64_t unsignedOf(std::int64_t value) {
  return static_cast<std::uint64_t>(value);
}

constexpr const char* kLeafColumns =
    "SELECT leaf, name, public_key, certificate_hash, incarnation, feed_acked, last_contact_ms, "
    "revoked, home, offices, sealing_key FROM leaves ";

// Names of offices hold no line ends.
std::string joinedLines(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += name + "\n";
  return text;
}

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> names;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    names.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

LeafRow readLeaf(const Statement& statement) {
  return {statement.integer(0),
          statement.text(1),
          statement.text(2),
          statement.text(3),
          unsignedOf(statement.integer(4)),
          unsignedOf(statement.integer(5)),
          statement.integer(6),
          statement.integer(7) != 0,
          statement.text(8),
          lines(statement.text(9)),
          statement.text(10)};
}

}  // namespace

std::int64_t Store::addLeaf(const LeafRow& row) {
  db_.statement(
         "INSERT INTO leaves(name, public_key, certificate_hash, incarnation, feed_acked, "
         "last_contact_ms, revoked, home, sealing_key) VALUES(?, ?, ?, 0, 0, 0, 0, ?, ?)")
      .bindText(1, row.name)
      .bindBlob(2, row.publicKey)
      .bindText(3, row.certificateHash)
      .bindText(4, row.home)
      .bindBlob(5, row.sealingKey)
      .run();
  return db_.lastInsertRowId();
}

void Store::putLeaf(const LeafRow& row) {
  db_.statement(
         "UPDATE leaves SET public_key = ?, certificate_hash = ?, incarnation = ?, "
         "feed_acked = ?, last_contact_ms = ?, revoked = ?, home = ?, offices = ?, "
         "sealing_key = ? WHERE leaf = ?")
      .bindBlob(1, row.publicKey)
      .bindText(2, row.certificateHash)
      .bind(3, signedOf(row.incarnation))
      .bind(4, signedOf(row.feedAcked))
      .bind(5, row.lastContactMs)
      .bind(6, row.revoked ? 1 : 0)
      .bindText(7, row.home)
      .bindText(8, joinedLines(row.offices))
      .bindBlob(9, row.sealingKey)
      .bind(10, row.leaf)
      .run();
}

std::optional<LeafRow> Store::leafByName(std::string_view name) {
  Statement statement = db_.statement(std::string(kLeafColumns) + "WHERE name = ?");
  if (!statement.bindText(1, name).step()) return std::nullopt;
  return readLeaf(statement);
}

std::vector<LeafRow> Store::leaves() {
  Statement statement = db_.statement(std::string(kLeafColumns) + "ORDER BY name");
  std::vector<LeafRow> rows;
  while (statement.step()) rows.push_back(readLeaf(statement));
  return rows;
}

std::optional<ChainRow> Store::chain(std::int64_t leaf, std::uint64_t incarnation) {
  Statement statement = db_.statement(
      "SELECT incarnation, number, hash, salt_key FROM chains WHERE leaf = ? AND incarnation = ?");
  if (!statement.bind(1, leaf).bind(2, signedOf(incarnation)).step()) return std::nullopt;
  return ChainRow{unsignedOf(statement.integer(0)), unsignedOf(statement.integer(1)),
                  statement.text(2), statement.text(3)};
}

void Store::putChain(std::int64_t leaf, const ChainRow& row) {
  db_.statement(
         "INSERT INTO chains(leaf, incarnation, number, hash, salt_key) VALUES(?, ?, ?, ?, ?) "
         "ON CONFLICT(leaf, incarnation) DO UPDATE SET number = excluded.number, "
         "hash = excluded.hash, salt_key = excluded.salt_key")
      .bind(1, leaf)
      .bind(2, signedOf(row.incarnation))
      .bind(3, signedOf(row.number))
      .bindBlob(4, row.hash)
      .bindBlob(5, row.saltKey)
      .run();
}

std::optional<std::uint64_t> Store::chainNumber(std::uint64_t incarnation) {
  Statement statement =
      db_.statement("SELECT number FROM chains WHERE incarnation = ? ORDER BY number DESC LIMIT 1");
  if (!statement.bind(1, signedOf(incarnation)).step()) return std::nullopt;
  return unsignedOf(statement.integer(0));
}

bool Store::inScope(std::int64_t leaf, std::string_view root) {
  return db_.statement("SELECT 1 FROM scopes WHERE leaf = ? AND root = ?")
      .bind(1, leaf)
      .bindBlob(2, root)
      .step();
}

void Store::addScope(std::int64_t leaf, std::string_view root) {
  db_.statement("INSERT OR IGNORE INTO scopes VALUES(?, ?)").bind(1, leaf).bindBlob(2, root).run();
}

void Store::removeScope(std::int64_t leaf, std::string_view root) {
  db_.statement("DELETE FROM scopes WHERE leaf = ? AND root = ?")
      .bind(1, leaf)
      .bindBlob(2, root)
      .run();
}

void Store::eachScopeDigest(std::int64_t leaf, const std::function<void(std::string_view)>& visit) {
  Statement statement =
      db_.statement("SELECT r.digest FROM scopes s JOIN roots r ON r.id = s.root WHERE s.leaf = ?");
  statement.bind(1, leaf);
  while (statement.step()) visit(statement.view(0));
}

std::vector<std::int64_t> Store::leavesInScope(std::string_view root) {
  Statement statement = db_.statement("SELECT leaf FROM scopes WHERE root = ?");
  statement.bindBlob(1, root);
  std::vector<std::int64_t> found;
  while (statement.step()) found.push_back(statement.integer(0));
  return found;
}

void Store::appendFeed(std::int64_t leaf, FeedType type, std::string_view root, std::int64_t seq) {
  db_.statement("INSERT INTO feed(leaf, type, root, seq) VALUES(?, ?, ?, ?)")
      .bind(1, leaf)
      .bind(2, static_cast<int>(type))
      .bindBlob(3, root)
      .bind(4, seq)
      .run();
}

std::uint64_t Store::numberedFeed(std::int64_t leaf) {
  return unsignedOf(metaNumber("feed.last." + std::to_string(leaf)));
}

std::uint64_t Store::numberFeed(std::int64_t leaf) {
  const std::string counter = "feed.last." + std::to_string(leaf);
  std::int64_t last = metaNumber(counter);
  std::vector<std::int64_t> waiting;
  {
    Statement statement =
        db_.statement("SELECT entry FROM feed WHERE leaf = ? AND number IS NULL ORDER BY entry");
    statement.bind(1, leaf);
    while (statement.step()) waiting.push_back(statement.integer(0));
  }
  for (const std::int64_t entry : waiting) {
    db_.statement("UPDATE feed SET number = ? WHERE entry = ?")
        .bind(1, ++last)
        .bind(2, entry)
        .run();
  }
  if (!waiting.empty()) setMetaNumber(counter, last);
  return unsignedOf(last);
}

std::vector<FeedRow> Store::feedAfter(std::int64_t leaf, std::uint64_t number, int limit) {
  Statement statement = db_.statement(
      "SELECT number, type, root, seq FROM feed WHERE leaf = ? AND number > ? "
      "ORDER BY number LIMIT ?");
  statement.bind(1, leaf).bind(2, signedOf(number)).bind(3, limit);
  std::vector<FeedRow> rows;
  while (statement.step()) {
    rows.push_back({unsignedOf(statement.integer(0)), static_cast<FeedType>(statement.integer(1)),
                    statement.text(2), statement.integer(3)});
  }
  return rows;
}

void Store::pruneFeed(std::int64_t leaf, std::uint64_t upTo) {
  db_.statement("DELETE FROM feed WHERE leaf = ? AND number <= ?")
      .bind(1, leaf)
      .bind(2, signedOf(upTo))
      .run();
}

void Store::clearFeed(std::int64_t leaf) {
  db_.statement("DELETE FROM feed WHERE leaf = ?").bind(1, leaf).run();
}

void Store::dropLeave(std::int64_t leaf, std::string_view root) {
  db_.statement("DELETE FROM feed WHERE leaf = ? AND number IS NULL AND type = ? AND root = ?")
      .bind(1, leaf)
      .bind(2, static_cast<int>(FeedType::kLeave))
      .bindBlob(3, root)
      .run();
}

std::int64_t Store::countFeed(std::int64_t leaf, std::uint64_t afterNumber) {
  Statement statement =
      db_.statement("SELECT count(*) FROM feed WHERE leaf = ? AND (number > ? OR number IS NULL)");
  statement.bind(1, leaf).bind(2, signedOf(afterNumber)).step();
  return statement.integer(0);
}

void Store::addFeedEpoch(std::int64_t leaf, const FeedEpochRow& row) {
  db_.statement("INSERT OR IGNORE INTO feed_epochs(leaf, epoch, began) VALUES(?, ?, ?)")
      .bind(1, leaf)
      .bind(2, signedOf(row.epoch))
      .bind(3, signedOf(row.began))
      .run();
}

std::vector<FeedEpochRow> Store::feedEpochs(std::int64_t leaf) {
  Statement statement = db_.statement(
      "SELECT epoch, began FROM feed_epochs WHERE leaf = ? ORDER BY position DESC LIMIT 64");
  statement.bind(1, leaf);
  std::vector<FeedEpochRow> rows;
  while (statement.step()) {
    rows.push_back({unsignedOf(statement.integer(0)), unsignedOf(statement.integer(1))});
  }
  return rows;
}

std::vector<std::string> Store::scopesOf(std::int64_t leaf) {
  Statement statement = db_.statement("SELECT root FROM scopes WHERE leaf = ?");
  statement.bind(1, leaf);
  std::vector<std::string> roots;
  while (statement.step()) roots.push_back(statement.text(0));
  return roots;
}

void Store::addReleasing(std::int64_t leaf, std::string_view root) {
  db_.statement("INSERT OR REPLACE INTO releasing VALUES(?, ?, 0)")
      .bind(1, leaf)
      .bindBlob(2, root)
      .run();
}

void Store::removeReleasing(std::int64_t leaf, std::string_view root) {
  db_.statement("DELETE FROM releasing WHERE leaf = ? AND root = ?")
      .bind(1, leaf)
      .bindBlob(2, root)
      .run();
}

bool Store::isReleasing(std::int64_t leaf, std::string_view root) {
  return db_.statement("SELECT 1 FROM releasing WHERE leaf = ? AND root = ? AND gone = 0")
      .bind(1, leaf)
      .bindBlob(2, root)
      .step();
}

void Store::setReleased(std::int64_t leaf, std::string_view root) {
  db_.statement("UPDATE releasing SET gone = 1 WHERE leaf = ? AND root = ?")
      .bind(1, leaf)
      .bindBlob(2, root)
      .run();
}

std::vector<std::string> Store::releasingOrReleased(std::int64_t leaf) {
  Statement statement = db_.statement("SELECT root FROM releasing WHERE leaf = ?");
  statement.bind(1, leaf);
  std::vector<std::string> roots;
  while (statement.step()) roots.push_back(statement.text(0));
  return roots;
}

void Store::addName(std::string_view root, std::string_view named) {
  db_.statement("INSERT OR IGNORE INTO names VALUES(?, ?)")
      .bindBlob(1, root)
      .bindBlob(2, named)
      .run();
}

void Store::removeName(std::string_view root, std::string_view named) {
  db_.statement("DELETE FROM names WHERE root = ? AND named = ?")
      .bindBlob(1, root)
      .bindBlob(2, named)
      .run();
}

void Store::addReturning(std::int64_t leaf, std::string_view root, std::int64_t feedEntry) {
  db_.statement("INSERT OR REPLACE INTO returning_roots VALUES(?, ?, ?)")
      .bind(1, leaf)
      .bindBlob(2, root)
      .bind(3, feedEntry)
      .run();
}

bool Store::isReturning(std::int64_t leaf, std::string_view root) {
  return db_
      .statement(
          "SELECT 1 FROM returning_roots r JOIN feed f ON f.entry = r.entry "
          "WHERE r.leaf = ? AND r.root = ?")
      .bind(1, leaf)
      .bindBlob(2, root)
      .step();
}

std::vector<std::string> Store::namedBy(std::string_view root) {
  Statement statement = db_.statement("SELECT named FROM names WHERE root = ?");
  statement.bindBlob(1, root);
  std::vector<std::string> roots;
  while (statement.step()) roots.push_back(statement.text(0));
  return roots;
}

bool Store::isNamedInScope(std::int64_t leaf, std::string_view named, std::string_view except) {
  return db_
      .statement(
          "SELECT 1 FROM names n JOIN scopes s ON s.root = n.root AND s.leaf = ? "
          "WHERE n.named = ? AND n.root <> ? LIMIT 1")
      .bind(1, leaf)
      .bindBlob(2, named)
      .bindBlob(3, except)
      .step();
}

}  // namespace waystation::storage

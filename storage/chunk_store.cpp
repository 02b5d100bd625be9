#include "storage/chunk_store.h"

#include <algorithm>

#include "crypto/hash.h"
#include "storage/store_schema.h"

namespace waystation::storage {

const std::vector<std::string>& chunkMigrations() {
  static const std::vector<std::string> migrations = {R"sql(
CREATE TABLE files(
  row INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, size INTEGER NOT NULL, whole INTEGER NOT NULL,
  wanted INTEGER NOT NULL); -- places whose chunk is not there
CREATE TABLE chunks(row INTEGER PRIMARY KEY, hash BLOB NOT NULL UNIQUE, bytes BLOB NOT NULL);
CREATE TABLE file_chunks(
  file INTEGER NOT NULL REFERENCES files(row), place INTEGER NOT NULL, hash BLOB NOT NULL,
  PRIMARY KEY(file, place)) WITHOUT ROWID;
CREATE INDEX files_to_prove ON files(row) WHERE wanted = 0 AND whole = 0;
CREATE INDEX file_chunks_by_hash ON file_chunks(hash);
CREATE TABLE names(
  file INTEGER NOT NULL REFERENCES files(row), name BLOB NOT NULL, PRIMARY KEY(file, name))
  WITHOUT ROWID;
)sql",
                                                      // What came under which name, and where it
                                                      // has to go (storage/file_deliveries.h).
                                                      R"sql(
CREATE TABLE deliveries(
  name BLOB PRIMARY KEY, file INTEGER NOT NULL, given BLOB NOT NULL, lacking INTEGER NOT NULL,
  rank INTEGER NOT NULL, at_hub INTEGER NOT NULL DEFAULT 0, hub_lacks BLOB,
  patience INTEGER NOT NULL DEFAULT 0, asked INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE INDEX deliveries_for_hub ON deliveries(patience, rank, file)
  WHERE lacking = 0 AND at_hub = 0 AND rank >= 0;
CREATE INDEX deliveries_asked ON deliveries(rank, file) WHERE asked = 1 AND lacking > 0;
CREATE TABLE uploads(
  id BLOB PRIMARY KEY, root BLOB NOT NULL, details TEXT NOT NULL, begun_ms INTEGER NOT NULL)
  WITHOUT ROWID;
CREATE TRIGGER name_gone AFTER DELETE ON names BEGIN
  DELETE FROM deliveries WHERE name = old.name AND file = old.file;
END;
)sql"};
  return migrations;
}

namespace {

std::string hashOf(std::string_view bytes) {
  return std::string(crypto::view(crypto::sha256(bytes)));
}

std::uint64_t chunkCount(std::uint64_t size) {
  return (size + kChunkSize - 1) / kChunkSize;
}

[[noreturn]] void throwUnknown() {
  throw Failure("file.unknown", "There is no such file here. Nothing was changed.");
}

void checkShape(const FileManifest& manifest) {
  const bool hashesFit =
      manifest.id.size() == crypto::kSha256Size &&
      std::all_of(manifest.chunks.begin(), manifest.chunks.end(),
                  [](const std::string& hash) { return hash.size() == crypto::kSha256Size; });
  if (!hashesFit || manifest.size > kMostFileSize ||
      manifest.chunks.size() != chunkCount(manifest.size)) {
    throw Failure("file.manifest-malformed",
                  "The description of the file contradicts itself, or the file is larger than "
                  "1 GiB. Nothing was changed.");
  }
}

}  // namespace

struct ManifestBuilder::State {
  FileManifest manifest;
  crypto::Sha256 whole;
  crypto::Sha256 chunk;
  std::size_t inChunk = 0;

  void endChunk() {
    manifest.chunks.emplace_back(crypto::view(chunk.finish()));
    inChunk = 0;
  }
};

ManifestBuilder::ManifestBuilder() : state_(std::make_unique<State>()) {}
ManifestBuilder::~ManifestBuilder() = default;

void ManifestBuilder::add(std::string_view piece) {
  state_->whole.update(piece);
  state_->manifest.size += piece.size();
  while (!piece.empty()) {
    const std::string_view part = piece.substr(0, kChunkSize - state_->inChunk);
    state_->chunk.update(part);
    state_->inChunk += part.size();
    piece.remove_prefix(part.size());
    if (state_->inChunk == kChunkSize) state_->endChunk();
  }
}

FileManifest ManifestBuilder::finish() {
  if (state_->inChunk != 0) state_->endChunk();
  state_->manifest.id = crypto::view(state_->whole.finish());
  return std::move(state_->manifest);
}

void ChunkStore::createTables(Database& database) {
  migrate(database, chunkMigrations());
}

std::optional<std::int64_t> ChunkStore::rowOf(std::string_view id) {
  Statement query = db_.statement("SELECT row FROM files WHERE id = ?");
  query.bindBlob(1, id);
  if (!query.step()) return std::nullopt;
  return query.integer(0);
}

FileOutcome ChunkStore::putManifest(const FileManifest& manifest, std::string_view name) {
  checkShape(manifest);
  std::optional<std::int64_t> row = rowOf(manifest.id);
  if (row) {
    const std::optional<FileManifest> known = this->manifest(manifest.id);
    if (known->size != manifest.size || known->chunks != manifest.chunks) {
      throw Failure("file.manifest-malformed",
                    "The file is known here with another description. Nothing was changed.");
    }
  } else {
    db_.statement("INSERT INTO files(id, size, whole, wanted) VALUES (?, ?, 0, 0)")
        .bindBlob(1, manifest.id)
        .bind(2, static_cast<std::int64_t>(manifest.size))
        .run();
    row = db_.lastInsertRowId();
    std::int64_t place = 0;
    for (const std::string& hash : manifest.chunks) {
      db_.statement("INSERT INTO file_chunks(file, place, hash) VALUES (?, ?, ?)")
          .bind(1, *row)
          .bind(2, place++)
          .bindBlob(3, hash)
          .run();
    }
    db_.statement(
           "UPDATE files SET wanted = (SELECT count(*) FROM file_chunks WHERE file = ?1 AND NOT "
           "EXISTS(SELECT 1 FROM chunks WHERE chunks.hash = file_chunks.hash)) WHERE row = ?1")
        .bind(1, *row)
        .run();
  }
  db_.statement("INSERT OR IGNORE INTO names(file, name) VALUES (?, ?)")
      .bind(1, *row)
      .bindBlob(2, name)
      .run();
  completeFiles();
  return outcomeOf(manifest.id);
}

std::optional<FileManifest> ChunkStore::manifest(std::string_view id) {
  Statement file = db_.statement("SELECT row, size FROM files WHERE id = ?");
  file.bindBlob(1, id);
  if (!file.step()) return std::nullopt;
  FileManifest manifest;
  manifest.id = id;
  manifest.size = static_cast<std::uint64_t>(file.integer(1));
  Statement chunks = db_.statement("SELECT hash FROM file_chunks WHERE file = ? ORDER BY place");
  chunks.bind(1, file.integer(0));
  while (chunks.step()) manifest.chunks.push_back(chunks.text(0));
  return manifest;
}

FileOutcome ChunkStore::putChunk(std::string_view id, std::uint32_t index, std::string_view bytes) {
  const std::optional<std::int64_t> row = rowOf(id);
  if (!row) throwUnknown();
  std::string hash;
  {
    Statement query = db_.statement(
        "SELECT hash, size, (SELECT max(place) FROM file_chunks WHERE file = row) "
        "FROM files JOIN file_chunks ON file = row WHERE row = ? AND place = ?");
    query.bind(1, *row).bind(2, index);
    if (!query.step()) {
      throw Failure("file.no-such-chunk", "The file has no such part. Nothing was changed.");
    }
    hash = query.view(0);
    // Of the size too: a chunk of another size would move those behind it.
    const auto size = static_cast<std::uint64_t>(query.integer(1));
    const bool isLast = index == query.integer(2);
    const std::uint64_t wanted = isLast ? size - std::uint64_t{index} * kChunkSize : kChunkSize;
    if (bytes.size() != wanted || hashOf(bytes) != hash) return FileOutcome::kWrongBytes;
  }
  db_.statement("INSERT OR IGNORE INTO chunks(hash, bytes) VALUES (?, ?)")
      .bindBlob(1, hash)
      .bindBlob(2, bytes)
      .run();
  if (db_.changedRows() == 0) return outcomeOf(id);
  db_.statement(
         "UPDATE files SET wanted = wanted - (SELECT count(*) FROM file_chunks WHERE file = row "
         "AND hash = ?1) WHERE row IN (SELECT file FROM file_chunks WHERE hash = ?1)")
      .bindBlob(1, hash)
      .run();
  completeFiles();
  return outcomeOf(id);
}

FileOutcome ChunkStore::outcomeOf(std::string_view id) {
  if (!rowOf(id)) return FileOutcome::kFalseManifest;
  return isWhole(id) ? FileOutcome::kWhole : FileOutcome::kIncomplete;
}

// Files whose last chunk came; it may have come for another file.
void ChunkStore::completeFiles() {
  std::vector<std::int64_t> rows;
  {
    Statement query = db_.statement("SELECT row FROM files WHERE wanted = 0 AND whole = 0");
    while (query.step()) rows.push_back(query.integer(0));
  }
  for (const std::int64_t row : rows) {
    if (isTrue(row)) {
      db_.statement("UPDATE files SET whole = 1 WHERE row = ?").bind(1, row).run();
    } else {
      removeFile(row);
    }
  }
}

// Proves the whole. A manifest can name true chunks and still lie about the file they make.
bool ChunkStore::isTrue(std::int64_t row) {
  crypto::Sha256 hash;
  std::int64_t size = 0;
  Statement chunks = db_.statement(
      "SELECT bytes FROM file_chunks JOIN chunks USING(hash) WHERE file = ? ORDER BY place");
  chunks.bind(1, row);
  while (chunks.step()) {
    hash.update(chunks.view(0));
    size += static_cast<std::int64_t>(chunks.view(0).size());
  }
  Statement file = db_.statement("SELECT id, size FROM files WHERE row = ?");
  file.bind(1, row);
  return file.step() && crypto::view(hash.finish()) == file.view(0) && size == file.integer(1);
}

std::string ChunkStore::bitmap(std::string_view id) {
  const std::optional<std::int64_t> row = rowOf(id);
  if (!row) return {};
  Statement query = db_.statement(
      "SELECT place, EXISTS(SELECT 1 FROM chunks WHERE chunks.hash = file_chunks.hash) "
      "FROM file_chunks WHERE file = ? ORDER BY place");
  query.bind(1, *row);
  std::string bits;
  while (query.step()) {
    const auto place = static_cast<std::size_t>(query.integer(0));
    if (place % 8 == 0) bits.push_back('\0');
    if (query.integer(1) != 0) bits.back() = static_cast<char>(bits.back() | 1 << place % 8);
  }
  return bits;
}

std::vector<std::uint32_t> ChunkStore::missing(std::string_view id, int limit) {
  Statement query = db_.statement(
      "SELECT place FROM files JOIN file_chunks ON file = row "
      "WHERE id = ? AND NOT EXISTS(SELECT 1 FROM chunks WHERE chunks.hash = file_chunks.hash) "
      "ORDER BY place LIMIT ?");
  query.bindBlob(1, id).bind(2, limit);
  std::vector<std::uint32_t> places;
  while (query.step()) places.push_back(static_cast<std::uint32_t>(query.integer(0)));
  return places;
}

bool ChunkStore::isWhole(std::string_view id) {
  Statement query = db_.statement("SELECT whole FROM files WHERE id = ?");
  query.bindBlob(1, id);
  return query.step() && query.integer(0) != 0;
}

std::string ChunkStore::read(std::string_view id, std::uint64_t offset, std::size_t size) {
  const std::optional<std::int64_t> row = rowOf(id);
  if (!row) throwUnknown();
  if (!isWhole(id)) {
    throw Failure("file.incomplete",
                  "Not all of the file is here yet. What is here is kept; try again later.");
  }
  std::string result;
  Statement query = db_.statement(
      "SELECT bytes FROM file_chunks JOIN chunks USING(hash) WHERE file = ? AND place >= ? "
      "ORDER BY place");
  query.bind(1, *row).bind(2, static_cast<std::int64_t>(offset / kChunkSize));
  std::size_t skip = offset % kChunkSize;
  while (result.size() < size && query.step()) {
    const std::string_view bytes = query.view(0);
    if (skip < bytes.size()) result += bytes.substr(skip, size - result.size());
    skip = 0;
  }
  return result;
}

std::vector<std::string> ChunkStore::namesOf(std::string_view id) {
  Statement query =
      db_.statement("SELECT name FROM names JOIN files ON file = row WHERE id = ? ORDER BY name");
  query.bindBlob(1, id);
  std::vector<std::string> names;
  while (query.step()) names.push_back(query.text(0));
  return names;
}

bool ChunkStore::removeName(std::string_view id, std::string_view name) {
  const std::optional<std::int64_t> row = rowOf(id);
  if (!row) return false;
  db_.statement("DELETE FROM names WHERE file = ? AND name = ?")
      .bind(1, *row)
      .bindBlob(2, name)
      .run();
  if (!namesOf(id).empty()) return false;
  removeFile(*row);
  return true;
}

std::int64_t ChunkStore::retainNames(
    const std::function<bool(std::string_view id, std::string_view name)>& isKept) {
  std::vector<std::pair<std::string, std::string>> gone;
  {
    Statement query = db_.statement("SELECT id, name FROM names JOIN files ON file = row");
    while (query.step()) {
      if (!isKept(query.view(0), query.view(1))) gone.emplace_back(query.text(0), query.text(1));
    }
  }
  std::int64_t files = 0;
  for (const auto& [id, name] : gone) {
    if (removeName(id, name)) ++files;
  }
  return files;
}

void ChunkStore::removeFile(std::int64_t row) {
  // Nothing of what is removed is to be found in the database's free pages.
  db_.execute("PRAGMA secure_delete = ON");
  db_.statement("DELETE FROM names WHERE file = ?").bind(1, row).run();
  db_.statement(
         "DELETE FROM chunks WHERE hash IN (SELECT hash FROM file_chunks WHERE file = ?1) AND NOT "
         "EXISTS(SELECT 1 FROM file_chunks WHERE file_chunks.hash = chunks.hash AND file <> ?1)")
      .bind(1, row)
      .run();
  db_.statement("DELETE FROM file_chunks WHERE file = ?").bind(1, row).run();
  db_.statement("DELETE FROM files WHERE row = ?").bind(1, row).run();
}

std::vector<std::string> ChunkStore::findDamage(const std::function<void()>& tick) {
  std::vector<std::string> damage;
  {
    Statement chunks = db_.statement(
        "SELECT hash, bytes, EXISTS(SELECT 1 FROM file_chunks WHERE file_chunks.hash = "
        "chunks.hash) FROM chunks");
    while (chunks.step()) {
      const std::string name = "The part " + crypto::toHex(chunks.view(0)) + " of attachments ";
      if (hashOf(chunks.view(1)) != chunks.view(0)) damage.push_back(name + "has other bytes.");
      if (chunks.integer(2) == 0) damage.push_back(name + "belongs to no file.");
      tick();
    }
  }
  std::vector<std::int64_t> rows;
  {
    Statement files = db_.statement("SELECT row FROM files");
    while (files.step()) rows.push_back(files.integer(0));
  }
  for (const std::int64_t row : rows) {
    std::string found = damageOf(row);
    if (!found.empty()) damage.push_back(std::move(found));
    tick();
  }
  return damage;
}

std::string ChunkStore::damageOf(std::int64_t row) {
  Statement file = db_.statement(
      "SELECT id, whole, wanted, (SELECT count(*) FROM file_chunks WHERE file = row AND NOT "
      "EXISTS(SELECT 1 FROM chunks WHERE chunks.hash = file_chunks.hash)), "
      "EXISTS(SELECT 1 FROM names WHERE file = row) FROM files WHERE row = ?");
  file.bind(1, row);
  file.step();
  const std::string name = "The attachment " + crypto::toHex(file.view(0)) + " ";
  const bool isWhole = file.integer(1) != 0;
  if (isWhole && !isTrue(row)) return name + "is not what it is noted as.";
  if (file.integer(2) != file.integer(3) || isWhole != (file.integer(2) == 0)) {
    return name + "does not agree with the parts that are there.";
  }
  if (file.integer(4) == 0) return name + "belongs to nothing.";
  return {};
}

std::int64_t ChunkStore::countFiles() {
  Statement query = db_.statement("SELECT count(*) FROM files");
  query.step();
  return query.integer(0);
}

std::int64_t ChunkStore::countChunks() {
  Statement query = db_.statement("SELECT count(*) FROM chunks");
  query.step();
  return query.integer(0);
}

}  // namespace waystation::storage

#include "storage/file_deliveries.h"

#include <algorithm>

#include "crypto/hash.h"

namespace waystation::storage {
namespace {

// Sets of places are kept as bits, the first in the lowest bit of the first byte.
std::string noBits(std::size_t places) {
  return std::string((places + 7) / 8, '\0');
}

bool hasBit(std::string_view bits, std::size_t place) {
  return (static_cast<unsigned char>(bits[place / 8]) >> place % 8 & 1U) != 0;
}

void setBit(std::string& bits, std::size_t place) {
  bits[place / 8] =
      static_cast<char>(static_cast<unsigned char>(bits[place / 8]) | 1U << place % 8);
}

[[noreturn]] void throwUnknown() {
  throw Failure("file.unknown", "There is no such file here. Nothing was changed.");
}

std::size_t placesOf(std::uint64_t size) {
  return static_cast<std::size_t>((size + kChunkSize - 1) / kChunkSize);
}

}  // namespace

void FileDeliveries::expect(const FileManifest& manifest, std::string_view name, int rank) {
  if (find(name)) return;
  const std::optional<FileManifest> known = chunks_.manifest(manifest.id);
  const bool isAnother =
      known && (known->size != manifest.size || known->chunks != manifest.chunks);
  if (isAnother && !chunks_.isWhole(manifest.id)) {
    for (const std::string& other : chunks_.namesOf(manifest.id)) {
      chunks_.removeName(manifest.id, other);
    }
  }
  chunks_.putManifest(manifest, name);
  db_.statement(
         "INSERT INTO deliveries(name, file, given, lacking, rank) "
         "VALUES(?, (SELECT row FROM files WHERE id = ?), ?, ?, ?)")
      .bindBlob(1, name)
      .bindBlob(2, manifest.id)
      .bindBlob(3, noBits(manifest.chunks.size()))
      .bind(4, static_cast<std::int64_t>(manifest.chunks.size()))
      .bind(5, rank)
      .run();
}

std::optional<FileDelivery> FileDeliveries::find(std::string_view name) {
  Statement query = db_.statement(
      "SELECT id, size, lacking, whole, asked, at_hub FROM deliveries JOIN files ON row = file "
      "WHERE name = ?");
  if (!query.bindBlob(1, name).step()) return std::nullopt;
  FileDelivery delivery;
  delivery.file = query.text(0);
  delivery.size = static_cast<std::uint64_t>(query.integer(1));
  delivery.places = placesOf(delivery.size);
  delivery.lacking = static_cast<std::size_t>(query.integer(2));
  delivery.isWhole = delivery.lacking == 0 && query.integer(3) != 0;
  delivery.isAsked = query.integer(4) != 0;
  delivery.isAtHub = query.integer(5) != 0;
  return delivery;
}

FileOutcome FileDeliveries::take(std::string_view name, std::uint32_t place,
                                 std::string_view bytes) {
  const std::optional<FileDelivery> delivery = find(name);
  if (!delivery) throwUnknown();
  const FileOutcome outcome = chunks_.putChunk(delivery->file, place, bytes);
  if (outcome == FileOutcome::kWrongBytes || outcome == FileOutcome::kFalseManifest) return outcome;
  std::string given;
  {
    Statement query = db_.statement("SELECT given FROM deliveries WHERE name = ?");
    query.bindBlob(1, name).step();
    given = query.text(0);
  }
  if (!hasBit(given, place)) {
    setBit(given, place);
    db_.statement("UPDATE deliveries SET given = ?, lacking = lacking - 1 WHERE name = ?")
        .bindBlob(1, given)
        .bindBlob(2, name)
        .run();
  }
  return find(name)->isWhole ? FileOutcome::kWhole : FileOutcome::kIncomplete;
}

Places FileDeliveries::lacking(std::string_view name) {
  const std::optional<FileDelivery> delivery = find(name);
  if (!delivery) throwUnknown();
  Statement query = db_.statement("SELECT given FROM deliveries WHERE name = ?");
  query.bindBlob(1, name).step();
  Places places;
  for (std::uint32_t place = 0; place < delivery->places; ++place) {
    if (!hasBit(query.view(0), place)) places.push_back(place);
  }
  return places;
}

std::string FileDeliveries::read(std::string_view name, std::uint64_t offset, std::size_t size) {
  const std::optional<FileDelivery> delivery = find(name);
  if (!delivery) throwUnknown();
  if (!delivery->isWhole) {
    throw Failure("file.incomplete",
                  "Not all of the file is here yet. What is here is kept; try again later.");
  }
  return chunks_.read(delivery->file, offset, size);
}

void FileDeliveries::rename(std::string_view from, std::string_view to, int rank) {
  if (!find(from) || find(to)) throwUnknown();
  db_.statement("UPDATE names SET name = ?2 WHERE name = ?1")
      .bindBlob(1, from)
      .bindBlob(2, to)
      .run();
  db_.statement("UPDATE deliveries SET name = ?2, rank = ?3 WHERE name = ?1")
      .bindBlob(1, from)
      .bindBlob(2, to)
      .bind(3, rank)
      .run();
}

void FileDeliveries::drop(std::string_view name) {
  if (const std::optional<FileDelivery> delivery = find(name)) {
    chunks_.removeName(delivery->file, name);
  }
}

std::vector<std::string> FileDeliveries::names(const char* sql, int limit) {
  Statement query = db_.statement(sql);
  query.bind(1, limit);
  std::vector<std::string> found;
  while (query.step()) found.push_back(query.text(0));
  return found;
}

std::vector<std::string> FileDeliveries::forHub(int limit) {
  return names(
      "SELECT name FROM deliveries WHERE lacking = 0 AND at_hub = 0 AND rank >= 0 "
      "ORDER BY patience, rank, file LIMIT ?",
      limit);
}

std::int64_t FileDeliveries::countForHub() {
  Statement query = db_.statement(
      "SELECT count(*) FROM deliveries WHERE lacking = 0 AND at_hub = 0 AND rank >= 0");
  query.step();
  return query.integer(0);
}

bool FileDeliveries::isForHub(std::string_view beginning) {
  Statement query = db_.statement(
      "SELECT 1 FROM deliveries WHERE lacking = 0 AND at_hub = 0 AND rank >= 0 "
      "AND substr(name, 1, ?) = ? LIMIT 1");
  return query.bind(1, static_cast<std::int64_t>(beginning.size())).bindBlob(2, beginning).step();
}

void FileDeliveries::setHubLacks(std::string_view name, const Places& places) {
  const std::optional<FileDelivery> delivery = find(name);
  if (!delivery) return;
  std::string bits = noBits(delivery->places);
  for (const std::uint32_t place : places) {
    if (place < delivery->places) setBit(bits, place);
  }
  db_.statement("UPDATE deliveries SET hub_lacks = ?, at_hub = ?, patience = 0 WHERE name = ?")
      .bindBlob(1, bits)
      .bind(2, places.empty() ? 1 : 0)
      .bindBlob(3, name)
      .run();
}

std::optional<Places> FileDeliveries::hubLacks(std::string_view name) {
  Statement query =
      db_.statement("SELECT hub_lacks FROM deliveries WHERE name = ? AND hub_lacks IS NOT NULL");
  if (!query.bindBlob(1, name).step()) return std::nullopt;
  const std::string_view bits = query.view(0);
  Places places;
  for (std::uint32_t place = 0; place < bits.size() * 8; ++place) {
    if (hasBit(bits, place)) places.push_back(place);
  }
  return places;
}

void FileDeliveries::notePassedOver(std::string_view name) {
  db_.statement("UPDATE deliveries SET patience = patience + 1, hub_lacks = NULL WHERE name = ?")
      .bindBlob(1, name)
      .run();
}

void FileDeliveries::forgetHub() {
  db_.execute("UPDATE deliveries SET at_hub = 0, hub_lacks = NULL, patience = 0 WHERE rank >= 0");
}

void FileDeliveries::ask(std::string_view name) {
  db_.statement("UPDATE deliveries SET asked = 1 WHERE name = ?").bindBlob(1, name).run();
}

std::vector<std::string> FileDeliveries::asked(int limit) {
  return names(
      "SELECT name FROM deliveries WHERE asked = 1 AND lacking > 0 ORDER BY rank, file LIMIT ?",
      limit);
}

std::string FileDeliveries::uploadName(std::string_view upload, char which) {
  return "upload:" + std::string(upload) + which;
}

void FileDeliveries::putUpload(const UploadRow& row) {
  db_.statement("INSERT OR REPLACE INTO uploads(id, root, details, begun_ms) VALUES(?, ?, ?, ?)")
      .bindBlob(1, row.id)
      .bindBlob(2, row.root)
      .bindText(3, row.details)
      .bind(4, row.begunMs)
      .run();
}

std::optional<UploadRow> FileDeliveries::upload(std::string_view id) {
  Statement query = db_.statement("SELECT id, root, details, begun_ms FROM uploads WHERE id = ?");
  if (!query.bindBlob(1, id).step()) return std::nullopt;
  return UploadRow{query.text(0), query.text(1), query.text(2), query.integer(3)};
}

std::vector<UploadRow> FileDeliveries::uploads() {
  Statement query = db_.statement("SELECT id, root, details, begun_ms FROM uploads ORDER BY id");
  std::vector<UploadRow> rows;
  while (query.step()) {
    rows.push_back({query.text(0), query.text(1), query.text(2), query.integer(3)});
  }
  return rows;
}

void FileDeliveries::removeUpload(std::string_view id) {
  const std::string beginning = uploadName(id, '\0');
  std::vector<std::string> left;
  {
    Statement query = db_.statement(
        "SELECT name FROM deliveries WHERE substr(name, 1, ?) = ? AND length(name) = ? + 1");
    const auto size = static_cast<std::int64_t>(beginning.size() - 1);
    query.bind(1, size).bindBlob(2, std::string_view(beginning).substr(0, beginning.size() - 1));
    query.bind(3, size);
    while (query.step()) left.push_back(query.text(0));
  }
  for (const std::string& name : left) drop(name);
  db_.statement("DELETE FROM uploads WHERE id = ?").bindBlob(1, id).run();
}

std::vector<std::string> FileDeliveries::findDamage() {
  std::vector<std::string> damage;
  Statement query = db_.statement(
      "SELECT id, size, given, lacking, EXISTS(SELECT 1 FROM names WHERE names.file = files.row "
      "AND "
      "names.name = deliveries.name) FROM deliveries JOIN files ON row = file");
  while (query.step()) {
    const std::size_t places = placesOf(static_cast<std::uint64_t>(query.integer(1)));
    const std::string_view given = query.view(2);
    std::size_t here = 0;
    for (std::size_t place = 0; place < std::min(places, given.size() * 8); ++place) {
      if (hasBit(given, place)) ++here;
    }
    const bool isSound = given.size() == noBits(places).size() && query.integer(4) != 0 &&
                         query.integer(3) == static_cast<std::int64_t>(places - here);
    if (!isSound) {
      damage.push_back("What is noted of how the attachment " + crypto::toHex(query.view(0)) +
                       " came does not agree with itself.");
    }
  }
  return damage;
}

}  // namespace waystation::storage

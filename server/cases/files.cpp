#include "server/cases/files.h"

#include <algorithm>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "server/cases/record_view.h"
#include "server/http/json.h"
#include "sync/file_exchange.h"

namespace waystation::cases {
namespace {

using storage::FileDeliveries;
using storage::FileManifest;
using sync::FilePart;

constexpr int kMostListed = 200;

sync::RecordId recordNamed(std::string_view uuid) {
  const std::optional<sync::RecordId> id = sync::RecordId::fromUuid(uuid);
  if (!id) throw Failure("record.not-found", "There is no such record here.");
  return *id;
}

std::string textIn(const sync::Record& record, std::string_view field) {
  const Json value = Json::parse(record.value(field), nullptr, false);
  return value.is_string() ? value.get<std::string>() : std::string();
}

sync::Record recordOf(const storage::RecordRow& row) {
  return sync::decodeState(sync::RecordId::fromBytes(row.id), row.state);
}

// Where the bytes of one part are: here, of so many places; at headquarters; asked for.
Json standingOf(FileDeliveries& deliveries, const sync::FileName& name, bool isHub,
                const FileManifest& manifest) {
  const std::optional<storage::FileDelivery> delivery = deliveries.find(storedName(name));
  const bool isHere = delivery && delivery->isWhole;
  // What did not come by an upload came by the record, from headquarters.
  const bool isAtHub = isHub ? isHere : !isHere || delivery->isAtHub;
  std::size_t sent = 0;
  if (isHere && !isHub) {
    const std::optional<storage::Places> lacks = deliveries.hubLacks(storedName(name));
    sent = delivery->isAtHub ? delivery->places : (lacks ? delivery->places - lacks->size() : 0);
  }
  return {{"here", isHere},
          {"atHq", isAtHub},
          {"asked", delivery && delivery->isAsked && !isHere},
          {"chunks", manifest.chunks.size()},
          {"chunksHere", delivery ? delivery->places - delivery->lacking : 0},
          {"chunksSent", sent}};
}

Json describe(FileDeliveries& deliveries, const sync::Record& record, bool isHub, bool isMasked) {
  const std::optional<FileManifest> content = sync::manifestOf(record, FilePart::kContent);
  if (!content) return nullptr;
  const sync::Sibling& birth = record.field(sync::kKindField)->front();
  Json file = standingOf(deliveries, {record.id, FilePart::kContent}, isHub, *content);
  file["id"] = record.id.uuid();
  file["size"] = content->size;
  file["by"] = personOf(birth.author);
  file["office"] = sync::officeOf(birth.author);
  file["at"] = sync::formatTime(sync::physicalMs(birth.time));
  if (isMasked) {
    file["masked"] = {"name", "sha256", "thumbnail", "type"};
    return file;
  }
  file["name"] = textIn(record, "name");
  file["type"] = textIn(record, "type");
  file["sha256"] = textIn(record, "sha256");
  file["tag"] = sync::encodeTag(record);
  const std::optional<FileManifest> small = sync::manifestOf(record, FilePart::kThumbnail);
  file["thumbnail"] =
      small ? standingOf(deliveries, {record.id, FilePart::kThumbnail}, isHub, *small) : Json();
  return file;
}

// Uploads of the root that were begun and not finished: whoever has the same file can go on.
Json unfinishedOf(FileDeliveries& deliveries, const std::string& root) {
  Json unfinished = Json::array();
  for (const storage::UploadRow& upload : deliveries.uploads()) {
    const auto delivery = deliveries.find(FileDeliveries::uploadName(upload.id, '\0'));
    if (upload.root != root || !delivery) continue;
    unfinished.push_back({{"upload", crypto::toHex(upload.id)},
                          {"name", Json::parse(upload.details).at("name")},
                          {"size", delivery->size},
                          {"begun", sync::formatTime(upload.begunMs)},
                          {"chunks", delivery->places},
                          {"chunksHere", delivery->places - delivery->lacking}});
  }
  return unfinished;
}

}  // namespace

Json listFiles(server::Node& node, std::string_view root, bool isMasked) {
  storage::RecordQuery query;
  query.kind = sync::kFileKind;
  query.root = recordNamed(root).bytes();
  query.limit = kMostListed;
  const std::vector<storage::RecordRow> rows =
      node.read([&](storage::Store& store) { return store.find(query); });
  const storage::Connections::Lease reader = node.attachments().reader();
  FileDeliveries deliveries(*reader);
  Json files = Json::array();
  for (const storage::RecordRow& row : rows) {
    Json file = describe(deliveries, recordOf(row), node.isHeadquarters(), isMasked);
    if (!file.is_null()) files.push_back(std::move(file));
  }
  Json unfinished = isMasked ? Json::array() : unfinishedOf(deliveries, query.root);
  return {{"files", std::move(files)}, {"unfinished", std::move(unfinished)}};
}

std::int64_t countFilesForHub(server::Node& node) {
  if (node.isHeadquarters()) return 0;
  const storage::Connections::Lease reader = node.attachments().reader();
  return FileDeliveries(*reader).countForHub();
}

HeldFile openFile(server::Node& node, std::string_view uuid, FilePart part) {
  const sync::RecordId id = recordNamed(uuid);
  const std::optional<storage::RecordRow> row =
      node.read([&](storage::Store& store) { return store.record(id.bytes()); });
  if (!row) throw Failure("record.not-found", "There is no such record here.");
  const sync::Record record = recordOf(*row);
  const std::optional<FileManifest> manifest = sync::manifestOf(record, part);
  if (!manifest) throw Failure("file.not-found", "This record has no such file.");
  HeldFile file{textIn(record, "name"), crypto::toHex(manifest->id), manifest->size, {id, part}};
  bool isAsked = false;
  {
    const storage::Connections::Lease reader = node.attachments().reader();
    const auto delivery = FileDeliveries(*reader).find(storedName(file.stored));
    if (delivery && delivery->isWhole) return file;
    isAsked = delivery && delivery->isAsked;
  }
  if (node.isHeadquarters()) {
    throw Failure("file.not-here",
                  "The file is still on its way from the office where it was added. Its record is "
                  "here; try again later.");
  }
  if (!isAsked) {
    sync::askForFile(node.replica(), file.stored, *manifest);
    node.tellHub();
  }
  throw Failure("file.not-here",
                "The file is at headquarters. It has been asked for, and comes over the link; try "
                "again later.");
}

std::string readFile(server::Node& node, const HeldFile& file, std::uint64_t offset,
                     std::size_t size) {
  const storage::Connections::Lease reader = node.attachments().reader();
  return FileDeliveries(*reader).read(storedName(file.stored), offset, size);
}

}  // namespace waystation::cases

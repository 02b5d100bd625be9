// Uploads: drafts of files, until all of one is here.

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "server/cases/files.h"
#include "server/cases/text_check.h"
#include "server/http/json.h"

namespace waystation::cases {
namespace {

using storage::FileDeliveries;
using storage::FileManifest;
using sync::FilePart;

constexpr std::size_t kMostNameCharacters = 200;
constexpr std::size_t kMostTypeBytes = 100;
constexpr std::size_t kMostUploads = 200;
constexpr std::size_t kIdBytes = 16;
constexpr std::int64_t kForgottenAfterMs = std::int64_t{7} * 86'400'000;
constexpr int kAll = 10'000;
constexpr char kContentMark = '\0';
constexpr char kThumbnailMark = '\1';
constexpr std::string_view kJpegBegins = "\xff\xd8\xff";

Failure malformed(const std::string& what) {
  return {"file.request-malformed", "The upload can't begin: " + what + ". Nothing was kept."};
}

std::string textIn(const Json& request, const char* name) {
  const auto at = request.find(name);
  if (at == request.end() || !at->is_string()) {
    throw malformed(std::string("it does not say '") + name + "'");
  }
  return at->get<std::string>();
}

// Empty where it is no hexadecimal.
std::string bytesOf(const std::string& hex) {
  try {
    return crypto::fromHex(hex);
  } catch (const Failure&) {
    return {};
  }
}

std::string hashOf(const std::string& hex) {
  std::string hash = bytesOf(hex);
  if (hash.size() != crypto::kSha256Size) throw malformed("a SHA-256 is 64 hexadecimal digits");
  return hash;
}

// Marks that turn the direction of text make one kind of file look like another.
bool turnsText(const std::string& name) {
  constexpr std::array<std::string_view, 9> kMarks = {
      "\u202a", "\u202b", "\u202c", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069"};
  return std::any_of(kMarks.begin(), kMarks.end(),
                     [&](std::string_view mark) { return name.find(mark) != std::string::npos; });
}

std::string nameIn(const Json& request) {
  std::string name = textIn(request, "name");
  const TextCheck check = checkText(name, false);
  if (check.fault || check.characters == 0 || check.characters > kMostNameCharacters ||
      name.find_first_of("/\\") != std::string::npos || turnsText(name) || name == "." ||
      name == "..") {
    throw malformed(
        "a file's name has 1 to 200 characters, none of them a control or a slash, and is not "
        "dots alone");
  }
  return name;
}

// What is no media type is bytes.
std::string typeIn(const Json& request) {
  const std::string type = request.contains("type") ? textIn(request, "type") : "";
  const auto fits = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '+' || c == '-';
  };
  const std::size_t slash = type.find('/');
  const bool isType = slash != std::string::npos && slash > 0 && slash + 1 < type.size() &&
                      type.size() <= kMostTypeBytes &&
                      std::all_of(type.begin(), type.begin() + static_cast<long>(slash), fits) &&
                      std::all_of(type.begin() + static_cast<long>(slash) + 1, type.end(), fits);
  return isType ? type : "application/octet-stream";
}

FileManifest manifestIn(const Json& request) {
  FileManifest manifest;
  const auto size = request.find("size");
  if (size == request.end() || !size->is_number_unsigned()) {
    throw malformed("it does not say its 'size'");
  }
  manifest.size = size->get<std::uint64_t>();
  if (manifest.size > sync::kMostFileBytes) {
    throw Failure(
        "file.too-large",
        "A file may have 20 MiB at most. Nothing was kept; make it smaller, or split it.");
  }
  if (manifest.size == 0) throw Failure("file.empty", "The file is empty. Nothing was kept.");
  manifest.id = hashOf(textIn(request, "sha256"));
  const auto chunks = request.find("chunks");
  if (chunks == request.end() || !chunks->is_array() ||
      chunks->size() != (manifest.size + storage::kChunkSize - 1) / storage::kChunkSize) {
    throw malformed("'chunks' must hold the SHA-256 of each part of 32 KiB");
  }
  for (const Json& chunk : *chunks) {
    if (!chunk.is_string()) throw malformed("a SHA-256 is 64 hexadecimal digits");
    manifest.chunks.push_back(hashOf(chunk.get<std::string>()));
  }
  if (manifest.chunks.size() == 1 && manifest.chunks[0] != manifest.id) {
    throw malformed("its one part is not the whole");
  }
  return manifest;
}

std::string thumbnailIn(const Json& request) {
  const auto given = request.find("thumbnail");
  if (given == request.end() || given->is_null()) return {};
  try {
    std::string bytes = crypto::fromBase64Url(textIn(request, "thumbnail"));
    if (bytes.starts_with(kJpegBegins) && bytes.size() <= sync::kMostThumbnailBytes) return bytes;
  } catch (const Failure&) {
    // Said below.
  }
  throw malformed("'thumbnail' must be a JPEG of 32 KiB at most, in base64url");
}

// The same file for the same place has the same id: an upload that was cut goes on.
std::string idOf(const std::string& root, const std::string& name, const FileManifest& manifest) {
  std::string all = "upload\n" + root + name + "\n" + manifest.id;
  for (const std::string& chunk : manifest.chunks) all += chunk;
  return std::string(crypto::view(crypto::sha256(all)).substr(0, kIdBytes));
}

Failure noUpload() {
  return {"file.not-found",
          "There is no such upload here: it was finished, or nobody went on with it for a week. "
          "Begin it again."};
}

std::string idFrom(std::string_view hex) {
  std::string id = bytesOf(std::string(hex));
  if (id.size() != kIdBytes) throw noUpload();
  return id;
}

storage::UploadRow uploadNamed(server::Node& node, std::string_view hex) {
  const storage::Connections::Lease reader = node.attachments().reader();
  std::optional<storage::UploadRow> row = FileDeliveries(*reader).upload(idFrom(hex));
  if (!row) throw noUpload();
  return std::move(*row);
}

// The record of the root that names that very file.
std::optional<sync::RecordId> recordWith(storage::Store& store, const std::string& root,
                                         std::string_view name, std::string_view hash) {
  storage::RecordQuery query;
  query.kind = sync::kFileKind;
  query.root = root;
  query.limit = kAll;
  for (const storage::RecordRow& row : store.find(query)) {
    const sync::Record record = sync::decodeState(sync::RecordId::fromBytes(row.id), row.state);
    const std::optional<FileManifest> manifest = sync::manifestOf(record, FilePart::kContent);
    const bool isSame = manifest && manifest->id == hash &&
                        Json::parse(record.value("name"), nullptr, false) == Json(name);
    if (isSame) return record.id;
  }
  return std::nullopt;
}

bool isWholeHere(server::Node& node, const std::string& stored) {
  const storage::Connections::Lease reader = node.attachments().reader();
  const auto delivery = FileDeliveries(*reader).find(stored);
  return delivery && delivery->isWhole;
}

// What the upload brought is the record's from now on.
void giveTo(server::Node& node, const sync::RecordId& record, const std::string& upload) {
  const storage::Connections::Lease writer = node.attachments().writer();
  storage::Transaction transaction(*writer);
  FileDeliveries deliveries(*writer);
  for (const FilePart part : {FilePart::kThumbnail, FilePart::kContent}) {
    const char mark = part == FilePart::kContent ? kContentMark : kThumbnailMark;
    const std::string from = FileDeliveries::uploadName(upload, mark);
    const std::string to = sync::storedName({record, part});
    const std::optional<storage::FileDelivery> there = deliveries.find(to);
    if (!deliveries.find(from) || (there && there->isWhole)) continue;
    if (there) deliveries.drop(to);
    deliveries.rename(from, to, sync::rankOf(part));
  }
  deliveries.removeUpload(upload);
  transaction.commit();
}

std::optional<FileManifest> manifestOfUpload(server::Node& node, const std::string& stored) {
  const storage::Connections::Lease reader = node.attachments().reader();
  FileDeliveries deliveries(*reader);
  const std::optional<storage::FileDelivery> delivery = deliveries.find(stored);
  return delivery ? deliveries.chunks().manifest(delivery->file) : std::nullopt;
}

sync::RecordId saveRecord(server::Node& node, const std::string& person,
                          const storage::UploadRow& upload, const FileManifest& content) {
  const Json details = Json::parse(upload.details);
  const std::optional<FileManifest> thumbnail =
      manifestOfUpload(node, FileDeliveries::uploadName(upload.id, kThumbnailMark));
  return node.write([&](sync::Work& work) {
    const auto known =
        recordWith(work.store(), upload.root, details.at("name").get<std::string>(), content.id);
    if (known) return *known;
    sync::DraftEdit draft;
    draft.record = work.newRecord();
    draft.isNew = true;
    draft.kind = sync::kFileKind;
    draft.root = sync::RecordId::fromBytes(upload.root);
    draft.writes = sync::manifestWrites(content, thumbnail);
    draft.writes.push_back({"name", http::canonicalJson(details.at("name"))});
    draft.writes.push_back({"type", http::canonicalJson(details.at("type"))});
    work.save(person, {draft});
    return draft.record;
  });
}

void requireRoom(FileDeliveries& deliveries) {
  if (deliveries.uploads().size() < kMostUploads) return;
  throw Failure("file.too-many-uploads",
                "200 uploads are unfinished here. Nothing was kept; finish some of them first.");
}

}  // namespace

Json beginUpload(server::Node& node, const Json& request) {
  if (!request.is_object()) throw malformed("it is no object");
  const auto root = sync::RecordId::fromUuid(textIn(request, "root"));
  const std::string name = nameIn(request);
  const FileManifest manifest = manifestIn(request);
  const std::string thumbnail = thumbnailIn(request);
  std::optional<sync::RecordId> known;
  node.read([&](storage::Store& store) {
    if (!root || !store.root(root->bytes())) {
      throw Failure("record.not-found", "There is no such case here.");
    }
    known = recordWith(store, root->bytes(), name, manifest.id);
  });
  if (known && isWholeHere(node, sync::storedName({*known, FilePart::kContent}))) {
    return {{"record", known->uuid()}};
  }
  const std::string id = idOf(root->bytes(), name, manifest);
  const std::string stored = FileDeliveries::uploadName(id, kContentMark);
  const storage::Connections::Lease writer = node.attachments().writer();
  storage::Transaction transaction(*writer);
  FileDeliveries deliveries(*writer);
  if (!deliveries.upload(id)) {
    requireRoom(deliveries);
    const Json details = {{"name", name}, {"type", typeIn(request)}};
    deliveries.putUpload({id, root->bytes(), http::canonicalJson(details), node.clock().nowMs()});
    deliveries.expect(manifest, stored, FileDeliveries::kStays);
    if (!thumbnail.empty()) {
      storage::ManifestBuilder builder;
      builder.add(thumbnail);
      const std::string small = FileDeliveries::uploadName(id, kThumbnailMark);
      deliveries.expect(builder.finish(), small, FileDeliveries::kStays);
      deliveries.take(small, 0, thumbnail);
    }
  }
  const storage::Places missing = deliveries.lacking(stored);
  transaction.commit();
  return {{"upload", crypto::toHex(id)}, {"missing", missing}};
}

std::string rootOfUpload(server::Node& node, std::string_view upload) {
  return sync::RecordId::fromBytes(uploadNamed(node, upload).root).uuid();
}

Json putChunk(server::Node& node, std::string_view upload, std::string_view place,
              std::string_view bytes) {
  const std::string id = uploadNamed(node, upload).id;
  const std::string stored = FileDeliveries::uploadName(id, kContentMark);
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(place.data(), place.data() + place.size(), number);
  if (error != std::errc() || end != place.data() + place.size()) {
    throw Failure("file.no-such-chunk", "The file has no such part. Nothing was kept.");
  }
  const storage::Connections::Lease writer = node.attachments().writer();
  storage::Transaction transaction(*writer);
  FileDeliveries deliveries(*writer);
  if (!deliveries.find(stored)) throw noUpload();
  const storage::FileOutcome outcome = deliveries.take(stored, number, bytes);
  if (outcome == storage::FileOutcome::kWrongBytes) {
    throw Failure("file.wrong-bytes",
                  "This part is not what was announced: its SHA-256 or its size is another. It was "
                  "not kept; send it again.");
  }
  if (outcome == storage::FileOutcome::kFalseManifest) {
    deliveries.removeUpload(id);
    transaction.commit();
    throw Failure("file.wrong-bytes",
                  "All parts are there, and the whole is not what its SHA-256 says. Nothing of it "
                  "was kept; begin again.");
  }
  const std::size_t missing = deliveries.find(stored)->lacking;
  transaction.commit();
  return {{"missing", missing}};
}

Json finishUpload(server::Node& node, const std::string& person, std::string_view upload) {
  const storage::UploadRow row = uploadNamed(node, upload);
  const std::string stored = FileDeliveries::uploadName(row.id, kContentMark);
  const std::optional<FileManifest> manifest = manifestOfUpload(node, stored);
  if (!manifest || !isWholeHere(node, stored)) {
    throw Failure("file.incomplete",
                  "Not all parts of the file are here yet. What is here is kept; send the rest.");
  }
  const sync::RecordId record = saveRecord(node, person, row, *manifest);
  giveTo(node, record, row.id);
  node.tellHub();
  const std::string tag = node.read([&](storage::Store& store) {
    const auto saved = store.record(record.bytes());
    return saved ? sync::encodeTag(sync::decodeState(record, saved->state)) : std::string();
  });
  return {{"record", record.uuid()},
          {"tag", tag},
          {"durability", node.isHeadquarters() ? "hq" : "office"}};
}

void settleUploads(server::Node& node) {
  std::vector<storage::UploadRow> uploads;
  {
    const storage::Connections::Lease reader = node.attachments().reader();
    uploads = FileDeliveries(*reader).uploads();
  }
  for (const storage::UploadRow& upload : uploads) {
    const std::string stored = FileDeliveries::uploadName(upload.id, kContentMark);
    const std::optional<FileManifest> manifest = manifestOfUpload(node, stored);
    std::optional<sync::RecordId> record;
    if (manifest && isWholeHere(node, stored)) {
      const std::string name = Json::parse(upload.details).at("name").get<std::string>();
      record = node.read([&](storage::Store& store) {
        return recordWith(store, upload.root, name, manifest->id);
      });
    }
    if (record) {
      giveTo(node, *record, upload.id);
    } else if (node.clock().nowMs() - upload.begunMs > kForgottenAfterMs) {
      const storage::Connections::Lease writer = node.attachments().writer();
      storage::Transaction transaction(*writer);
      FileDeliveries(*writer).removeUpload(upload.id);
      transaction.commit();
    }
  }
}

}  // namespace waystation::cases

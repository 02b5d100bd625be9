#include "sync/file_record.h"

#include <charconv>

#include "crypto/failure.h"
#include "crypto/hash.h"

namespace waystation::sync {
namespace {

constexpr std::size_t kNameBytes = 17;
constexpr std::string_view kSize = "size";
constexpr std::string_view kHash = "sha256";
// A part of the hash: for programs, not for people.
constexpr std::string_view kChunks = "sha256/chunks";
constexpr std::string_view kThumbnailSize = "thumbnail_size";
constexpr std::string_view kThumbnailHash = "thumbnail";

std::uint64_t numberOf(const Record& record, std::string_view field) {
  const std::string_view text = record.value(field);
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

std::string hashIn(const Record& record, std::string_view field) {
  return crypto::fromHex(plainText(record.value(field)));
}

storage::FileManifest contentOf(const Record& record) {
  storage::FileManifest manifest{hashIn(record, kHash), numberOf(record, kSize), {}};
  const std::string_view listed = record.value(kChunks);
  const std::string hashes =
      listed.empty() ? manifest.id : crypto::fromBase64Url(plainText(listed));
  for (std::size_t at = 0; at < hashes.size(); at += crypto::kSha256Size) {
    manifest.chunks.push_back(hashes.substr(at, crypto::kSha256Size));
  }
  return manifest;
}

bool isPlausible(const storage::FileManifest& manifest, std::uint64_t mostBytes) {
  return manifest.id.size() == crypto::kSha256Size && manifest.size > 0 &&
         manifest.size <= mostBytes &&
         manifest.chunks.size() ==
             (manifest.size + storage::kChunkSize - 1) / storage::kChunkSize &&
         manifest.chunks.back().size() == crypto::kSha256Size;
}

}  // namespace

std::string storedName(const FileName& name) {
  return name.record.bytes() + static_cast<char>(name.part);
}

std::optional<FileName> fileNameFrom(std::string_view stored) {
  if (stored.size() != kNameBytes || static_cast<unsigned char>(stored.back()) > 1) {
    return std::nullopt;
  }
  return FileName{RecordId::fromBytes(stored.substr(0, kNameBytes - 1)),
                  static_cast<FilePart>(stored.back())};
}

int rankOf(FilePart part) {
  return part == FilePart::kThumbnail ? 0 : 1;
}

std::vector<DraftWrite> manifestWrites(const storage::FileManifest& content,
                                       const std::optional<storage::FileManifest>& thumbnail) {
  std::vector<DraftWrite> writes = {{std::string(kSize), std::to_string(content.size)},
                                    {std::string(kHash), jsonString(crypto::toHex(content.id))}};
  if (content.chunks.size() > 1) {
    std::string hashes;
    for (const std::string& hash : content.chunks) hashes += hash;
    writes.push_back({std::string(kChunks), jsonString(crypto::toBase64Url(hashes))});
  }
  if (thumbnail) {
    writes.push_back({std::string(kThumbnailHash), jsonString(crypto::toHex(thumbnail->id))});
    writes.push_back({std::string(kThumbnailSize), std::to_string(thumbnail->size)});
  }
  return writes;
}

std::optional<storage::FileManifest> manifestOf(const Record& record, FilePart part) {
  if (record.kind() != kFileKind) return std::nullopt;
  try {
    storage::FileManifest manifest;
    if (part == FilePart::kContent) {
      manifest = contentOf(record);
    } else {
      manifest = {hashIn(record, kThumbnailHash), numberOf(record, kThumbnailSize), {}};
      manifest.chunks = {manifest.id};
    }
    const bool isContent = part == FilePart::kContent;
    if (isPlausible(manifest, isContent ? kMostFileBytes : kMostThumbnailBytes)) return manifest;
  } catch (const Failure&) {
    // No hash: the record names no bytes.
  }
  return std::nullopt;
}

void dropFilesOfGone(Replica& replica, storage::Store& store) {
  if (replica.files() == nullptr) return;
  const storage::Connections::Lease writer = replica.files()->writer();
  std::int64_t gone = 0;
  {
    storage::Transaction transaction(*writer);
    storage::FileDeliveries deliveries(*writer);
    for (const storage::UploadRow& upload : deliveries.uploads()) {
      if (store.root(upload.root)) continue;
      deliveries.removeUpload(upload.id);
      ++gone;
    }
    gone += deliveries.chunks().retainNames([&](std::string_view, std::string_view name) {
      const std::optional<FileName> file = fileNameFrom(name);
      return !file || store.record(file->record.bytes());
    });
    transaction.commit();
  }
  if (gone == 0) return;
  // The log holds pages as they were; a reader in the middle of its work defers this.
  writer->statement("PRAGMA wal_checkpoint(TRUNCATE)").run();
}

}  // namespace waystation::sync

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/file_deliveries.h"
#include "sync/record.h"
#include "sync/replica.h"

namespace waystation::sync {

// A file of a case is a record of the kind "file" under the case's root (docs/spec/sync.md, section
// 19): written once, at its birth, by an ordinary change. Its bytes travel apart from it.
inline constexpr std::string_view kFileKind = "file";
inline constexpr std::uint64_t kMostFileBytes = std::uint64_t{20} << 20;
// The small picture of an image: one chunk.
inline constexpr std::uint64_t kMostThumbnailBytes = storage::kChunkSize;

enum class FilePart : std::uint8_t { kContent = 0, kThumbnail = 1 };

// What travels: the content of a record, or its thumbnail.
struct FileName {
  RecordId record;
  FilePart part = FilePart::kContent;

  auto operator<=>(const FileName&) const = default;
};
// As the name of a file in storage::FileDeliveries: 17 bytes.
std::string storedName(const FileName& name);
std::optional<FileName> fileNameFrom(std::string_view stored);
// Thumbnails go first.
int rankOf(FilePart part);

// The fields of a file record that say what its bytes are.
std::vector<DraftWrite> manifestWrites(const storage::FileManifest& content,
                                       const std::optional<storage::FileManifest>& thumbnail);
// What the record says of that part; nothing where it is no file, has no such part, or contradicts
// itself.
std::optional<storage::FileManifest> manifestOf(const Record& record, FilePart part);

// Takes the bytes away of all records that are not held any more, and leaves none of them in the
// database's file. Whoever calls it holds the writer of the records, or nothing of them.
void dropFilesOfGone(Replica& replica, storage::Store& store);

}  // namespace waystation::sync

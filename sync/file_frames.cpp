// The frames of files (docs/spec/sync.md, section 19).

#include <algorithm>

#include "crypto/failure.h"
#include "sync/byte_stream.h"
#include "sync/file_exchange.h"

namespace waystation::sync {
namespace {

constexpr std::size_t kNameBytes = 17;
constexpr std::size_t kMostFiles = 64;
constexpr std::uint32_t kMostPlaces = kMostFileBytes / storage::kChunkSize;

[[noreturn]] void malformed() {
  throw Failure("sync.malformed", "A sync message can't be read: what it says of files is broken.");
}

void writeName(const FileName& name, ByteWriter& writer) {
  writer.raw(storedName(name));
}

FileName readName(ByteReader& reader) {
  const std::optional<FileName> name = fileNameFrom(reader.raw(kNameBytes));
  if (!name) malformed();
  return *name;
}

// Runs of places: how far each begins behind the one before it, and how long it is, less one.
void writePlaces(const storage::Places& places, ByteWriter& writer) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>>
      runs;  // first, and the place behind the last
  for (const std::uint32_t place : places) {
    if (!runs.empty() && runs.back().second == place) {
      ++runs.back().second;
    } else {
      runs.emplace_back(place, place + 1);
    }
  }
  writer.varint(runs.size());
  std::uint32_t end = 0;
  for (const auto& [first, behind] : runs) {
    writer.varint(first - end);
    writer.varint(behind - first - 1);
    end = behind;
  }
}

storage::Places readPlaces(ByteReader& reader) {
  storage::Places places;
  const std::size_t runs = reader.count(2);
  std::uint64_t next = 0;
  for (std::size_t i = 0; i < runs; ++i) {
    const std::uint64_t gap = reader.varint();
    const std::uint64_t more = reader.varint();
    if (gap >= kMostPlaces || more >= kMostPlaces || next + gap + more >= kMostPlaces ||
        (i > 0 && gap == 0)) {
      malformed();
    }
    next += gap;
    for (const std::uint64_t end = next + more; next <= end; ++next) {
      places.push_back(static_cast<std::uint32_t>(next));
    }
  }
  return places;
}

void writeFiles(const std::vector<FilePlaces>& files, ByteWriter& writer) {
  writer.varint(files.size());
  for (const FilePlaces& file : files) {
    writeName(file.name, writer);
    writePlaces(file.places, writer);
  }
}

std::size_t readCount(ByteReader& reader, std::size_t each) {
  const std::size_t count = reader.count(each);
  if (count > kMostFiles) malformed();
  return count;
}

std::vector<FilePlaces> readFiles(ByteReader& reader) {
  std::vector<FilePlaces> files(readCount(reader, kNameBytes + 1));
  for (FilePlaces& file : files) {
    file.name = readName(reader);
    file.places = readPlaces(reader);
  }
  return files;
}

}  // namespace

std::string encodeOffered(const std::vector<FileName>& names) {
  ByteWriter writer;
  writer.varint(names.size());
  for (const FileName& name : names) writeName(name, writer);
  return writer.take();
}

std::vector<FileName> decodeOffered(std::string_view payload) {
  ByteReader reader(payload);
  std::vector<FileName> names(readCount(reader, kNameBytes));
  for (FileName& name : names) name = readName(reader);
  return names;
}

std::string encodeLacking(const std::vector<FilePlaces>& files) {
  ByteWriter writer;
  writeFiles(files, writer);
  return writer.take();
}

std::vector<FilePlaces> decodeLacking(std::string_view payload) {
  ByteReader reader(payload);
  return readFiles(reader);
}

std::string encodeAsked(const FilesAsked& asked) {
  ByteWriter writer;
  writer.varint(asked.mostChunks);
  writeFiles(asked.files, writer);
  return writer.take();
}

FilesAsked decodeAsked(std::string_view payload) {
  ByteReader reader(payload);
  FilesAsked asked;
  asked.mostChunks = std::min<std::uint64_t>(reader.varint(), kMostPlaces);
  asked.files = readFiles(reader);
  return asked;
}

std::string encodeChunk(const FileChunk& chunk) {
  ByteWriter writer;
  writeName(chunk.name, writer);
  writer.varint(chunk.place);
  writer.raw(chunk.bytes);
  return writer.take();
}

FileChunk decodeChunk(std::string_view payload) {
  ByteReader reader(payload);
  FileChunk chunk;
  chunk.name = readName(reader);
  const std::uint64_t place = reader.varint();
  if (place >= kMostPlaces || reader.rest().size() > storage::kChunkSize) malformed();
  chunk.place = static_cast<std::uint32_t>(place);
  chunk.bytes = reader.rest();
  return chunk;
}

}  // namespace waystation::sync

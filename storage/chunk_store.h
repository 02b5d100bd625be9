#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/database.h"

namespace waystation::storage {

inline constexpr std::size_t kChunkSize = 32 * 1024;
inline constexpr std::uint64_t kMostFileSize = std::uint64_t{1} << 30;

// What a file consists of. Arrives before its bytes.
struct FileManifest {
  std::string id;  // SHA-256 of the content, 32 bytes
  std::uint64_t size = 0;
  std::vector<std::string> chunks;  // SHA-256 of each; all of kChunkSize but the last
};

// Gathers the manifest of content that comes in pieces of any size.
class ManifestBuilder {
 public:
  ManifestBuilder();
  ~ManifestBuilder();
  ManifestBuilder(const ManifestBuilder&) = delete;
  ManifestBuilder& operator=(const ManifestBuilder&) = delete;

  void add(std::string_view piece);
  FileManifest finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// What became of a manifest or a chunk.
enum class FileOutcome {
  kIncomplete,     // kept; more chunks are wanted
  kWhole,          // kept; the file may be read
  kWrongBytes,     // refused: not what the manifest names at that place; nothing changed
  kFalseManifest,  // all chunks are there and make another file than it says: the file is dropped
};

// The content of attachments, in an encrypted database of its own: chunks named by their SHA-256,
// each kept once however many files hold it. No byte of a file is handed out before the whole of it
// has been proved. A file stays as long as something names it; what a name is (a record's id) is
// the caller's affair.
//
// A view over one connection; writing methods want a Transaction around them, and what it commits
// is on the disk: a chunk that was acknowledged need not be sent again.
class ChunkStore {
 public:
  // Brings the tables up to date. Call once for each database, on a writer.
  static void createTables(Database& database);

  // Borrows `database`.
  explicit ChunkStore(Database& database) : db_(database) {}

  // Makes a file known, under a name; a file that is known gets the name too. Chunks that other
  // files brought count as there. Throws Failure("file.manifest-malformed"): hash sizes, or a
  // number of chunks that is not the size's, or another manifest under the same id.
  FileOutcome putManifest(const FileManifest& manifest, std::string_view name);
  std::optional<FileManifest> manifest(std::string_view id);

  // Throws Failure("file.unknown") for a file without manifest, ("file.no-such-chunk").
  FileOutcome putChunk(std::string_view id, std::uint32_t index, std::string_view bytes);
  // One bit for each chunk, the first in the lowest bit of the first byte: 1 is there. Empty for
  // an unknown file.
  std::string bitmap(std::string_view id);
  // The first chunks that are wanted, by their index.
  std::vector<std::uint32_t> missing(std::string_view id, int limit);
  bool isWhole(std::string_view id);

  // Up to `size` bytes from `offset`, fewer at the end. Throws Failure("file.unknown"),
  // ("file.incomplete").
  std::string read(std::string_view id, std::uint64_t offset, std::size_t size);

  std::vector<std::string> namesOf(std::string_view id);
  // Takes a name away; with the last one the file goes, and the chunks that no other file holds,
  // overwritten with zeros in the database. True when the file went.
  bool removeName(std::string_view id, std::string_view name);
  // Takes away all names that `isKept` denies: after a power cut between this database and the one
  // that holds the records. Answers how many files went.
  std::int64_t retainNames(
      const std::function<bool(std::string_view id, std::string_view name)>& isKept);

  // What is not as it must be, a sentence each; empty: every chunk is what its hash says, every
  // whole file is what its name says, and what is wanted of the others is what is not there. Reads
  // everything; `tick` is called after each chunk and file, and may throw to give up.
  std::vector<std::string> findDamage(const std::function<void()>& tick);

  std::int64_t countFiles();
  std::int64_t countChunks();

 private:
  std::optional<std::int64_t> rowOf(std::string_view id);
  FileOutcome outcomeOf(std::string_view id);
  void completeFiles();
  bool isTrue(std::int64_t row);
  void removeFile(std::int64_t row);
  std::string damageOf(std::int64_t row);

  Database& db_;
};

}  // namespace waystation::storage

#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "storage/backup_stream.h"
#include "storage/snapshot.h"

namespace waystation::storage {

// What stands in a backup, one after the other (docs/spec/backup.md, section 2).
struct BackupSection {
  enum class Type : std::uint8_t { kEnd = 0, kFile = 1, kDatabase = 2, kDifference = 3 };
  Type type = Type::kEnd;
  std::string name;
  std::string bytes;        // of a file
  std::uint32_t pages = 0;  // of the database
};

// Reads sections, and of a database its pages, to their end before the next section. Throws
// Failure: "backup.cut-short", "backup.damaged".
class BackupReader {
 public:
  // Opens what is behind `head`, which has been read from `source` already.
  BackupReader(ByteSource source, const crypto::Secret& backupKey, const BackupHead& head);

  // The next section. At the end all has been found whole, and nothing follows; from then on the
  // answer stays the same.
  BackupSection next();
  // Reads on to the section of that name; false when there is none before the end.
  bool comeTo(const std::string& name);
  // The next page of the database, kPageBodySize bytes; answers its number, 0 behind the last.
  std::uint32_t readPage(char* body);
  // Reads on to the end of the backup.
  void skipToEnd();

 private:
  std::uint32_t number();
  std::string name();
  void skipPages();

  BackupInput input_;
  BackupSection section_;
  bool isAtEnd_ = false;
  std::uint32_t lastPage_ = 0;
  std::vector<std::string> names_;
};

// Called now and then with the number of the page that is done; may throw to give up.
using PageProgress = std::function<void(std::uint32_t page)>;

// Writes them.
class BackupWriter {
 public:
  BackupWriter(ByteSink sink, const crypto::Secret& backupKey, const BackupHead& head);

  void addFile(const std::string& name, std::string_view bytes);
  void addDatabase(const std::string& name, Snapshot& snapshot, const PageProgress& progress);
  // The pages that differ from the database that `base` has come to (next() answered it). Answers
  // how many these are.
  std::uint32_t addDifference(const std::string& name, Snapshot& snapshot, BackupReader& base,
                              const PageProgress& progress);
  void finish();

 private:
  void begin(BackupSection::Type type, const std::string& name);
  void number(std::size_t value);

  BackupOutput output_;
};

// Writes the database section that `reader` has come to; where that is a difference, over the same
// database of `base`, which then is not null and has come to it.
void rebuildDatabase(RebuiltDatabase& target, BackupReader& reader, const BackupSection& section,
                     BackupReader* base, const PageProgress& progress);

}  // namespace waystation::storage

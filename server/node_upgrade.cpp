#include "server/node_upgrade.h"

#include <optional>

#include "crypto/failure.h"
#include "storage/backup_file.h"
#include "storage/chunk_store.h"
#include "storage/store.h"
#include "storage/store_schema.h"

namespace waystation::server {
namespace {

constexpr std::string_view kUnfinished = "upgrading-from-";
constexpr std::string_view kFinished = "before-upgrade-from-";
constexpr const char* kFresh = "upgrade-backup.new";

std::size_t newestVersion(const NodeDatabase& database) {
  return database.name == kRecordsFile ? storage::storeMigrations().size()
                                       : storage::chunkMigrations().size();
}

void bringUp(const NodeDatabase& database) {
  const storage::Connections::Lease writer = database.connections.writer();
  if (database.name == kRecordsFile) {
    storage::Store::createTables(*writer);
  } else {
    storage::ChunkStore::createTables(*writer);
  }
}

// What of each database was written by whom: "9-1".
std::string versionsOf(const BackupSource& source, bool& isBehind) {
  std::string versions;
  for (const NodeDatabase& database : source.databases) {
    const std::size_t version = storage::schemaVersion(*database.connections.reader());
    isBehind = isBehind || version < newestVersion(database);
    versions += (versions.empty() ? "" : "-") + std::to_string(version);
  }
  return versions;
}

std::vector<std::filesystem::path> filesNamed(const std::filesystem::path& directory,
                                              std::string_view prefix) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().filename().string().starts_with(prefix)) found.push_back(entry.path());
  }
  return found;
}

void backUpBefore(const BackupSource& source, const std::filesystem::path& file) {
  const std::filesystem::path fresh = source.directory / kFresh;
  std::filesystem::remove(fresh);  // of a start that was cut off
  try {
    BackupOrder order;
    order.target = fresh;
    makeBackup(source, order, [](std::uint64_t, std::uint64_t) {});
  } catch (const Failure& failure) {
    throw Failure(failure.code(),
                  "Before the data is brought up to this version of the program, a backup of it "
                  "is made in " +
                      source.directory.string() + ", and that was not possible: " + failure.what() +
                      " Nothing was changed; mend that and start again, or go on with the version "
                      "before.");
  }
  std::filesystem::rename(fresh, file);
  storage::syncDirectory(source.directory);
}

// The newest stays, until the next upgrade is done.
void settle(const std::filesystem::path& directory) {
  const std::vector<std::filesystem::path> done = filesNamed(directory, kUnfinished);
  if (done.empty()) return;
  for (const std::filesystem::path& old : filesNamed(directory, kFinished)) {
    std::filesystem::remove(old);
  }
  for (const std::filesystem::path& file : done) {
    const std::string name = file.filename().string().substr(kUnfinished.size());
    std::filesystem::rename(file, directory / (std::string(kFinished) + name));
  }
  storage::syncDirectory(directory);
}

[[noreturn]] void throwFailed(const Failure& failure, const std::filesystem::path& backup) {
  throw Failure(
      "node.upgrade-failed",
      "The data could not be brought up to this version of the program: " +
          std::string(failure.what()) +
          " The step that failed was taken back, and the data is whole. As it was before, it is "
          "in " +
          backup.string() +
          ". Mend the cause and start again; or go on with the version before, and restore that "
          "file with it if it does not open the data.");
}

}  // namespace

void upgradeDatabases(const BackupSource& source) {
  bool isBehind = false;
  const std::string versions = versionsOf(source, isBehind);
  std::filesystem::path backup;
  if (isBehind) {
    // One that stands from before steps that were done is what leads back.
    const std::filesystem::path file =
        source.directory / (std::string(kUnfinished) + versions + ".wsbackup");
    const std::vector<std::filesystem::path> standing = filesNamed(source.directory, kUnfinished);
    backup = standing.empty() ? file : standing.front();
    if (backup == file) backUpBefore(source, file);
  }
  try {
    for (const NodeDatabase& database : source.databases) bringUp(database);
  } catch (const Failure& failure) {
    if (!isBehind || failure.code() == "store.newer-schema") throw;
    throwFailed(failure, backup);
  }
  settle(source.directory);
}

}  // namespace waystation::server

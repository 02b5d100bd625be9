// What a node does to its database.

#include <stdexcept>

#include "storage/chunk_store.h"
#include "storage/key_rotation.h"
#include "storage/store.h"
#include "storage/store_schema.h"
#include "storage/verify.h"
#include "tests/storage_faults/workload.h"

namespace waystation::testing {

namespace {

using storage::Database;
using storage::OpenMode;
using storage::Store;
using storage::Transaction;

constexpr const char* kFile = "node.db";

crypto::Secret key() {
  return crypto::Secret::copyOf(std::string(32, 'k'));
}

std::string idOf(std::int64_t number) {
  std::string id(16, '\0');
  for (std::size_t i = 0; i < 8; ++i) id[15 - i] = static_cast<char>(number >> (8 * i));
  return id;
}

// One record, new or changed, as a save leaves it: its row, its case's digest, its journal entry,
// its link in the chain, its words.
void saveRecord(Store& store, std::int64_t number, std::int64_t version) {
  const std::string id = idOf(number);
  const std::string root = idOf(number / 4 * 4);
  const std::string body =
      "{\"given_name\":\"Person " + std::to_string(number) + "\",\"note\":\"" +
      std::string(static_cast<std::size_t>(200 + (number * 131 + version * 37) % 900), 'n') + "\"}";
  const std::int64_t seq =
      store.appendJournal({0, 7, static_cast<std::uint64_t>(number * 1000 + version), 1, body});
  storage::RecordRow row = store.record(id).value_or(storage::RecordRow{});
  row.id = id;
  row.kind = number % 4 == 0 ? "case" : "note";
  row.root = root;
  row.changedSeq = seq;
  row.upwardSeq = seq;
  row.state = body + std::to_string(version);
  const std::int64_t at = store.putRecord(row);
  store.linkRecord(at, seq);
  storage::RootRow digest = store.root(root).value_or(storage::RootRow{});
  digest.digest = idOf(seq);
  digest.records += 1;
  store.putRoot(root, digest);
  store.appendUpward({7, static_cast<std::uint64_t>(seq), seq, "salt", "hash", "digest"});
  store.putSearch(at, "person " + std::to_string(number) + " version " + std::to_string(version));
}

class StoreWorkload : public Workload {
 public:
  std::string recover(const std::filesystem::path& directory, bool isNew) override {
    Database database(directory / kFile, key(), isNew ? OpenMode::kCreate : OpenMode::kReadWrite);
    const std::string content = fingerprintOf(database);
    storage::Statement integrity = database.statement("PRAGMA integrity_check");
    while (integrity.step()) {
      if (integrity.view(0) != "ok") throw std::runtime_error("SQLite: " + integrity.text(0));
    }
    const std::vector<std::string> damage = storage::verifyPages(directory / kFile, key());
    if (!damage.empty()) throw std::runtime_error(damage.front());
    return content;
  }

  void goOn(const std::filesystem::path& directory) override {
    std::string content;
    {
      Database database(directory / kFile, key(), OpenMode::kReadWrite);
      Store::createTables(database);
      save(database, 1'000'000, 1);
      content = fingerprintOf(database);
    }
    if (recover(directory, false) != content)
      throw std::runtime_error("what was saved then is not there");
  }

 protected:
  // Opens the database of a new node and promises its tables.
  static std::unique_ptr<Database> start(const std::filesystem::path& directory,
                                         Promises& promises) {
    auto database = std::make_unique<Database>(directory / kFile, key(), OpenMode::kCreate);
    promises.begin(fingerprintOf(*database));
    // As Store::createTables does it; each step is a transaction.
    std::vector<std::string> steps;
    for (const std::string& step : storage::storeMigrations()) {
      steps.push_back(step);
      promises.make([&] { storage::migrate(*database, steps); },
                    [&] { return fingerprintOf(*database); });
    }
    return database;
  }

  static std::unique_ptr<Database> reopen(const std::filesystem::path& directory) {
    return std::make_unique<Database>(directory / kFile, key(), OpenMode::kReadWrite);
  }

  static void save(Database& database, std::int64_t number, std::int64_t version, int count = 1) {
    Transaction transaction(database);
    Store store(database);
    for (int i = 0; i < count; ++i) saveRecord(store, number + i, version);
    transaction.commit();
  }

  static void promiseSave(Database& database, Promises& promises, std::int64_t number,
                          std::int64_t version, int count = 1) {
    promises.make([&] { save(database, number, version, count); },
                  [&] { return fingerprintOf(database); });
  }

  static void promise(Database& database, Promises& promises, const std::string& sql) {
    promises.make([&] { database.execute(sql); }, [&] { return fingerprintOf(database); });
  }
};

// Saves of one record and of several, with checkpoints in between as they come.
class Saves final : public StoreWorkload {
 public:
  std::string name() const override { return "saves"; }
  void run(const std::filesystem::path& directory, Promises& promises) override {
    const auto database = start(directory, promises);
    database->execute("PRAGMA wal_autocheckpoint = 60");
    for (int i = 0; i < 24; ++i) {
      promiseSave(*database, promises, i % 3 == 2 ? i / 2 : i, i, i % 5 == 4 ? 6 : 1);
    }
  }
};

// Large transactions, which reach the log before they are committed, and one that is taken back.
class Imports final : public StoreWorkload {
 public:
  std::string name() const override { return "imports"; }
  void run(const std::filesystem::path& directory, Promises& promises) override {
    const auto database = start(directory, promises);
    database->execute("PRAGMA cache_size = 10; PRAGMA cache_spill = 1");
    promiseSave(*database, promises, 0, 1, 60);
    {
      Transaction taken(*database);
      Store store(*database);
      for (int i = 0; i < 40; ++i) saveRecord(store, i, 2);
    }
    promiseSave(*database, promises, 30, 3, 60);
    database->execute("PRAGMA wal_checkpoint(PASSIVE)");
    promiseSave(*database, promises, 100, 4, 20);
  }
};

// All kinds of checkpoints, with a reader in the way of some.
class Checkpoints final : public StoreWorkload {
 public:
  std::string name() const override { return "checkpoints"; }
  void run(const std::filesystem::path& directory, Promises& promises) override {
    const auto database = start(directory, promises);
    const Database reader(directory / kFile, key(), OpenMode::kReadOnly);
    int version = 0;
    for (const char* kind : {"PASSIVE", "FULL", "RESTART", "TRUNCATE"}) {
      for (int i = 0; i < 3; ++i) promiseSave(*database, promises, i, ++version, 2);
      database->execute(std::string("PRAGMA wal_checkpoint(") + kind + ")");
      promiseSave(*database, promises, 2, ++version);
    }
    readWhile(directory, *database, promises, ++version);
  }

 private:
  static void readWhile(const std::filesystem::path& directory, Database& database,
                        Promises& promises, int version) {
    Database old(directory / kFile, key(), OpenMode::kReadOnly);
    old.execute("BEGIN");
    old.statement("SELECT count(*) FROM records").run();
    promiseSave(database, promises, 1, version, 4);
    database.execute("PRAGMA wal_checkpoint(PASSIVE)");
    promiseSave(database, promises, 3, version + 1, 4);
    old.execute("COMMIT");
    database.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    promiseSave(database, promises, 5, version + 2);
  }
};

// Closed and opened again, so that logs are folded in, deleted and made anew.
class Restarts final : public StoreWorkload {
 public:
  std::string name() const override { return "restarts"; }
  void run(const std::filesystem::path& directory, Promises& promises) override {
    start(directory, promises);
    for (int i = 0; i < 6; ++i) {
      const auto database = reopen(directory);
      promiseSave(*database, promises, i, 1);
      if (i % 2 == 0) promiseSave(*database, promises, i / 2, 2, 3);
    }
  }
};

// A store of the first version brought up to date, one step after the other.
class Migrations final : public StoreWorkload {
 public:
  std::string name() const override { return "migrations"; }
  void run(const std::filesystem::path& directory, Promises& promises) override {
    const auto database = std::make_unique<Database>(directory / kFile, key(), OpenMode::kCreate);
    promises.begin(fingerprintOf(*database));
    std::vector<std::string> steps;
    for (const std::string& step : storage::storeMigrations()) {
      steps.push_back(step);
      promises.make([&] { storage::migrate(*database, steps); },
                    [&] { return fingerprintOf(*database); });
      promise(*database, promises,
              "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30) "
              "INSERT OR REPLACE INTO meta SELECT 'name ' || i || ' ' || " +
                  std::to_string(steps.size()) + ", zeroblob(300) FROM n");
    }
    promiseSave(*database, promises, 1, 1, 8);
  }
};

// Deletions and the rewriting of the whole file.
class Vacuum final : public StoreWorkload {
 public:
  std::string name() const override { return "vacuum"; }
  void run(const std::filesystem::path& directory, Promises& promises) override {
    const auto database = start(directory, promises);
    promiseSave(*database, promises, 0, 1, 40);
    promises.make(
        [&] {
          Transaction transaction(*database);
          Store store(*database);
          for (std::int64_t seq = 1; seq < 30; ++seq) store.removeJournal(seq);
          transaction.commit();
        },
        [&] { return fingerprintOf(*database); });
    promise(*database, promises, "VACUUM");
    promiseSave(*database, promises, 3, 2);
    database->execute("PRAGMA wal_checkpoint(TRUNCATE)");
    promiseSave(*database, promises, 4, 3);
  }
};

// The page key changed while people save: stopped, gone on with, and once more.
class Rotations final : public StoreWorkload {
 public:
  std::string name() const override { return "rotations"; }
  void run(const std::filesystem::path& directory, Promises& promises) override {
    const auto database = start(directory, promises);
    promiseSave(*database, promises, 0, 1, 30);
    const auto other = reopen(directory);
    int version = 1;
    for (const storage::RotationEnd end :
         {storage::RotationEnd::kStopped, storage::RotationEnd::kFinished,
          storage::RotationEnd::kFinished}) {
      const auto goesOn = [&](const storage::RotationProgress&) {
        promiseSave(*database, promises, 7, ++version);
        return end == storage::RotationEnd::kFinished;
      };
      if (storage::rotateKey(*other, goesOn) != end) throw std::runtime_error("another end");
      promiseSave(*database, promises, 3, ++version, 3);
    }
  }
  void goOn(const std::filesystem::path& directory) override {
    {
      const auto database = reopen(directory);
      const std::string content = fingerprintOf(*database);
      if (storage::isRotationUnfinished(*database)) {
        storage::rotateKey(*database, [](const storage::RotationProgress&) { return true; });
      }
      if (fingerprintOf(*database) != content) throw std::runtime_error("the rotation changed it");
    }
    StoreWorkload::goOn(directory);
  }
};

// Attachments that come part by part, share parts, and go again.
class Attachments final : public Workload {
 public:
  std::string name() const override { return "attachments"; }

  void run(const std::filesystem::path& directory, Promises& promises) override {
    const auto database = opened(directory, OpenMode::kCreate);
    promises.begin(fingerprintOf(*database));
    const auto content = [&] { return fingerprintOf(*database); };
    promises.make([&] { storage::ChunkStore::createTables(*database); }, content);
    for (const int file : {0, 1, 2}) {
      promises.make([&] { putManifest(*database, file); }, content);
      for (std::uint32_t part = 0; part < kParts; ++part) {
        promises.make([&] { putPart(*database, file, part); }, content);
      }
      if (file == 1) database->execute("PRAGMA wal_checkpoint(TRUNCATE)");
    }
    promises.make([&] { remove(*database, 1); }, content);
    promises.make([&] { putManifest(*database, 1); }, content);
  }

  std::string recover(const std::filesystem::path& directory, bool isNew) override {
    const auto database = opened(directory, isNew ? OpenMode::kCreate : OpenMode::kReadWrite);
    const bool hasTables = storage::schemaVersion(*database) != 0;
    if (hasTables) storage::ChunkStore::createTables(*database);
    const std::string content = fingerprintOf(*database);
    std::vector<std::string> damage = storage::verifyPages(directory / kAttachments, key());
    if (damage.empty() && hasTables) {
      damage = storage::ChunkStore(*database).findDamage([] {});
    }
    if (!damage.empty()) throw std::runtime_error(damage.front());
    return content;
  }

  void goOn(const std::filesystem::path& directory) override {
    const auto database = opened(directory, OpenMode::kReadWrite);
    storage::ChunkStore::createTables(*database);
    putManifest(*database, 5);
    for (std::uint32_t part = 0; part < kParts; ++part) putPart(*database, 5, part);
    if (!storage::ChunkStore(*database).isWhole(manifestOf(5).id)) {
      throw std::runtime_error("an attachment can't be taken in");
    }
  }

 private:
  static constexpr const char* kAttachments = "files.db";
  static constexpr std::uint32_t kParts = 2;

  static std::unique_ptr<Database> opened(const std::filesystem::path& directory, OpenMode mode) {
    return std::make_unique<Database>(directory / kAttachments, key(), mode);
  }

  // The first part is the same in all of them.
  static std::string partOf(int file, std::uint32_t part) {
    if (part == 0) return std::string(storage::kChunkSize, 'a');
    return std::string(5'000, static_cast<char>('b' + file));
  }

  static storage::FileManifest manifestOf(int file) {
    storage::ManifestBuilder builder;
    for (std::uint32_t part = 0; part < kParts; ++part) builder.add(partOf(file, part));
    return builder.finish();
  }

  static void putManifest(Database& database, int file) {
    Transaction transaction(database);
    storage::ChunkStore(database).putManifest(manifestOf(file), "a record");
    transaction.commit();
  }

  static void putPart(Database& database, int file, std::uint32_t part) {
    Transaction transaction(database);
    storage::ChunkStore(database).putChunk(manifestOf(file).id, part, partOf(file, part));
    transaction.commit();
  }

  static void remove(Database& database, int file) {
    Transaction transaction(database);
    storage::ChunkStore(database).removeName(manifestOf(file).id, "a record");
    transaction.commit();
  }
};

}  // namespace

std::vector<std::unique_ptr<Workload>> storeWorkloads() {
  std::vector<std::unique_ptr<Workload>> all;
  all.push_back(std::make_unique<Saves>());
  all.push_back(std::make_unique<Imports>());
  all.push_back(std::make_unique<Checkpoints>());
  all.push_back(std::make_unique<Restarts>());
  all.push_back(std::make_unique<Migrations>());
  all.push_back(std::make_unique<Vacuum>());
  all.push_back(std::make_unique<Rotations>());
  all.push_back(std::make_unique<Attachments>());
  return all;
}

}  // namespace waystation::testing

// What a node does to files that are no databases: its key file, backups, and what is restored.

#include <fstream>
#include <iterator>
#include <stdexcept>

#include "crypto/hash.h"
#include "crypto/key_slots.h"
#include "storage/backup.h"
#include "storage/backup_file.h"
#include "storage/key_rotation.h"
#include "storage/verify.h"
#include "storage/whole_file.h"
#include "tests/storage_faults/workload.h"

namespace waystation::testing {

namespace {

using storage::Database;
using storage::OpenMode;

std::string digestOf(const std::string& bytes) {
  const crypto::Sha256Digest digest = crypto::sha256(bytes);
  return std::string(crypto::view(digest));
}

// The key file is written anew at each change.
class KeyFile final : public Workload {
 public:
  std::string name() const override { return "key file"; }

  void run(const std::filesystem::path& directory, Promises& promises) override {
    const std::filesystem::path file = directory / kName;
    crypto::SystemRandom random;
    promises.begin("");
    promises.make([&] { crypto::KeySlots::create(file, random, kPassphrase, kCheap); },
                  [&] { return contentOf(file); });
    const crypto::Secret master =
        crypto::KeySlots(file).open(crypto::SlotKind::kPassphrase, kPassphrase).master;
    for (const char* label : {"first", "second", "third"}) {
      promises.make(
          [&] {
            crypto::KeySlots(file).add(master, random, crypto::SlotKind::kKeyFile,
                                       std::string(32, label[0]), label);
          },
          [&] { return contentOf(file); });
    }
    promises.make([&] { crypto::KeySlots(file).remove(1); }, [&] { return contentOf(file); });
    promises.make([&] { crypto::KeySlots(file).remove(3); }, [&] { return contentOf(file); });
  }

  std::string recover(const std::filesystem::path& directory, bool isNew) override {
    if (isNew && !std::filesystem::exists(directory / kName)) return "";
    return contentOf(directory / kName);
  }

  void goOn(const std::filesystem::path& directory) override {
    if (!std::filesystem::exists(directory / kName)) return;
    crypto::KeySlots slots(directory / kName);
    crypto::SystemRandom random;
    for (const crypto::SlotInfo& slot : slots.list()) {
      if (slot.kind != crypto::SlotKind::kKeyFile) continue;
      const crypto::Secret master =
          slots.open(crypto::SlotKind::kKeyFile, std::string(32, slot.label[0])).master;
      slots.add(master, random, crypto::SlotKind::kKeyFile, std::string(32, 'n'), "new");
      return;
    }
  }

 private:
  static constexpr const char* kName = "keys";
  static constexpr const char* kPassphrase = "a passphrase of the tests";
  static constexpr crypto::Argon2Cost kCheap{1, 8, 1};

  // The slots; those with a key file give the master key.
  static std::string contentOf(const std::filesystem::path& file) {
    const crypto::KeySlots slots(file);
    std::string content;
    for (const crypto::SlotInfo& slot : slots.list()) {
      content += std::to_string(slot.number) + slot.label + "\n";
      if (slot.kind == crypto::SlotKind::kKeyFile) {
        slots.open(crypto::SlotKind::kKeyFile, std::string(32, slot.label[0]));
      }
    }
    return content;
  }
};

// A file of settings, replaced as a whole.
class Settings final : public Workload {
 public:
  std::string name() const override { return "settings"; }

  void run(const std::filesystem::path& directory, Promises& promises) override {
    promises.begin("");
    for (char value = '1'; value <= '6'; ++value) {
      promises.make(
          [&] {
            write(directory, std::string(static_cast<std::size_t>(700 * (value - '0')), value));
          },
          [&] { return contentOf(directory); });
    }
  }

  std::string recover(const std::filesystem::path& directory, bool) override {
    return contentOf(directory);
  }

  void goOn(const std::filesystem::path& directory) override {
    write(directory, "later");
    if (contentOf(directory) != "later") throw std::runtime_error("settings are not kept");
  }

 private:
  static void write(const std::filesystem::path& directory, const std::string& content) {
    if (storage::replaceFile(directory / "settings", content) != 0) {
      throw std::runtime_error("settings can't be written");
    }
  }

  static std::string contentOf(const std::filesystem::path& directory) {
    std::ifstream file(directory / "settings", std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
};

// Backups taken while people save, and while the page key is changed; one of them restored beside
// the store.
class Backups final : public Workload {
 public:
  std::string name() const override { return "backups"; }

  void run(const std::filesystem::path& directory, Promises& promises) override {
    std::filesystem::create_directory(directory / "disk");
    makeStore(directory / "node.db");
    storage::Connections connections(directory / "node.db", key(), OpenMode::kReadWrite, 1);
    promises.begin("");
    const auto content = [&] { return contentOf(directory, *connections.reader()); };
    promises.make([&] { storage::syncDirectory(directory); }, content);
    for (int round = 1; round <= 3; ++round) {
      promises.make([&] { save(*connections.writer(), round); }, content);
      if (round == 2) rotate(directory, false);
      promises.make([&] { backUp(directory, connections, std::to_string(round)); }, content);
    }
    promises.make([&] { restore(directory, "2"); }, content);
    rotate(directory, true);
    promises.make([&] { save(*connections.writer(), 4); }, content);
  }

  std::string recover(const std::filesystem::path& directory, bool isNew) override {
    if (isNew) return "";
    const std::vector<std::string> damage = storage::verifyPages(directory / "node.db", key());
    if (!damage.empty()) throw std::runtime_error(damage.front());
    Database database(directory / "node.db", key(), OpenMode::kReadWrite);
    return contentOf(directory, database);
  }

  void goOn(const std::filesystem::path& directory) override {
    if (!std::filesystem::exists(directory / "disk")) return;
    storage::Connections connections(directory / "node.db", key(), OpenMode::kCreate, 1);
    backUp(directory, connections, "later");
    readBackup(directory / "disk" / "later");
  }

 private:
  static crypto::Secret key() { return crypto::Secret::copyOf(std::string(32, 'k')); }
  static crypto::Secret backupKey() { return crypto::Secret::copyOf(std::string(32, 'b')); }
  static crypto::Secret restoredKey() { return crypto::Secret::copyOf(std::string(32, 'r')); }

  static void makeStore(const std::filesystem::path& file) {
    Database database(file, key(), OpenMode::kCreate);
    database.execute("CREATE TABLE people(id INTEGER PRIMARY KEY, name TEXT)");
  }

  static void save(Database& database, int round) {
    storage::Transaction transaction(database);
    database.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20) "
        "INSERT INTO people(name) SELECT hex(zeroblob(100 * " +
        std::to_string(round) + ")) FROM n");
    transaction.commit();
  }

  static void rotate(const std::filesystem::path& directory, bool toTheEnd) {
    Database connection(directory / "node.db", key(), OpenMode::kReadWrite);
    storage::rotateKey(connection, [&](const storage::RotationProgress&) { return toTheEnd; });
  }

  static void backUp(const std::filesystem::path& directory, storage::Connections& connections,
                     const std::string& name) {
    storage::BackupHead head;
    head.storeId = std::string(16, 'i');
    head.salt = crypto::SystemRandom().bytes(32);
    head.keySlots = "the key file";
    storage::NewBackupFile file(directory / "disk" / name);
    const crypto::Secret storeKey = key();
    const auto snapshots = storage::Snapshot::ofAll(
        {{connections, directory / "node.db", storeKey}}, [] { return false; });
    file.write(storage::encodeBackupHead(head));
    storage::BackupWriter writer([&](std::string_view bytes) { file.write(bytes); }, backupKey(),
                                 head);
    writer.addDatabase("node.db", *snapshots.front(), [](std::uint32_t) {});
    writer.finish();
    file.sync();
    file.keep();
  }

  static void readBackup(const std::filesystem::path& file) {
    storage::ByteSource bytes = storage::openBackupFile(file);
    const storage::BackupHead head = storage::readBackupHead(bytes);
    storage::BackupReader(bytes, backupKey(), head).skipToEnd();
  }

  // Into a folder of its own, which gets its name when all is there.
  static void restore(const std::filesystem::path& directory, const std::string& name) {
    std::filesystem::create_directory(directory / "restoring");
    storage::ByteSource bytes = storage::openBackupFile(directory / "disk" / name);
    const storage::BackupHead head = storage::readBackupHead(bytes);
    storage::BackupReader reader(bytes, backupKey(), head);
    {
      const storage::BackupSection section = reader.next();
      storage::RebuiltDatabase rebuilt(directory / "restoring" / "node.db", restoredKey());
      storage::rebuildDatabase(rebuilt, reader, section, nullptr, [](std::uint32_t) {});
      reader.skipToEnd();
    }
    storage::syncDirectory(directory / "restoring");
    std::filesystem::rename(directory / "restoring", directory / "restored");
    storage::syncDirectory(directory);
  }

  static std::string contentOf(const std::filesystem::path& directory, Database& database) {
    std::string content = fingerprintOf(database);
    for (const auto& [name, bytes] : readImage(directory / "disk").files) {
      if (name.ends_with(".partial")) continue;
      readBackup(directory / "disk" / name);
      content += name + digestOf(bytes);
    }
    if (std::filesystem::exists(directory / "restored")) {
      const std::filesystem::path file = directory / "restored" / "node.db";
      Database restored(file, restoredKey(), OpenMode::kReadWrite);
      content += "restored" + fingerprintOf(restored);
      const std::vector<std::string> damage = storage::verifyPages(file, restoredKey());
      if (!damage.empty()) throw std::runtime_error(damage.front());
    }
    return content;
  }
};

}  // namespace

std::vector<std::unique_ptr<Workload>> fileWorkloads() {
  std::vector<std::unique_ptr<Workload>> all;
  all.push_back(std::make_unique<KeyFile>());
  all.push_back(std::make_unique<Settings>());
  all.push_back(std::make_unique<Backups>());
  return all;
}

}  // namespace waystation::testing

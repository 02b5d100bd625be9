#pragma once

#include <algorithm>
#include <memory>
#include <string>

#include "storage/backup.h"
#include "tests/support/storage/store_on_disk.h"

namespace waystation::storage {

inline const auto kNever = [] { return false; };
inline const auto kQuietly = [](std::uint32_t) {};

inline crypto::Secret backupKey(char byte = 'b') {
  return keyOf(byte);
}

inline BackupHead headOf(const std::string& salt, const std::string& base = "") {
  BackupHead head;
  head.storeId = std::string(16, 'i');
  head.salt = salt + std::string(32 - salt.size(), '-');
  head.madeMs = 1'700'000'000'000;
  head.base = base;
  head.keySlots = "the key file";
  return head;
}

inline ByteSource sourceOf(const std::string& bytes) {
  return [bytes, at = std::size_t{0}](char* out, std::size_t size) mutable {
    const std::size_t part = std::min(size, bytes.size() - at);
    bytes.copy(out, part, at);
    at += part;
    return part;
  };
}

inline BackupReader readerOf(const std::string& bytes, char key = 'b') {
  ByteSource source = sourceOf(bytes);
  const BackupHead head = readBackupHead(source);
  return {source, backupKey(key), head};
}

// A backup in memory of a file and a database.
struct Backup {
  BackupHead head;
  std::string bytes;
};

inline Backup backUp(Snapshot& snapshot, const std::string& salt = "salt") {
  Backup backup{headOf(salt), {}};
  backup.bytes = encodeBackupHead(backup.head);
  BackupWriter writer([&](std::string_view part) { backup.bytes += part; }, backupKey(),
                      backup.head);
  writer.addFile("node.json", "{}");
  writer.addDatabase("node.db", snapshot, kQuietly);
  writer.finish();
  return backup;
}

inline void restore(const std::string& bytes, const std::filesystem::path& to, char key = 'r') {
  BackupReader reader = readerOf(bytes);
  EXPECT_EQ(reader.next().bytes, "{}");
  const BackupSection section = reader.next();
  RebuiltDatabase rebuilt(to, keyOf(key));
  rebuildDatabase(rebuilt, reader, section, nullptr, kQuietly);
  EXPECT_EQ(reader.next().type, BackupSection::Type::kEnd);
}

inline std::string codeOfReading(const std::string& bytes) {
  return codeOf([&] { readerOf(bytes).skipToEnd(); });
}

// A store with a table of people, and the connections to it.
struct SourceStore {
  explicit SourceStore(int rows) {
    storeWithRows(directory / "s.db", rows).reset();
    connections =
        std::make_unique<Connections>(directory / "s.db", keyOf('k'), OpenMode::kReadWrite, 2);
  }
  std::unique_ptr<Snapshot> snapshot() {
    return std::move(Snapshot::ofAll({{*connections, directory / "s.db", key}}, kNever).front());
  }
  const crypto::Secret key = keyOf('k');
  TemporaryDirectory directory;
  std::unique_ptr<Connections> connections;
};

}  // namespace waystation::storage

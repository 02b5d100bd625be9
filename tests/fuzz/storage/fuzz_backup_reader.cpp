// A backup as somebody may hand it to `restore`: the file as it is; a zstd frame of the fuzzer's
// making sealed as a backup's chunk, as a writer with a defect could leave it; or sections of the
// fuzzer's making, packed and sealed well. Each is read to its end and rebuilt, a difference over
// a whole backup that is there. It never does worse than refuse, and what was sealed
// well comes back as it was.
//
// An input: what the rest is (1 byte, modulo 3), then the bytes.

#include <stdlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "crypto/aead.h"
#include "crypto/failure.h"
#include "crypto/kdf.h"
#include "storage/backup.h"
#include "storage/backup_stream.h"

namespace {

using namespace waystation;

constexpr std::uint32_t kMostPages = 32;

crypto::Secret key() {
  return crypto::Secret::copyOf(std::string(32, 'b'));
}

storage::ByteSource sourceOf(std::string_view bytes) {
  return [bytes](char* out, std::size_t size) mutable {
    const std::size_t part = bytes.copy(out, size);
    bytes.remove_prefix(part);
    return part;
  };
}

storage::BackupHead headOf(bool isWhole) {
  storage::BackupHead head;
  head.storeId = std::string(16, 'i');
  head.salt = std::string(32, 's');
  head.keySlots = "the key file";
  if (!isWhole) head.base = std::string(32, 'w');
  return head;
}

std::string sealedSections(std::string_view sections, bool isWhole) {
  storage::BackupHead head = headOf(isWhole);
  std::string bytes = storage::encodeBackupHead(head);
  storage::BackupOutput output([&](std::string_view part) { bytes += part; }, key(), head);
  output.write(sections);
  output.finish();
  return bytes;
}

// One chunk, the last, holding `frame` (docs/spec/backup.md, section 1).
std::string sealedFrame(std::string_view frame) {
  storage::BackupHead head = headOf(true);
  const std::string bytes = storage::encodeBackupHead(head);
  const crypto::Secret fileKey = crypto::hkdfSha256(
      key().view(), head.name, "waystation backup file key v1", crypto::kAeadKeySize);
  std::string nonce(12, '\0');
  nonce.back() = '\1';
  return bytes + crypto::aeadSeal(fileKey.view(), nonce, "", frame.substr(0, 256 * 1024));
}

class Folder {
 public:
  Folder() {
    const bool hasMemory = std::filesystem::exists("/dev/shm");
    std::string pattern = std::string(hasMemory ? "/dev/shm" : "/tmp") + "/fuzz-backup-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  // Where a database may be made; nothing is there.
  std::filesystem::path emptied() const {
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      std::filesystem::remove(entry.path());
    }
    return path_ / "node.db";
  }

 private:
  std::filesystem::path path_;
};

// The whole backup of a store of a hundred rows, which stands under differences; the seeds' too.
std::string backUpWhole() {
  const Folder folder;
  const std::filesystem::path file = folder.emptied();
  {
    storage::Database database(file, key(), storage::OpenMode::kCreate);
    database.execute("CREATE TABLE people(id INTEGER PRIMARY KEY, name TEXT)");
    for (int i = 1; i <= 100; ++i) {
      const std::string id = std::to_string(i);
      database.execute("INSERT INTO people VALUES (" + id + ", 'person " + id + "')");
    }
  }
  storage::Connections connections(file, key(), storage::OpenMode::kReadWrite, 1);
  const crypto::Secret storeKey = key();
  const auto snapshots =
      storage::Snapshot::ofAll({{connections, file, storeKey}}, [] { return false; });
  storage::BackupHead head = headOf(true);
  std::string bytes = storage::encodeBackupHead(head);
  storage::BackupWriter writer([&](std::string_view part) { bytes += part; }, key(), head);
  writer.addDatabase("node.db", *snapshots.front(), [](std::uint32_t) {});
  writer.finish();
  return bytes;
}

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::abort();
}

void readToTheEnd(std::string_view bytes) {
  const storage::ByteSource source = sourceOf(bytes);
  const storage::BackupHead head = storage::readBackupHead(source);
  storage::BackupReader reader(source, key(), head);
  std::array<char, storage::kPageBodySize> body;
  for (;;) {
    const storage::BackupSection section = reader.next();
    if (section.type == storage::BackupSection::Type::kEnd) return;
    require(!section.name.empty() && section.name.find('/') == std::string::npos,
            "a section has a name that leads elsewhere");
    std::uint32_t last = 0;
    std::uint32_t page = 0;
    while ((page = reader.readPage(body.data())) != 0) {
      require(page > last && page <= section.pages, "a page out of order came out");
      last = page;
    }
  }
}

void rebuild(std::string_view bytes) {
  static const Folder folder;
  const storage::ByteSource source = sourceOf(bytes);
  const storage::BackupHead head = storage::readBackupHead(source);
  storage::BackupReader reader(source, key(), head);
  static const std::string whole = backUpWhole();
  const storage::ByteSource below = sourceOf(whole);
  const storage::BackupHead headBelow = storage::readBackupHead(below);
  storage::BackupReader base(below, key(), headBelow);
  for (;;) {
    const storage::BackupSection section = reader.next();
    if (section.type == storage::BackupSection::Type::kEnd) return;
    if (section.pages == 0 || section.pages > kMostPages) continue;
    storage::RebuiltDatabase target(folder.emptied(), key());
    if (!head.isWhole()) base.next();
    storage::rebuildDatabase(target, reader, section, head.isWhole() ? nullptr : &base,
                             [](std::uint32_t) {});
  }
}

// What was sealed well comes out byte for byte.
void requireSame(std::string_view sections, std::string_view sealed) {
  const storage::ByteSource source = sourceOf(sealed);
  const storage::BackupHead head = storage::readBackupHead(source);
  storage::BackupInput input(source, key(), head);
  std::string again(sections.size(), '\0');
  input.read(again.data(), again.size());
  input.requireEnd();
  require(again == sections, "a backup gives back something else than went in");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const bool isWhole = (data[0] & 0x80) == 0;
  const int what = (data[0] & 0x7f) % 3;
  const std::string sealed = what == 1   ? sealedFrame(rest)
                             : what == 2 ? sealedSections(rest, isWhole)
                                         : std::string(rest);
  if (what == 2) requireSame(rest, sealed);
  try {
    readToTheEnd(sealed);
    rebuild(sealed);
  } catch (const Failure&) {
    // Refused, as it may be.
  }
  return 0;
}

// A store as somebody who can write the disk may leave it: database, log and journal, changed in
// places, cut, mixed with their own older pages, or replaced. Opening, verifying and reading it
// never does worse than refuse, and no row comes out that was not put in.
//
// An input is a row of edits: file (1 byte), operation (1), two positions (2 each), and for some
// operations a length (1) with as many bytes.

#include <stdlib.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>

#include "crypto/failure.h"
#include "storage/database.h"
#include "storage/verify.h"

namespace {

using namespace waystation;

constexpr std::size_t kMostSize = 1 << 18;
constexpr std::size_t kPage = 4096;
constexpr std::size_t kFrame = 4096 + 24;
constexpr const char* kSuffixes[] = {"", "-wal", "-journal"};

crypto::Secret key() {
  return crypto::Secret::copyOf(std::string(32, 'k'));
}

std::string bytesOf(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// What stands in row `id` after each of the seed's transactions.
std::string textOf(std::int64_t id, int version) {
  return "person " + std::to_string(id) + " as of " + std::to_string(version);
}

constexpr int kRows = 60;
constexpr int kVersions = 3;

// The files of a store that was cut off in the middle of its work, and where they are put.
class Seed {
 public:
  Seed() {
    const bool hasMemory = std::filesystem::exists("/dev/shm");
    std::string pattern = std::string(hasMemory ? "/dev/shm" : "/tmp") + "/fuzz-pages-XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    directory_ = pattern;
    storage::Database database(directory_ / "seed", key(), storage::OpenMode::kCreate);
    database.execute(
        "CREATE TABLE people(id INTEGER PRIMARY KEY, name TEXT); PRAGMA "
        "wal_autocheckpoint = 0");
    for (int version = 0; version < kVersions; ++version) {
      // A few commits each, so that the log is short and an execution quick.
      auto transaction = std::make_unique<storage::Transaction>(database);
      for (int id = 1; id <= kRows; ++id) {
        if (id % 20 == 0) {
          transaction->commit();
          transaction = std::make_unique<storage::Transaction>(database);
        }
        database.statement("INSERT OR REPLACE INTO people VALUES (?, ?)")
            .bind(1, id)
            .bindText(2, textOf(id, version) + std::string(200, '.'))
            .run();
      }
      transaction->commit();
      transaction.reset();
      if (version == 0) database.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    }
    for (std::size_t i = 0; i < std::size(kSuffixes); ++i) {
      files_[i] = bytesOf((directory_ / "seed").string() + kSuffixes[i]).substr(0, kMostSize);
    }
  }
  ~Seed() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  Seed(const Seed&) = delete;
  Seed& operator=(const Seed&) = delete;

  std::filesystem::path target() const { return directory_ / "store"; }
  const std::string& file(std::size_t index) const { return files_[index]; }

 private:
  std::filesystem::path directory_;
  std::string files_[std::size(kSuffixes)];
};

class Edits {
 public:
  Edits(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}

  bool hasMore() const { return left_ >= 6; }
  std::size_t number(int bytes) {
    std::size_t value = 0;
    for (; bytes > 0 && left_ > 0; --bytes, --left_) value = value << 8 | *data_++;
    return value;
  }
  std::string bytes(std::size_t size) {
    size = std::min(size, left_);
    std::string result(reinterpret_cast<const char*>(data_), size);
    data_ += size;
    left_ -= size;
    return result;
  }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

// Pages of the database, frames of the log: what an attacker would move.
std::size_t stepOf(std::size_t file) {
  return file == 1 ? kFrame : kPage;
}

void applyOne(Edits& edits, std::string (&files)[3]) {
  const std::size_t index = edits.number(1) % 3;
  const std::size_t operation = edits.number(1) % 7;
  const std::size_t from = edits.number(2);
  const std::size_t to = edits.number(2);
  std::string& file = files[index];
  const std::size_t at = file.empty() ? 0 : (from * 37 + to) % file.size();
  if (operation == 0) {  // overwrite
    const std::string bytes = edits.bytes(edits.number(1));
    if (!file.empty()) file.replace(at, std::min(bytes.size(), file.size() - at), bytes);
  } else if (operation == 1) {  // flip a bit
    if (!file.empty()) file[at] = static_cast<char>(file[at] ^ (1 << from % 8));
  } else if (operation == 2) {  // a page or frame in the place of another, of any file
    const std::string& source = files[to % 3];
    const std::size_t step = stepOf(index);
    const std::size_t begin = (from % 64) * stepOf(to % 3) + (index == to % 3 ? 0 : to % 64);
    const std::size_t place = (to / 3 % 64) * step + (index == 1 ? 32 : 0);
    if (begin < source.size() && place < file.size()) {
      const std::string piece = source.substr(begin, step);
      file.replace(place, std::min(piece.size(), file.size() - place), piece);
    }
  } else if (operation == 3) {  // cut
    file.resize(at);
  } else if (operation == 4) {  // append
    if (file.size() < kMostSize) file += edits.bytes(edits.number(1));
  } else if (operation == 5) {  // zeros
    if (!file.empty()) std::fill_n(&file[at], std::min(to % 5000, file.size() - at), '\0');
  } else {  // replace
    file = edits.bytes(from);
  }
}

void requireTrue(std::string_view text, std::int64_t id) {
  for (int version = 0; version < kVersions; ++version) {
    if (text == textOf(id, version) + std::string(200, '.')) return;
  }
  std::fprintf(stderr, "row %lld is not what was put in\n", static_cast<long long>(id));
  std::abort();
}

void readAndWrite(const std::filesystem::path& file) {
  storage::Database database(file, key(), storage::OpenMode::kReadWrite);
  {
    storage::Statement query = database.statement("SELECT id, name FROM people");
    while (query.step()) requireTrue(query.view(1), query.integer(0));
  }
  database.statement("PRAGMA integrity_check").run();
  database.execute("UPDATE people SET name = '' WHERE id = 7; PRAGMA wal_checkpoint(TRUNCATE)");
}

void attempt(const std::filesystem::path& file, void (*action)(const std::filesystem::path&)) {
  try {
    action(file);
  } catch (const Failure&) {
    // Refused, as it may be.
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Seed seed;
  std::string files[] = {seed.file(0), seed.file(1), seed.file(2)};
  for (Edits edits(data, size); edits.hasMore();) applyOne(edits, files);
  for (std::size_t i = 0; i < std::size(kSuffixes); ++i) {
    const std::string path = seed.target().string() + kSuffixes[i];
    std::filesystem::remove(path);
    if (i == 0 || !files[i].empty()) std::ofstream(path, std::ios::binary) << files[i];
  }
  attempt(seed.target(),
          [](const std::filesystem::path& file) { storage::verifyPages(file, key()); });
  attempt(seed.target(), readAndWrite);
  return 0;
}

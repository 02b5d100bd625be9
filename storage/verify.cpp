#include "storage/verify.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <set>

#include "crypto/failure.h"
#include "storage/encrypting_vfs.h"

namespace waystation::storage {

namespace {

constexpr auto kPageStep = static_cast<std::int64_t>(kPageSize);
constexpr auto kFrameStep = static_cast<std::int64_t>(kFrameSize);
// A page that SQLite is writing at this moment looks damaged; it will not the next time.
constexpr int kTries = 5;

// Whether a read gave all its bytes; false at the end of the file.
bool isWhole(int result, std::int64_t offset, const std::string& name) {
  if (result == SQLITE_OK) return true;
  if (result == SQLITE_IOERR_SHORT_READ) return false;
  throw Failure("store.damaged-page", name + " can't be read at byte " + std::to_string(offset) +
                                          ": the disk reports an error.");
}

class Verification {
 public:
  explicit Verification(StoreFile& store) : store_(store), format_(store.keys(), store.random()) {}

  std::vector<std::string> run() {
    readLog();
    readPages();
    return std::move(damage_);
  }

 private:
  void readLog();
  void noteFrame(std::int64_t frame);
  void readPages();
  bool opensPage(std::int64_t offset, std::uint32_t number);

  StoreFile& store_;
  PageFormat format_;
  std::vector<std::string> damage_;
  std::array<char, kFrameSize> sealed_{};
  std::array<char, kFrameSize> plain_{};
  // Of the running generation of the log: pages in committed frames, those of the transaction
  // that is being read, and what is damaged there.
  std::array<char, 8> salt_{};
  std::set<std::uint32_t> committed_;
  std::set<std::uint32_t> open_;
  std::vector<std::string> openDamage_;
};

void Verification::readLog() {
  const std::string name = store_.path() + "-wal";
  const std::unique_ptr<PlainFile> log = store_.openLog();
  if (!log) return;
  std::array<char, kLogHeaderSize> sealed;
  std::array<char, kLogHeaderSize> header;
  if (!isWhole(log->read(sealed.data(), sealed.size(), 0), 0, name) ||
      !format_.openLogHeader(sealed.data(), header.data())) {
    damage_.push_back("The header of " + name + " does not authenticate: the log is not used.");
    return;
  }
  std::memcpy(salt_.data(), header.data() + 16, salt_.size());
  for (std::int64_t frame = kLogHeaderSize;; frame += kFrameStep) {
    if (!isWhole(log->read(sealed_.data(), kFrameSize, frame), frame, name)) return;
    noteFrame(frame);
  }
}

// Frames after the last commit are an unfinished transaction or remains of an older log, so damage
// counts only when a commit of this generation follows it.
void Verification::noteFrame(std::int64_t frame) {
  const bool headed = format_.openFrameHeader(frame, sealed_.data(), plain_.data());
  if (headed && std::memcmp(plain_.data() + 8, salt_.data(), salt_.size()) != 0) return;
  const std::uint32_t number = headed ? loadBigEndian32(plain_.data()) : 0;
  const bool commits = headed && loadBigEndian32(plain_.data() + 4) != 0;
  if (headed && format_.openPage(PageDomain::kStore, number, sealed_.data() + kFrameHeaderSize,
                                 plain_.data() + kFrameHeaderSize)) {
    open_.insert(number);
  } else {
    openDamage_.push_back("The log of " + store_.path() + " is damaged at byte " +
                          std::to_string(frame) +
                          ": what was committed after that is not recovered.");
  }
  if (!commits) return;
  committed_.merge(open_);
  damage_.insert(damage_.end(), openDamage_.begin(), openDamage_.end());
  open_.clear();
  openDamage_.clear();
}

void Verification::readPages() {
  for (std::int64_t offset = 0; offset < store_.size(); offset += kPageStep) {
    const auto number = static_cast<std::uint32_t>(offset / kPageStep + 1);
    if (opensPage(offset, number) || committed_.contains(number)) continue;
    damage_.push_back("Page " + std::to_string(number) + " of " + store_.path() +
                      " does not authenticate.");
  }
}

bool Verification::opensPage(std::int64_t offset, std::uint32_t number) {
  for (int attempt = 0; attempt < kTries; ++attempt) {
    if (isWhole(store_.read(sealed_.data(), kPageSize, offset), offset, store_.path()) &&
        format_.openPage(PageDomain::kStore, number, sealed_.data(), plain_.data())) {
      return true;
    }
    if (offset >= store_.size()) return true;  // cut off meanwhile
  }
  return false;
}

}  // namespace

std::vector<std::string> verifyPages(const std::filesystem::path& file, const crypto::Secret& key) {
  const std::shared_ptr<StoreFile> store =
      EncryptingVfs::instance().acquire(file, key, OpenMode::kReadOnly);
  return Verification(*store).run();
}

}  // namespace waystation::storage

#include "storage/verify.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>

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
    checkEnd();
    return std::move(damage_);
  }

 private:
  void readLog();
  void takeSaltOfFrame(std::int64_t frame);
  bool isInDatabase(const PlainFile& log);
  void noteFrame(std::int64_t frame);
  void noteLogDamage(std::int64_t frame);
  void readPages();
  void checkEnd();
  std::uint32_t firstPageMissing();
  bool opensPage(std::int64_t offset, std::uint32_t number);

  StoreFile& store_;
  PageFormat format_;
  std::vector<std::string> damage_;
  std::array<char, kFrameSize> sealed_{};
  std::array<char, kFrameSize> plain_{};
  // Of the running generation of the log: the last frame of each page among those that recovery
  // uses, and among those of the transaction that is being read; how many pages the database had
  // at the last commit; where the first frame of an earlier generation is (0: none was met); the
  // first damage, and how many commits there are from there.
  std::array<char, 8> salt_{};
  std::map<std::uint32_t, std::int64_t> committed_;
  std::map<std::uint32_t, std::int64_t> open_;
  std::uint32_t pagesCommitted_ = 0;
  std::int64_t staleFrame_ = 0;
  std::string logDamage_;
  int commitsFromDamage_ = 0;
};

void Verification::readLog() {
  const std::string name = store_.path() + "-wal";
  const std::unique_ptr<PlainFile> log = store_.openLog();
  if (!log) return;
  std::array<char, kLogHeaderSize> sealed;
  std::array<char, kLogHeaderSize> header;
  const bool isHeaded = isWhole(log->read(sealed.data(), sealed.size(), 0), 0, name) &&
                        format_.openLogHeader(sealed.data(), header.data());
  if (isHeaded) std::memcpy(salt_.data(), header.data() + 16, salt_.size());
  for (std::int64_t frame = kLogHeaderSize;; frame += kFrameStep) {
    if (!isWhole(log->read(sealed_.data(), kFrameSize, frame), frame, name)) break;
    if (frame == kLogHeaderSize && !isHeaded) takeSaltOfFrame(frame);
    noteFrame(frame);
  }
  if (isHeaded) return;
  if (!isInDatabase(*log)) {
    damage_.push_back("The header of " + name +
                      " does not authenticate: what was committed there is not recovered.");
  }
  committed_.clear();
  pagesCommitted_ = 0;
}

void Verification::takeSaltOfFrame(std::int64_t frame) {
  if (format_.openFrameHeader(frame, sealed_.data(), plain_.data())) {
    std::memcpy(salt_.data(), plain_.data() + 8, salt_.size());
  }
}

// A power cut may tear the header of a log that starts anew. All that the log had held is in the
// database then, page for page.
bool Verification::isInDatabase(const PlainFile& log) {
  if (!logDamage_.empty()) return false;
  std::array<char, kPageSize> committed;
  for (const auto& [number, frame] : committed_) {
    if (number > pagesCommitted_) continue;
    const std::int64_t page = frame + static_cast<std::int64_t>(kFrameHeaderSize);
    if (log.read(sealed_.data(), kPageSize, page) != SQLITE_OK ||
        !format_.openPage(PageDomain::kStore, number, sealed_.data(), committed.data()) ||
        !opensPage((static_cast<std::int64_t>(number) - 1) * kPageStep, number) ||
        std::memcmp(plain_.data(), committed.data(), kPageSize) != 0) {
      return false;
    }
  }
  return true;
}

// Recovery uses what was committed before the first damage. A transaction is synced before the next
// one is written: so frames after the last commit, and the last commit itself, may be torn by a
// power cut, before anybody was told that they are kept. Damage is what a second commit follows.
void Verification::noteFrame(std::int64_t frame) {
  const bool headed = format_.openFrameHeader(frame, sealed_.data(), plain_.data());
  if (headed && std::memcmp(plain_.data() + 8, salt_.data(), salt_.size()) != 0) {
    if (staleFrame_ == 0) staleFrame_ = frame;
    return;
  }
  // Recovery ends at a frame of an earlier generation, which a write that was lost left there.
  if (staleFrame_ != 0) noteLogDamage(staleFrame_);
  const std::uint32_t number = headed ? loadBigEndian32(plain_.data()) : 0;
  const bool commits = headed && loadBigEndian32(plain_.data() + 4) != 0;
  const bool opens =
      headed && format_.openPage(PageDomain::kStore, number, sealed_.data() + kFrameHeaderSize,
                                 plain_.data() + kFrameHeaderSize);
  if (!opens) noteLogDamage(frame);
  if (!logDamage_.empty()) {
    if (commits && ++commitsFromDamage_ == 2) damage_.push_back(logDamage_);
    return;
  }
  open_[number] = frame;
  if (!commits) return;
  pagesCommitted_ = loadBigEndian32(plain_.data() + 4);
  for (const auto& [page, at] : open_) committed_[page] = at;
  open_.clear();
}

void Verification::noteLogDamage(std::int64_t frame) {
  if (!logDamage_.empty()) return;
  logDamage_ = "The log of " + store_.path() + " is damaged at byte " + std::to_string(frame) +
               ": what was committed after that is not recovered.";
}

void Verification::readPages() {
  for (std::int64_t offset = 0; offset < store_.size(); offset += kPageStep) {
    const auto number = static_cast<std::uint32_t>(offset / kPageStep + 1);
    if (opensPage(offset, number) || committed_.contains(number)) continue;
    damage_.push_back("Page " + std::to_string(number) + " of " + store_.path() +
                      " does not authenticate.");
  }
}

void Verification::checkEnd() {
  std::uint32_t missing = firstPageMissing();
  // Beside a checkpoint that is at work, the log as it was read no longer says all.
  for (int attempt = 0; missing != 0 && attempt < kTries; ++attempt) {
    Verification again(store_);
    again.readLog();
    missing = again.firstPageMissing();
  }
  if (missing == 0) return;
  damage_.push_back(store_.path() + " is cut short: page " + std::to_string(missing) +
                    " is not there.");
}

// 0: none. How many there must be is said by the last commit in the log, or by page 1.
std::uint32_t Verification::firstPageMissing() {
  constexpr std::size_t kPagesInHeader = 28;
  std::uint32_t expected = pagesCommitted_;
  if (expected == 0 && store_.size() > 0 && opensPage(0, 1)) {
    expected = loadBigEndian32(plain_.data() + kPagesInHeader);
  }
  auto number = static_cast<std::uint32_t>(store_.size() / kPageStep) + 1;
  while (number <= expected && committed_.contains(number)) ++number;
  return number <= expected ? number : 0;
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

#include "storage/log_file.h"

#include <cstring>
#include <string_view>
#include <utility>

namespace waystation::storage {

namespace {

constexpr auto kHeaderEnd = static_cast<std::int64_t>(kLogHeaderSize);
constexpr auto kFrameStep = static_cast<std::int64_t>(kFrameSize);
constexpr std::size_t kSealSize = kPageSize - kPageSealedSize;

std::int64_t frameAt(std::int64_t offset) {
  return kHeaderEnd + (offset - kHeaderEnd) / kFrameStep * kFrameStep;
}

}  // namespace

LogFile::LogFile(std::unique_ptr<PlainFile> plain, MainFile& main)
    : OpenFile(std::move(plain)),
      main_(main),
      format_(main.store()->keys(), main.store()->random()) {
  main_.setLog(this);
}

LogFile::~LogFile() {
  // SQLite closes a log only after it has synced what it needs; what waits here was abandoned.
  main_.setLog(nullptr);
}

bool LogFile::lastPageIs(std::uint32_t number, const char* plain) const {
  // Under an older key it goes to the database sealed anew.
  return lastPage_ == number &&
         PageFormat::epochOf(lastSealedPage()) == main_.store()->keys().current() &&
         std::memcmp(lastPlain_.data(), plain, kPageSize) == 0;
}

int LogFile::read(char* out, std::size_t size, std::int64_t offset) {
  if (const int result = flushHeader(); result != SQLITE_OK) return result;
  frameReadWhole_ = -1;
  if (offset < kHeaderEnd) return readHeader(out, size, offset);
  const std::int64_t frame = frameAt(offset);
  const auto within = static_cast<std::size_t>(offset - frame);
  if (within + size > kFrameSize) return SQLITE_IOERR_READ;
  const int result = plain().read(frame_.data(), kFrameSize, frame);
  if (result != SQLITE_OK) {
    std::memset(out, 0, size);
    return result;
  }
  if (within == 0 && size == kFrameSize) return readFrame(out, frame);
  if (within >= kFrameHeaderSize) return readPage(out, size, frame, within - kFrameHeaderSize);
  if (within + size > kFrameHeaderSize) return SQLITE_IOERR_READ;
  std::array<char, kFrameHeaderSize> header;
  if (!format_.openFrameHeader(frame, frame_.data(), header.data())) return main_.damaged(0);
  std::memcpy(out, header.data() + within, size);
  return SQLITE_OK;
}

int LogFile::readHeader(char* out, std::size_t size, std::int64_t offset) {
  const auto within = static_cast<std::size_t>(offset);
  if (within + size > kLogHeaderSize) return SQLITE_IOERR_READ;
  std::array<char, kLogHeaderSize> sealed;
  std::array<char, kLogHeaderSize> header{};
  const int result = plain().read(sealed.data(), kLogHeaderSize, 0);
  // A header that is not ours reads as zeros: SQLite takes that for a log with nothing in it.
  if (result == SQLITE_OK) format_.openLogHeader(sealed.data(), header.data());
  std::memcpy(out, header.data() + within, size);
  return result;
}

// Recovery reads so. A frame that does not authenticate is the end of the log, as a torn one is;
// zeros have a salt that no log has.
int LogFile::readFrame(char* out, std::int64_t frame) {
  frameReadWhole_ = frame;
  if (format_.openFrameHeader(frame, frame_.data(), out) &&
      format_.openPage(PageDomain::kStore, loadBigEndian32(out), frame_.data() + kFrameHeaderSize,
                       out + kFrameHeaderSize)) {
    return SQLITE_OK;
  }
  std::memset(out, 0, kFrameSize);
  return SQLITE_OK;
}

int LogFile::readPage(char* out, std::size_t size, std::int64_t frame, std::size_t within) {
  std::array<char, kFrameHeaderSize> header;
  lastPage_ = 0;
  if (!format_.openFrameHeader(frame, frame_.data(), header.data())) {
    std::memset(out, 0, size);
    return main_.damaged(0);
  }
  const std::uint32_t number = loadBigEndian32(header.data());
  if (!format_.openPage(PageDomain::kStore, number, frame_.data() + kFrameHeaderSize,
                        lastPlain_.data())) {
    std::memset(out, 0, size);
    return main_.damaged(number);
  }
  std::memcpy(out, lastPlain_.data() + within, size);
  lastFrame_.swap(frame_);
  lastPage_ = number;
  return SQLITE_OK;
}

int LogFile::write(const char* bytes, std::size_t size, std::int64_t offset) {
  // What was read wrong would be built upon.
  if (main_.hasMetDamage()) return SQLITE_IOERR_DATA;
  if (offset == 0 && size == kLogHeaderSize) {
    const int result = flushHeader();
    return result == SQLITE_OK ? writeHeader(bytes) : result;
  }
  if (offset < kHeaderEnd) return SQLITE_IOERR_WRITE;
  const std::int64_t frame = frameAt(offset);
  const auto within = static_cast<std::size_t>(offset - frame);
  const bool standsAlone = std::exchange(frameReadWhole_, -1) == frame;
  if (within == 0 && size == kFrameHeaderSize) {
    if (const int result = flushHeader(); result != SQLITE_OK) return result;
    // Page 0 is no page: SQLite would have read zeros from a frame that does not authenticate.
    if (loadBigEndian32(bytes) == 0) return SQLITE_IOERR_WRITE;
    noteCommit(bytes, frame);
    if (standsAlone) return writeFrameHeader(bytes, frame);
    pendingFrame_ = frame;
    std::memcpy(pendingHeader_.data(), bytes, kFrameHeaderSize);
    return SQLITE_OK;
  }
  if (within == kFrameHeaderSize && size == kPageSize) return writePage(bytes, frame);
  return SQLITE_IOERR_WRITE;
}

// While a transaction overwrites pages that it has written to the log before, SQLite leaves salt
// and checksum of the headers zero, and fills them in before the commit. SQLite 3.40.1 forgets to
// after a rollback to a savepoint (or of a failed statement): the commit looks done, and recovery
// drops it.
void LogFile::noteCommit(const char* header, std::int64_t frame) {
  constexpr std::string_view kNoSalt{"\0\0\0\0\0\0\0\0", 8};
  const bool unfinished = std::string_view(header + 8, kNoSalt.size()) == kNoSalt;
  if (unfinished && loadBigEndian32(header + 4) != 0) {
    unfinishedCommit_ = frame;
  } else if (unfinishedCommit_ == frame) {
    unfinishedCommit_ = -1;
  }
}

int LogFile::writeHeader(const char* bytes) {
  std::array<char, kLogHeaderSize> sealed;
  if (!format_.sealLogHeader(bytes, sealed.data())) return SQLITE_IOERR_WRITE;
  return plain().write(sealed.data(), kLogHeaderSize, 0);
}

int LogFile::writePage(const char* bytes, std::int64_t frame) {
  char* const page = frame_.data() + kFrameHeaderSize;
  if (pendingFrame_ == frame) {
    pendingFrame_ = -1;
    const std::uint32_t number = loadBigEndian32(pendingHeader_.data());
    if (!PageFormat::isOfOurShape(number, bytes)) return SQLITE_IOERR_WRITE;
    format_.sealPage(PageDomain::kStore, number, bytes, page);
    format_.sealFrameHeader(frame, pendingHeader_.data(), frame_.data());
    return plain().write(frame_.data(), kFrameSize, frame);
  }
  // The page alone, in a frame of the running transaction; its header follows before the commit.
  if (const int result = flushHeader(); result != SQLITE_OK) return result;
  std::array<char, kFrameHeaderSize> header;
  if (const int result = plain().read(frame_.data(), kFrameSize, frame);
      result != SQLITE_OK && result != SQLITE_IOERR_SHORT_READ) {
    return result;
  }
  if (!format_.openFrameHeader(frame, frame_.data(), header.data())) return main_.damaged(0);
  const std::uint32_t number = loadBigEndian32(header.data());
  if (!PageFormat::isOfOurShape(number, bytes)) return SQLITE_IOERR_WRITE;
  format_.sealPage(PageDomain::kStore, number, bytes, page);
  // Without the last 16 bytes: the seal of the header stays.
  return plain().write(page, kPageSealedSize, frame + static_cast<std::int64_t>(kFrameHeaderSize));
}

int LogFile::flushHeader() {
  if (pendingFrame_ < 0) return SQLITE_OK;
  return writeFrameHeader(pendingHeader_.data(), std::exchange(pendingFrame_, -1));
}

int LogFile::writeFrameHeader(const char* header, std::int64_t frame) {
  format_.sealFrameHeader(frame, header, frame_.data());
  const int result = plain().write(frame_.data(), kFrameHeaderSize, frame);
  if (result != SQLITE_OK) return result;
  const std::size_t seal = kFrameSize - kSealSize;
  return plain().write(frame_.data() + seal, kSealSize, frame + static_cast<std::int64_t>(seal));
}

int LogFile::truncate(std::int64_t size) {
  const int result = flushHeader();
  return result == SQLITE_OK ? OpenFile::truncate(size) : result;
}

int LogFile::sync(int flags) {
  const int result = flushHeader();
  if (std::exchange(unfinishedCommit_, -1) >= 0) {
    sqlite3_log(SQLITE_IOERR_WRITE, "refused a commit that recovery would drop");
    return SQLITE_IOERR_WRITE;
  }
  return result == SQLITE_OK ? OpenFile::sync(flags) : result;
}

int LogFile::size(std::int64_t& size) {
  const int result = flushHeader();
  return result == SQLITE_OK ? OpenFile::size(size) : result;
}

}  // namespace waystation::storage

#include "storage/journal_file.h"

#include <cstring>
#include <string_view>
#include <utility>

namespace waystation::storage {

namespace {

constexpr std::size_t kWordSize = 4;
constexpr std::size_t kMagicSize = 8;
constexpr auto kHeaderStep = static_cast<std::int64_t>(kJournalHeaderSize);
constexpr auto kPageStep = static_cast<std::int64_t>(kPageSize);
// The page that SQLite never uses, at 1 GiB: as the number of a record it announces the name of a
// super-journal. Behind the name: its length, its checksum, and the magic.
constexpr std::uint32_t kNoPage = 0x40000000 / kPageSize + 1;
constexpr std::int64_t kAfterName = 2 * kWordSize + kMagicSize;

int endOfJournal(char* out, std::size_t size) {
  std::memset(out, 0, size);
  return SQLITE_IOERR_SHORT_READ;
}

}  // namespace

JournalFile::JournalFile(std::unique_ptr<PlainFile> plain, std::shared_ptr<StoreFile> store)
    : OpenFile(std::move(plain)),
      store_(std::move(store)),
      format_(store_->keys(), store_->random()) {}

// SQLite reads a first byte, magics, words and pages; another size comes from a header that is not
// ours, and would be taken as it stands.
int JournalFile::read(char* out, std::size_t size, std::int64_t offset) {
  if (isOfSuperJournal(offset, size)) return plain().read(out, size, offset);
  switch (size) {
    case 1:
      return plain().read(out, size, offset);
    case kWordSize:
      return readWord(out, offset);
    case kMagicSize:
      return readMagic(out, offset);
    case kPageSize:
      return readPage(out, offset);
    default:
      return endOfJournal(out, size);
  }
}

// The end of a journal that belongs to a transaction over several databases is in the clear: a
// name.
bool JournalFile::isOfSuperJournal(std::int64_t offset, std::size_t size) const {
  return nameEnd_ >= 0 && offset + static_cast<std::int64_t>(size) == nameEnd_;
}

int JournalFile::readMagic(char* out, std::int64_t offset) {
  std::int64_t end = 0;
  if (const int result = plain().size(end); result != SQLITE_OK) return result;
  if (offset + static_cast<std::int64_t>(kMagicSize) == end) {
    nameEnd_ = end - kAfterName;
    return plain().read(out, kMagicSize, offset);
  }
  std::array<char, kJournalSealOffset + 16> header;
  const int result = plain().read(header.data(), header.size(), offset);
  if (result != SQLITE_OK) return endOfJournal(out, kMagicSize);
  if (offset % kHeaderStep != 0 || !format_.isOurJournalHeader(offset, header.data())) {
    std::memset(out, 0, kMagicSize);
    return SQLITE_OK;
  }
  std::memcpy(out, header.data(), kMagicSize);
  return SQLITE_OK;
}

int JournalFile::readWord(char* out, std::int64_t offset) {
  const int result = plain().read(out, kWordSize, offset);
  if (result == SQLITE_OK && pageOffset_ >= 0 && offset == pageOffset_ + kPageStep) {
    if (!format_.maskJournalChecksum(sealed_.data(), out)) return endOfJournal(out, kWordSize);
  }
  return result;
}

int JournalFile::readPage(char* out, std::int64_t offset) {
  std::array<char, kWordSize> word;
  pageOffset_ = -1;
  if (offset < static_cast<std::int64_t>(kWordSize)) return endOfJournal(out, kPageSize);
  int result = plain().read(word.data(), kWordSize, offset - static_cast<std::int64_t>(kWordSize));
  if (result == SQLITE_OK) result = plain().read(sealed_.data(), kPageSize, offset);
  if (result == SQLITE_IOERR_SHORT_READ) return endOfJournal(out, kPageSize);
  if (result != SQLITE_OK) return result;
  const std::uint32_t number = loadBigEndian32(word.data());
  if (!format_.openPage(PageDomain::kJournal, number, sealed_.data(), out)) {
    return endOfJournal(out, kPageSize);
  }
  pageOffset_ = offset;
  return SQLITE_OK;
}

int JournalFile::write(const char* bytes, std::size_t size, std::int64_t offset) {
  if (std::exchange(nameOffset_, -1) == offset) return plain().write(bytes, size, offset);
  switch (size) {
    case kWordSize:
      return writeWord(bytes, offset);
    case kPageSize:
      return writePage(bytes, offset);
    case kJournalHeaderSize:
      return writeHeader(bytes, offset);
    case kMagicSize:              // the end of a super-journal's name
    case 1:                       // ends an older header
    case kMagicSize + kWordSize:  // magic and the count of records
    case kJournalSealOffset:      // zeros over the first header: the journal is over
      return plain().write(bytes, size, offset);
    default:
      return SQLITE_IOERR_WRITE;
  }
}

int JournalFile::writeWord(const char* bytes, std::int64_t offset) {
  std::array<char, kWordSize> word;
  std::memcpy(word.data(), bytes, kWordSize);
  if (loadBigEndian32(bytes) == kNoPage)
    nameOffset_ = offset + static_cast<std::int64_t>(kWordSize);
  if (pageOffset_ >= 0 && offset == pageOffset_ + kPageStep) {
    if (!format_.maskJournalChecksum(sealed_.data(), word.data())) return SQLITE_IOERR_WRITE;
  }
  return plain().write(word.data(), kWordSize, offset);
}

int JournalFile::writePage(const char* bytes, std::int64_t offset) {
  std::array<char, kWordSize> word;
  pageOffset_ = -1;
  const int result =
      plain().read(word.data(), kWordSize, offset - static_cast<std::int64_t>(kWordSize));
  if (result != SQLITE_OK) return result;
  const std::uint32_t number = loadBigEndian32(word.data());
  if (!PageFormat::isOfOurShape(number, bytes)) return SQLITE_IOERR_WRITE;
  format_.sealPage(PageDomain::kJournal, number, bytes, sealed_.data());
  pageOffset_ = offset;
  return plain().write(sealed_.data(), kPageSize, offset);
}

int JournalFile::writeHeader(const char* bytes, std::int64_t offset) {
  std::array<char, kJournalHeaderSize> header;
  std::memcpy(header.data(), bytes, kJournalHeaderSize);
  const crypto::MacBlock seal = format_.journalHeaderSeal(offset, bytes);
  std::memcpy(header.data() + kJournalSealOffset, seal.data(), seal.size());
  return plain().write(header.data(), kJournalHeaderSize, offset);
}

}  // namespace waystation::storage

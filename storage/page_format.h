#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "crypto/page_cipher.h"
#include "crypto/random.h"
#include "storage/key_epochs.h"

namespace waystation::storage {

// The bytes of docs/spec/store-format.md, apart from any file.

inline constexpr std::size_t kPageSize = 4096;
inline constexpr std::size_t kReservedSize = 64;
inline constexpr std::size_t kPageBodySize = kPageSize - kReservedSize;
// What of a sealed page goes from the log to the database; the rest is the place's own.
inline constexpr std::size_t kPageSealedSize = kPageSize - 16;
inline constexpr std::size_t kKeyCheckSize = 16;
inline constexpr std::size_t kLogHeaderSize = 32;
inline constexpr std::size_t kFrameHeaderSize = 24;
inline constexpr std::size_t kFrameSize = kFrameHeaderSize + kPageSize;
inline constexpr std::size_t kJournalHeaderSize = 512;
inline constexpr std::size_t kJournalSealOffset = 28;
// A page number and a sealed page, in the file of a rotation.
inline constexpr std::size_t kBatchRecordSize = 4 + kPageSize;
// SQLite's magic, which page 1 begins with.
inline constexpr std::string_view kSqliteMagic{"SQLite format 3", 16};

enum class PageDomain { kStore, kJournal };

// Seals pages and headers under the current epoch's keys, and opens those of every epoch there is.
// Not for two threads at once; keys and random must outlive it.
class PageFormat {
 public:
  PageFormat(const KeyEpochs& keys, crypto::Random& random) : keys_(keys), random_(random) {}

  // The epoch under which a page says it was sealed.
  static std::uint32_t epochOf(const char* sealed);

  // Whether SQLite's page may be kept here: reserved tail zero, and page 1 of our shape.
  static bool isOfOurShape(std::uint32_t number, const char* plain);

  // All kPageSize bytes; the last 16 as they are in the database. Throws Failure when randomness or
  // the cipher fail.
  void sealPage(PageDomain domain, std::uint32_t number, const char* plain, char* sealed);
  // False, with `plain` zeroed, when the page is not what was sealed there.
  bool openPage(PageDomain domain, std::uint32_t number, const char* sealed, char* plain);
  // Sets the last 16 bytes as they are in the database, after a copy from the log.
  void setStoreTail(std::uint32_t number, char* sealed) const;

  // `frame`: kFrameSize bytes. Writes header and seal, leaves the rest.
  void sealFrameHeader(std::int64_t offset, const char* header, char* frame);
  bool openFrameHeader(std::int64_t offset, const char* frame, char* header);

  // False when these are not a header that this machine's SQLite writes.
  bool sealLogHeader(const char* plain, char* sealed);
  bool openLogHeader(const char* sealed, char* plain);

  // The 16 bytes at kJournalSealOffset of a journal header.
  crypto::MacBlock journalHeaderSeal(std::int64_t offset, const char* header);
  // `header`: kJournalHeaderSize bytes.
  bool isOurJournalHeader(std::int64_t offset, const char* header);
  // Masks or unmasks the 4 bytes after a journalled page. False when the page's epoch is gone.
  bool maskJournalChecksum(const char* sealedPage, char* checksum);

 private:
  struct Ciphers {
    Ciphers(std::uint32_t number, const StoreKeys& keys, crypto::Random& random)
        : epoch(number),
          pages(keys.page.view(), random),
          headers(keys.seal.view(), keys.mask.view()) {}
    std::uint32_t epoch;
    crypto::PageCipher pages;
    crypto::HeaderCipher headers;
  };

  // Null when there is no such epoch.
  Ciphers* find(std::uint32_t epoch);
  // Throws Failure("store.wrong-key") in place of null.
  Ciphers& current();
  // Whether `opens` is true for the header cipher of some epoch, the current one being tried first.
  template <typename Opens>
  bool anyHeader(Opens opens);
  std::array<char, 28> associatedData(PageDomain domain, std::uint32_t number,
                                      std::uint32_t epoch) const;

  const KeyEpochs& keys_;
  crypto::Random& random_;
  std::uint64_t generation_ = 0;
  std::vector<std::unique_ptr<Ciphers>> ciphers_;
};

std::uint32_t loadBigEndian32(const char* bytes);
void storeBigEndian32(char* bytes, std::uint32_t value);

}  // namespace waystation::storage

#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "storage/open_file.h"
#include "storage/page_format.h"
#include "storage/store_file.h"

namespace waystation::storage {

// The rollback journal: sealed pages, masked checksums, sealed headers
// (docs/spec/store-format.md, section 4).
class JournalFile final : public OpenFile {
 public:
  JournalFile(std::unique_ptr<PlainFile> plain, std::shared_ptr<StoreFile> store);

  int read(char* out, std::size_t size, std::int64_t offset) override;
  int write(const char* bytes, std::size_t size, std::int64_t offset) override;

 private:
  bool isOfSuperJournal(std::int64_t offset, std::size_t size) const;
  int readMagic(char* out, std::int64_t offset);
  int readPage(char* out, std::int64_t offset);
  int readWord(char* out, std::int64_t offset);
  int writePage(const char* bytes, std::int64_t offset);
  int writeWord(const char* bytes, std::int64_t offset);
  int writeHeader(const char* bytes, std::int64_t offset);

  std::shared_ptr<StoreFile> store_;
  PageFormat format_;
  // The page read or written last, whose checksum follows it.
  std::int64_t pageOffset_ = -1;
  std::array<char, kPageSize> sealed_;
  // Where the name of a super-journal is about to be written, and where the words after the one
  // that was found begin. -1: nowhere.
  std::int64_t nameOffset_ = -1;
  std::int64_t nameEnd_ = -1;
};

}  // namespace waystation::storage

#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "storage/open_file.h"
#include "storage/store_file.h"

namespace waystation::storage {

class LogFile;

// The database file: whole sealed pages (docs/spec/store-format.md, section 2).
class MainFile final : public OpenFile {
 public:
  // Our own file control: a std::uint32_t gets the number of the last page that did not
  // authenticate in this connection, 0 when there was none.
  static constexpr int kDamagedPageControl = 0x57415953;

  MainFile(std::unique_ptr<PlainFile> plain, std::shared_ptr<StoreFile> store);
  ~MainFile() override;

  int read(char* out, std::size_t size, std::int64_t offset) override;
  int write(const char* bytes, std::size_t size, std::int64_t offset) override;
  int truncate(std::int64_t size) override;
  int control(int operation, void* argument) override;
  int lock(int level) override;
  int unlock(int level) override;
  int checkReservedLock(int& reserved) override;
  int mapIndex(int region, int size, bool extend, volatile void** memory) override;
  int lockIndex(int first, int count, int flags) override;
  void indexBarrier() override;
  void unmapIndex() override;

  const std::shared_ptr<StoreFile>& store() const { return store_; }
  // The connection's log, while it is open: a checkpoint takes sealed pages from it.
  void setLog(LogFile* log) { log_ = log; }
  // Remembers the page for the failure's sentence, and that this connection must write no more;
  // always SQLITE_IOERR_DATA.
  int damaged(std::uint32_t number);
  bool hasMetDamage() const { return hasMetDamage_; }

 private:
  int readPage(std::uint32_t number, char* out);
  int readFileHeader(char* out);
  void reserveTail();
  int writeRaw(std::uint32_t number);
  // Sealed zero pages from the end of the file up to `size`.
  int fillTo(std::int64_t size);

  std::shared_ptr<StoreFile> store_;
  PageFormat format_;
  WalIndex::Holder holder_;
  ConnectionLocks::Holder lock_;
  LogFile* log_ = nullptr;
  sqlite3* connection_ = nullptr;  // the one that opened this file
  std::uint32_t damagedPage_ = 0;
  bool hasMetDamage_ = false;
  std::array<char, kPageSize> sealed_;
  std::array<char, kPageSize> plain_;
};

}  // namespace waystation::storage

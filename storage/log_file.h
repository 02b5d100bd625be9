#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "storage/main_file.h"
#include "storage/open_file.h"

namespace waystation::storage {

// The write-ahead log: sealed headers and pages (docs/spec/store-format.md, section 3).
class LogFile final : public OpenFile {
 public:
  LogFile(std::unique_ptr<PlainFile> plain, MainFile& main);
  ~LogFile() override;

  int read(char* out, std::size_t size, std::int64_t offset) override;
  int write(const char* bytes, std::size_t size, std::int64_t offset) override;
  int truncate(std::int64_t size) override;
  int sync(int flags) override;
  int size(std::int64_t& size) override;

  // Whether the page read last from the log, and authenticated, is this one with this content.
  bool lastPageIs(std::uint32_t number, const char* plain) const;
  const char* lastSealedPage() const { return lastFrame_.data() + kFrameHeaderSize; }

 private:
  int readHeader(char* out, std::size_t size, std::int64_t offset);
  int readFrame(char* out, std::int64_t frame);
  int readPage(char* out, std::size_t size, std::int64_t frame, std::size_t within);
  int writeHeader(const char* bytes);
  int writePage(const char* bytes, std::int64_t frame);
  // Writes the header that waits for its page, as a header alone.
  int flushHeader();
  int writeFrameHeader(const char* header, std::int64_t frame);
  void noteCommit(const char* header, std::int64_t frame);

  MainFile& main_;
  PageFormat format_;

  // SQLite writes a frame's header, then its page; both go out together.
  std::int64_t pendingFrame_ = -1;
  std::array<char, kFrameHeaderSize> pendingHeader_;
  // The frame that SQLite read whole just now: a header written there next stands alone.
  std::int64_t frameReadWhole_ = -1;

  // A commit whose header SQLite has yet to write for good. -1: none.
  std::int64_t unfinishedCommit_ = -1;

  // Not arrays: the two are swapped for every page that is read.
  std::vector<char> frame_ = std::vector<char>(kFrameSize);
  // What a checkpoint may copy.
  std::uint32_t lastPage_ = 0;
  std::vector<char> lastFrame_ = std::vector<char>(kFrameSize);
  std::array<char, kPageSize> lastPlain_;
};

}  // namespace waystation::storage

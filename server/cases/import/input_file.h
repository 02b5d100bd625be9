#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

namespace waystation::cases {

// The bytes of a file from beginning to end; a file packed with zstd (RFC 8878) is unpacked on the
// way, whatever its name. Memory is bounded whatever the file unpacks to.
class InputFile {
 public:
  // Throws Failure("import.unreadable").
  explicit InputFile(const std::filesystem::path& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  // The next bytes, valid until the next call; empty at the end. Throws
  // Failure("import.unreadable") and Failure("import.damaged") for a zstd stream that is broken or
  // ends too early.
  std::string_view read();

  // Of the file as it lies on the disk, for showing progress.
  std::uint64_t bytesDone() const;
  std::uint64_t bytesTotal() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace waystation::cases

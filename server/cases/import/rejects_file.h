#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "server/cases/import/source_row.h"

namespace waystation::cases {

enum class RejectsFormat { kCsv, kJsonl };

// The rows that an import did not take, each with its line number, reason code, reason sentence and
// its text as it stood in the file. The file is made with the first of them, readable by its owner
// alone (it holds personal data); an older one of the same name goes away at the start.
class RejectsFile {
 public:
  // Throws Failure("import.rejects-unwritable").
  RejectsFile(std::filesystem::path path, RejectsFormat format);

  // Throws Failure("import.rejects-unwritable").
  void add(const SourceRow& row, const RowFault& fault);

  // Brings everything to the disk. Throws as above.
  void close();

  std::uint64_t count() const { return count_; }
  const std::filesystem::path& path() const { return path_; }

 private:
  struct CloseFile {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };

  void open();
  void write(const std::string& text);
  [[noreturn]] void fail() const;

  std::filesystem::path path_;
  RejectsFormat format_;
  std::unique_ptr<std::FILE, CloseFile> file_;
  std::uint64_t count_ = 0;
};

}  // namespace waystation::cases

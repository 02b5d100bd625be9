#include "server/cases/import/rejects_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <string>

#include "crypto/failure.h"
#include "server/cases/text_check.h"

namespace waystation::cases {

namespace {

// A cell that a spreadsheet shows as it is: one that begins like a formula would be carried out.
std::string cellOf(const std::string& text) {
  std::string cell = "\"";
  if (!text.empty() && std::string_view("=+-@\t\r").find(text[0]) != std::string_view::npos) {
    cell += '\'';
  }
  for (const char c : showable(text)) {
    if (c == '"') cell += '"';
    cell += c;
  }
  return cell + "\"";
}

}  // namespace

RejectsFile::RejectsFile(std::filesystem::path path, RejectsFormat format)
    : path_(std::move(path)), format_(format) {
  std::error_code error;
  std::filesystem::remove(path_, error);
  if (error) fail();
}

void RejectsFile::fail() const {
  throw Failure("import.rejects-unwritable",
                "The file for rejected rows, " + path_.string() +
                    ", cannot be written; free space or name another place for it. What was saved "
                    "before stays saved.");
}

void RejectsFile::open() {
  const int descriptor =
      ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (descriptor < 0) fail();
  file_.reset(::fdopen(descriptor, "wb"));
  if (!file_) {
    ::close(descriptor);
    fail();
  }
  if (format_ == RejectsFormat::kCsv) write("line,code,reason,text\r\n");
}

void RejectsFile::write(const std::string& text) {
  if (std::fwrite(text.data(), 1, text.size(), file_.get()) != text.size()) fail();
}

void RejectsFile::add(const SourceRow& row, const RowFault& fault) {
  if (!file_) open();
  ++count_;
  if (format_ == RejectsFormat::kCsv) {
    write(std::to_string(row.line) + "," + fault.code + "," + cellOf(fault.sentence) + "," +
          cellOf(row.text) + "\r\n");
  } else {
    const nlohmann::json line = {{"line", row.line},
                                 {"code", fault.code},
                                 {"reason", showable(fault.sentence)},
                                 {"text", showable(row.text)}};
    write(line.dump() + "\n");
  }
}

void RejectsFile::close() {
  if (!file_) return;
  if (std::fflush(file_.get()) != 0 || ::fsync(::fileno(file_.get())) != 0) fail();
  file_.reset();
}

}  // namespace waystation::cases

#include "server/cases/import/jsonl_reader.h"

#include <algorithm>

#include "crypto/failure.h"
#include "server/cases/text_check.h"
#include "server/http/json.h"

namespace waystation::cases {

namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

JsonlReader::JsonlReader(ByteSource source, RowLimits limits)
    : source_(std::move(source)), limits_(limits) {}

// The next line without its end; false at the end of the file. Of a line that is too long only the
// beginning is kept.
bool JsonlReader::takeLine(std::string& text, bool& isTooLong) {
  text.clear();
  isTooLong = false;
  bool hasAny = false;
  for (;;) {
    if (at_ == buffer_.size()) {
      buffer_ = isAtEnd_ ? std::string() : std::string(source_());
      at_ = 0;
      if (buffer_.empty()) {
        isAtEnd_ = true;
        return hasAny;
      }
    }
    hasAny = true;
    const std::size_t end = buffer_.find('\n', at_);
    const std::size_t until = std::min(end, buffer_.size());
    const std::size_t room = limits_.rowBytes - text.size();
    isTooLong = isTooLong || until - at_ > room;
    text.append(buffer_, at_, std::min(until - at_, room));
    at_ = until;
    if (end == std::string::npos) continue;
    ++at_;
    return true;
  }
}

std::optional<JsonlReader::Line> JsonlReader::next() {
  std::string text;
  bool isTooLong = false;
  while (takeLine(text, isTooLong)) {
    ++line_;
    if (line_ == 1 && text.compare(0, kByteOrderMark.size(), kByteOrderMark) == 0) {
      text.erase(0, kByteOrderMark.size());
    }
    if (trimmed(text).empty() && !isTooLong) continue;
    Line line;
    line.row.line = line_;
    line.row.text = std::string(trimmed(text)).substr(0, kShownRowBytes);
    if (isTooLong) {
      line.row.fault = {"jsonl.line-too-long",
                        "The line is longer than " + std::to_string(limits_.rowBytes) + " bytes."};
      return line;
    }
    try {
      line.object = http::parseJson(trimmed(text));
      if (!line.object.is_object()) {
        line.object = nullptr;
        line.row.fault = {"jsonl.not-an-object", "The line is not a JSON object { ... }."};
      }
    } catch (const Failure& failure) {
      line.row.fault = {failure.code(), failure.what()};
    }
    return line;
  }
  return std::nullopt;
}

}  // namespace waystation::cases

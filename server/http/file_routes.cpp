#include "server/http/file_routes.h"

#include <algorithm>
#include <charconv>

#include "crypto/failure.h"
#include "server/access/record_access.h"
#include "server/cases/files.h"

namespace waystation::http {
namespace {

using access::Account;
using access::Entrance;
using access::RecordAccess;

// Larger answers are written piece by piece.
constexpr std::uint64_t kMostAtOnce = std::uint64_t{1} << 20;
constexpr std::string_view kJpegBegins = "\xff\xd8\xff";

// Bytes of a file, the last included.
struct Range {
  std::uint64_t first = 0;
  std::uint64_t last = 0;
};

std::optional<std::uint64_t> numberIn(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// One range (RFC 9110, section 14): "bytes=0-99", "bytes=100-", "bytes=-100". Nothing where none is
// asked for, or several, which means the whole. Throws Failure("http.range") beyond the end.
std::optional<Range> rangeOf(const Request& request, std::uint64_t size, const std::string& tag) {
  const std::string field = request.header("range").value_or("");
  constexpr std::string_view kUnit = "bytes=";
  if (!field.starts_with(kUnit) || field.find(',') != std::string::npos) return std::nullopt;
  if (const auto still = request.header("if-range"); still && *still != tag) return std::nullopt;
  const std::string_view asked = std::string_view(field).substr(kUnit.size());
  const std::size_t dash = asked.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::optional<std::uint64_t> first = numberIn(asked.substr(0, dash));
  const std::optional<std::uint64_t> last = numberIn(asked.substr(dash + 1));
  if (!first && !last) return std::nullopt;
  Range range{first.value_or(size - std::min(size, last.value_or(0))), size - 1};
  if (first && last) range.last = std::min(*last, size - 1);
  if (range.first >= size || range.first > range.last) {
    throw Failure("http.range",
                  "The file ends before that. It has " + std::to_string(size) + " bytes.");
  }
  return range;
}

// RFC 6266 and RFC 8187: the name as it is, percent-encoded, and a plain one beside it.
std::string dispositionOf(const std::string& name) {
  constexpr const char* kDigits = "0123456789ABCDEF";
  std::string plain;
  std::string encoded;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    const bool isPlain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                         (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
    plain += isPlain ? c : '_';
    if (isPlain) {
      encoded += c;
    } else {
      encoded += {'%', kDigits[byte >> 4U], kDigits[byte & 15U]};
    }
  }
  return "attachment; filename=\"" + plain + "\"; filename*=UTF-8''" + encoded;
}

// Whatever it is: never shown as a page, never run.
Response contentOf(server::Node& node, const Request& request, const cases::HeldFile& file) {
  const std::string tag = "\"" + file.sha256 + "\"";
  const std::optional<Range> asked = rangeOf(request, file.size, tag);
  const Range range = asked.value_or(Range{0, file.size - 1});
  Response response;
  response.status = asked ? 206 : 200;
  response.headers = {{"Content-Type", "application/octet-stream"},
                      {"Content-Disposition", dispositionOf(file.name)},
                      {"Content-Security-Policy", "sandbox; default-src 'none'"},
                      {"Accept-Ranges", "bytes"},
                      {"ETag", tag}};
  if (asked) {
    response.headers["Content-Range"] = "bytes " + std::to_string(range.first) + "-" +
                                        std::to_string(range.last) + "/" +
                                        std::to_string(file.size);
  }
  const std::uint64_t length = range.last - range.first + 1;
  if (length <= kMostAtOnce) {
    response.body = cases::readFile(node, file, range.first, static_cast<std::size_t>(length));
    return response;
  }
  response.stream = [&node, file, range](BodyWriter& writer) {
    for (std::uint64_t at = range.first; at <= range.last; at += kMostAtOnce) {
      const std::uint64_t size = std::min(kMostAtOnce, range.last - at + 1);
      writer.write(cases::readFile(node, file, at, static_cast<std::size_t>(size)));
    }
  };
  return response;
}

Response thumbnailOf(server::Node& node, const cases::HeldFile& file) {
  Response response;
  response.headers = {{"Content-Type", "image/jpeg"},
                      {"Content-Disposition", "inline"},
                      {"Content-Security-Policy", "sandbox; default-src 'none'"}};
  response.body = cases::readFile(node, file, 0, static_cast<std::size_t>(file.size));
  if (!response.body.starts_with(kJpegBegins)) {
    throw Failure("file.not-found", "This record has no small picture.");
  }
  return response;
}

// The content of a file has no part that could be masked.
void requireContent(server::Node& node, const Account& account, const std::string& id,
                    const char* deed) {
  if (RecordAccess(node, account).requireRead(id, deed).isMasked) {
    throw Failure("access.refused", "Your role does not see what is sensitive, such as files.");
  }
}

void addUploadRoutes(Router& router, server::Node& node, Entrance& entrance) {
  router.add(
      "POST", "/api/v1/files",
      entrance.forPeople([&node](Request& request, const PathParameters&, const Account& account) {
        const Json body = Entrance::jsonBody(request);
        if (!body.is_object() || !body.contains("root") || !body.at("root").is_string()) {
          throw Failure("file.request-malformed",
                        "An upload must say the 'root' that it belongs to. Nothing was kept.");
        }
        RecordAccess(node, account).requireWrite(body.at("root").get<std::string>());
        return json(200, cases::beginUpload(node, body));
      }));
  router.add("PUT", "/api/v1/files/{id}/chunks/{n}",
             entrance.forPeople([&node](Request& request, const PathParameters& parameters,
                                        const Account& account) {
               const std::string& id = parameters.at("id");
               RecordAccess(node, account).requireWrite(cases::rootOfUpload(node, id));
               const std::string bytes = request.body.readAll(storage::kChunkSize);
               return json(200, cases::putChunk(node, id, parameters.at("n"), bytes));
             }));
  router.add("POST", "/api/v1/files/{id}/finish",
             entrance.forPeople(
                 [&node](Request&, const PathParameters& parameters, const Account& account) {
                   const std::string& id = parameters.at("id");
                   RecordAccess(node, account).requireWrite(cases::rootOfUpload(node, id));
                   return json(200, cases::finishUpload(node, account.name, id));
                 }));
}

}  // namespace

void addFileRoutes(Router& router, server::Node& node, Entrance& entrance) {
  cases::settleUploads(node);
  addUploadRoutes(router, node, entrance);
  router.add(
      "GET", "/api/v1/files",
      entrance.forPeople([&node](Request& request, const PathParameters&, const Account& account) {
        const auto root = request.query.find("root");
        if (root == request.query.end()) {
          throw Failure("http.query-malformed", "The address must say 'root', a record's id.");
        }
        const bool isMasked =
            RecordAccess(node, account).requireRead(root->second, "listed-files").isMasked;
        return json(200, cases::listFiles(node, root->second, isMasked));
      }));
  router.add("GET", "/api/v1/files/{id}",
             entrance.forPeople([&node](Request& request, const PathParameters& parameters,
                                        const Account& account) {
               const std::string& id = parameters.at("id");
               requireContent(node, account, id, "read-file");
               return contentOf(node, request, cases::openFile(node, id, sync::FilePart::kContent));
             }));
  router.add("GET", "/api/v1/files/{id}/thumbnail",
             entrance.forPeople(
                 [&node](Request&, const PathParameters& parameters, const Account& account) {
                   const std::string& id = parameters.at("id");
                   requireContent(node, account, id, "read-file");
                   return thumbnailOf(node, cases::openFile(node, id, sync::FilePart::kThumbnail));
                 }));
}

}  // namespace waystation::http

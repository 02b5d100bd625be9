#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "server/cases/programme_pack.h"
#include "server/node.h"
#include "sync/file_record.h"

namespace waystation::cases {

// Files of cases as the API takes and gives them (docs/spec/http-api.yaml). An upload is a draft of
// this node until all of it is here and proved; then the file's record is saved, an ordinary change
// under the case's root.
//
// Failures: "file.request-malformed", "file.too-large", "file.empty", "file.wrong-bytes",
// "file.incomplete", "file.not-here", "file.not-found", "record.not-found", "case.handed-over".

// POST /api/v1/files: {"root", "name", "type"?, "size", "sha256", "chunks": [hex], "thumbnail"?:
// base64url of a JPEG}. Answers {"upload": id, "missing": [n]}, of an upload that was begun before
// what is missing now; or {"record": id} where the root has that very file already.
Json beginUpload(server::Node& node, const Json& request);

// The root's UUID.
std::string rootOfUpload(server::Node& node, std::string_view upload);

// One chunk; durable when it returns. Answers {"missing": how many still are}.
Json putChunk(server::Node& node, std::string_view upload, std::string_view place,
              std::string_view bytes);

// Saves the record. Answers {"record", "tag", "durability"}. May be repeated.
Json finishUpload(server::Node& node, const std::string& person, std::string_view upload);

// Ends what a finishUpload() that was cut off had begun, and forgets uploads that nobody has gone
// on with for a week.
void settleUploads(server::Node& node);

// {"files": [...], "unfinished": [...]} of a root, newest first: what each record says, and where
// its bytes are; and the uploads that were begun.
Json listFiles(server::Node& node, std::string_view root, bool isMasked);

// How many files are here, at an office, whose bytes are not known to be at headquarters.
std::int64_t countFilesForHub(server::Node& node);

// A file that is here, whole and proved. Where it is not, the hub is asked for it, and
// Failure("file.not-here") says so; ("file.not-found") where the record has no such part.
struct HeldFile {
  std::string name;
  std::string sha256;  // hexadecimal
  std::uint64_t size = 0;
  sync::FileName stored;
};
HeldFile openFile(server::Node& node, std::string_view record, sync::FilePart part);
std::string readFile(server::Node& node, const HeldFile& file, std::uint64_t offset,
                     std::size_t size);

}  // namespace waystation::cases

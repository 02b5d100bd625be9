#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "server/http/message.h"

namespace waystation::http {

// The built web client, read into memory once: no path of a request ever reaches the file system.
class StaticFiles {
 public:
  // Reads every regular file under `folder`; links are not followed. Throws
  // Failure("web.not-found") if there is no index.html, ("web.unreadable") if a file cannot be
  // read.
  explicit StaticFiles(const std::filesystem::path& folder);

  // Answers GET and HEAD: the file of that path; index.html for "/" and for an address of the
  // client's own (one without a dot in its last segment, outside /api/ and /sync/); else 404. Files
  // whose name carries their content's hash (Vite's "assets/") may be kept for ever, the others are
  // asked for anew and answered 304 when they have not changed.
  Response answer(const Request& request) const;

 private:
  struct File {
    std::string bytes;
    std::string contentType;
    std::string entityTag;
    bool forEver = false;
  };

  const File* find(const std::string& path) const;

  std::map<std::string, File> files_;  // by the path in the request
};

}  // namespace waystation::http

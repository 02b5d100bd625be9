#include "server/http/static_files.h"

#include <array>
#include <fstream>
#include <iterator>
#include <string_view>
#include <utility>

#include "crypto/failure.h"
#include "crypto/hash.h"

namespace waystation::http {
namespace {

// What a Vite build needs and no more: scripts, styles and pictures of our own, the service worker,
// and pictures made in the page from decrypted bytes (blob:). No inline script, no frame.
constexpr const char* kPagePolicy =
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "worker-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'";

constexpr std::array<std::pair<std::string_view, const char*>, 17> kContentTypes = {{
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".mjs", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".webmanifest", "application/manifest+json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".jpg", "image/jpeg"},
    {".webp", "image/webp"},
    {".ico", "image/vnd.microsoft.icon"},
    {".woff2", "font/woff2"},
    {".wasm", "application/wasm"},
    {".txt", "text/plain; charset=utf-8"},
    {".xml", "application/xml"},
    {".pdf", "application/pdf"},
}};

const char* contentTypeOf(const std::string& extension) {
  for (const auto& [known, type] : kContentTypes) {
    if (extension == known) return type;
  }
  return "application/octet-stream";
}

std::string readFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in) {
    throw Failure("web.unreadable", "The web client's file " + path.string() +
                                        " cannot be read. Install the program again.");
  }
  return bytes;
}

}  // namespace

StaticFiles::StaticFiles(const std::filesystem::path& folder) {
  namespace fs = std::filesystem;
  if (!fs::is_regular_file(folder / "index.html")) {
    throw Failure("web.not-found", "The web client is not in " + folder.string() +
                                       ". Build it (see README), or install the program again.");
  }
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file() || entry.is_symlink()) continue;
    const std::string path = '/' + entry.path().lexically_relative(folder).generic_string();
    File file;
    file.bytes = readFile(entry.path());
    file.contentType = contentTypeOf(entry.path().extension().string());
    file.entityTag =
        '"' + crypto::toHex(crypto::view(crypto::sha256(file.bytes))).substr(0, 32) + '"';
    file.forEver = path.starts_with("/assets/");
    files_.emplace(path, std::move(file));
  }
}

Response StaticFiles::answer(const Request& request) const {
  const File* file = find(request.path);
  if (file == nullptr) return problem(404, "http.not-found", "There is nothing at this address.");
  Response response;
  response.headers["Content-Security-Policy"] = kPagePolicy;
  response.headers["ETag"] = file->entityTag;
  response.headers["Cache-Control"] =
      file->forEver ? "public, max-age=31536000, immutable" : "no-cache";
  if (request.header("if-none-match").value_or("").find(file->entityTag) != std::string::npos) {
    response.status = 304;
    return response;
  }
  response.headers["Content-Type"] = file->contentType;
  response.body = file->bytes;
  return response;
}

const StaticFiles::File* StaticFiles::find(const std::string& path) const {
  const auto found = files_.find(path);
  if (found != files_.end()) return &found->second;
  const bool machine = path.starts_with("/api/") || path.starts_with("/sync/");
  const bool namesFile = path.find('.', path.rfind('/')) != std::string::npos;
  if (machine || namesFile) return nullptr;
  return &files_.at("/index.html");
}

}  // namespace waystation::http

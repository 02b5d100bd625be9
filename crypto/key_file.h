#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

namespace waystation::crypto {

// The key file on disk: small, precious, never half written.

// At most `most` + 1 bytes, so that a file too long is seen to be too long.
// Throws Failure: "key.file-missing", "key.file-unreadable".
std::string readKeyFile(const std::filesystem::path& file, std::size_t most);

// Writes `content` beside `file`, syncs it, renames it to `file` and syncs the directory. When it
// returns, the content survives a power cut; when it throws, `file` is whole, and old unless the
// last sync alone failed. Readable by its owner only.
// Throws Failure: "key.file-exists" (creating), "key.file-changed" (the file is not `previous` any
// more), "key.write-failed".
void createKeyFile(const std::filesystem::path& file, std::string_view content);
void replaceKeyFile(const std::filesystem::path& file, std::string_view previous,
                    std::string_view content);

}  // namespace waystation::crypto

#pragma once

#include <filesystem>
#include <string_view>

namespace waystation::storage {

// Puts `content` in the place of what `file` holds, if there is one: written as NAME.new, synced,
// renamed, and the directory synced. Answers 0, and then the content outlasts a power cut; or the
// errno of what failed, and then `file` is whole, and old unless the last sync alone failed.
// Readable by its owner only. For one writer at a time.
int replaceFile(const std::filesystem::path& file, std::string_view content);

}  // namespace waystation::storage

#pragma once

#include <filesystem>

namespace waystation::storage {

// Makes creations, renames and removals in a directory outlast a power cut. Answers 0, or the errno
// of what failed. Some file systems (FAT over FUSE) can't sync a directory; they have nothing
// better, and the answer is 0.
int syncEntriesOf(const std::filesystem::path& directory);

}  // namespace waystation::storage

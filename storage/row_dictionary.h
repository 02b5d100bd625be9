#pragma once

#include <string_view>

namespace waystation::storage {

// storage/dictionaries/rows-1, which the build puts into the program. Made by
// scripts/train_dictionary.
extern const std::string_view kRowDictionary;

}  // namespace waystation::storage

#pragma once

namespace waystation::storage {

enum class OpenMode { kReadWrite, kCreate, kReadOnly };

}  // namespace waystation::storage

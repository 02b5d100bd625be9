#pragma once

#include <string_view>

namespace waystation {

inline constexpr std::string_view kVersion = "0.1.0";

}  // namespace waystation

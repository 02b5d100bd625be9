#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace waystation::cases {

// Where bytes come from: the next ones, valid until the next call; empty at the end.
using ByteSource = std::function<std::string_view()>;

// Why a row was not taken: a stable code and a sentence for people.
struct RowFault {
  std::string code;
  std::string sentence;
};

// One row as it stands in the file, whole or broken.
struct SourceRow {
  std::uint64_t line = 0;          // where it begins, from 1
  std::string text;                // as it stands in the file, without its line end; cut at 64 KiB
  std::vector<std::string> cells;  // CSV only
  std::optional<RowFault> fault;
};

struct RowLimits {
  std::size_t rowBytes = 1024 * 1024;
  std::size_t columns = 1000;
};

inline constexpr std::size_t kShownRowBytes = 64 * 1024;

}  // namespace waystation::cases

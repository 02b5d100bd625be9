#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace waystation::cases {

// A hashtag of the Humanitarian Exchange Language 1.1 as it heads a column: "#adm1 +code +origin".
// Case and the order of the attributes do not matter.
struct HxlTag {
  std::string tag;  // with '#', lower case
  std::set<std::string> attributes;

  // nullopt if the text is no hashtag.
  static std::optional<HxlTag> parse(std::string_view text);
};

// Which columns a field takes: a tag, attributes that must be there and ('-') must not.
struct HxlPattern {
  std::string tag;
  std::set<std::string> with;
  std::set<std::string> without;

  static std::optional<HxlPattern> parse(std::string_view text);
  bool matches(const HxlTag& column) const;
  // More attributes in common is a closer match; a column that has nothing besides is the closest.
  int closeness(const HxlTag& column) const;
};

// True for the row of hashtags: at least one cell is a hashtag and every other is one or empty.
bool isHxlRow(const std::vector<std::string>& cells);

}  // namespace waystation::cases

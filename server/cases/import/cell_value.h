#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "server/cases/programme_pack.h"

namespace waystation::cases {

// The value that a cell of a file means for a field: codes by their code, by the texts that the
// pack names or by their label in any language; days with a midnight behind them; numbers with an
// empty fraction; several codes between separators. nullopt when the cell is empty or says "not
// known" in the pack's words: an import adds and corrects, it never empties a field.
// What cannot be understood comes back as text, which the field's check then refuses.
std::optional<Json> valueOfCell(const Field& field, std::string_view cell);

// The same for a JSON value: texts are read like cells, null means nothing, the rest stays.
std::optional<Json> valueOfJson(const Field& field, const Json& value);

// A header as it is compared: lower case, without spaces, '_', '-' and marks at its ends.
std::string comparable(std::string_view header);

}  // namespace waystation::cases

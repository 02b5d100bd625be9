#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "sync/record.h"

namespace waystation::sync {

// Deleting a record is a write of its kDeletedField that says, field by field, what the deleter had
// read; restoring it writes false. The record is hidden for as long as nobody has written what the
// deleter had not read (docs/spec/sync.md, "Deletion").

inline constexpr std::string_view kNotDeleted = "false";

// The field's value that deletes: the JSON string of a tag, without the reserved fields.
std::string deletionValue(const ReadContexts& read);
// What a value of the field says was read; nothing where it does not delete.
std::optional<ReadContexts> deletionOf(std::string_view value);

// Whether one deletion has read every sibling of every other field, and nobody restored the record
// apart from it. Reserved fields do not count: what headquarters notes is no person's word.
bool isHidden(const Record& record);
// Whether somebody deleted the record and it stays visible all the same: a conflict.
bool isDeletionOpen(const Record& record);

}  // namespace waystation::sync

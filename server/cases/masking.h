#pragma once

#include <string_view>
#include <vector>

#include "server/cases/programme_pack.h"

namespace waystation::cases {

// What people see who may see a record without the fields that its programme calls sensitive. Each
// of these takes what record_service.h answers, takes the sensitive fields out of it, and names
// them in "masked" where they held anything.

// One record.
void maskRecord(const Programmes& programmes, Json& shown);

// The history of a record of that kind: each entry.
void maskHistory(const Programmes& programmes, std::string_view kind, Json& history);

// Which of these records, masked already, are found by what was typed into the search box without
// anything that was masked; nobody is to learn by a search what they may not read.
std::vector<bool> foundInMasked(const Programmes& programmes, const std::vector<Json>& masked,
                                std::string_view typed);

}  // namespace waystation::cases

#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "storage/store.h"

namespace waystation::sync {

// A headquarters that was set back does not know what it has decided since its copy was made. Until
// each office has reported, or an operator says that no more is to be waited for, it moves no case,
// erases nothing and takes no revocation back (docs/spec/sync.md, "Decisions wait").

// Headquarters is an older copy of itself from now on.
void noteSetBack(storage::Store& store);
// A leaf brings home what headquarters has sealed and does not hold: it was set back, unless this
// leaf is waited for anyway. A leaf's word alone, its cursor, proves nothing.
void noteBroughtHome(storage::Store& store, const std::string& leaf);
// A leaf has told all that it knows. Answers whether it was waited for.
bool hearReport(storage::Store& store, const std::string& leaf);
// Offices that have not reported since, by name; empty where none is waited for.
std::vector<std::string> unreported(storage::Store& store);
// Whether decisions are held back now.
bool isHeldBack(storage::Store& store);
// An operator says that no more is to be waited for.
void stopWaiting(storage::Store& store);
// Throws Failure("hub.awaits-reports") where decisions are held back; `what`: "handed over".
void requireReports(storage::Store& store, std::string_view what);

}  // namespace waystation::sync

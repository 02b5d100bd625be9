#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "crypto/secret.h"

namespace waystation::storage {

// Opens every page of the database and of its log, without SQLite and without changing anything,
// and says what does not authenticate: one plain sentence each, none when all is well. SQLite's own
// integrity check reads neither free pages nor tags.
//
// Damage that recovery mends (a page that a committed frame of the log replaces, an unfinished end
// of the log) is not listed. Throws Failure as Database does: "store.missing", "store.busy" (open
// in another process), "store.wrong-key", "store.foreign-file". May run in the process that has the
// store open; a page that is being written is read again.
std::vector<std::string> verifyPages(const std::filesystem::path& file, const crypto::Secret& key);

}  // namespace waystation::storage

#pragma once

#include "server/node_backup.h"

namespace waystation::server {

// Brings a node's databases up to this program's version, where an earlier one wrote them; each
// step is a transaction of its own. Before the first step a whole backup is made in the data
// directory, sealed and read back as any other:
//
//   upgrading-from-N-M.wsbackup       while the steps are not all done; N and M: what the versions
//                                     of node.db and files.db were
//   before-upgrade-from-N-M.wsbackup  from then on, until the next upgrade is done
//
// A step that fails leaves the databases as they were before it. The next opening tries again, and
// makes another backup only where no step was done. Throws Failure: "node.upgrade-failed", as
// makeBackup does, "store.newer-schema".
void upgradeDatabases(const BackupSource& source);

}  // namespace waystation::server

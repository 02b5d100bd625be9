#pragma once

#include <string>
#include <vector>

#include "server/cases/import/import_rows.h"
#include "server/node.h"

namespace waystation::cases {

// How imported rows become records at HQ: who is to have them.
struct ImportHolders {
  std::string custody;              // an office's code; empty: this node
  std::vector<std::string> shared;  // other offices that hold them too
};

// Sinks that save batches through the node's replica, one transaction a batch, idempotent by the
// row's external key. `person` stands as their author.
ImportSinks importSinks(server::Node& node, const std::string& person, ImportHolders holders);

}  // namespace waystation::cases

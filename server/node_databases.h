#pragma once

#include <string>

#include "crypto/secret.h"
#include "storage/database.h"

namespace waystation::server {

// One of a node's encrypted databases, open. Borrows from the node.
struct NodeDatabase {
  std::string name;  // of the file in the data directory, and of the section in a backup
  const crypto::Secret& key;
  storage::Connections& connections;
};

}  // namespace waystation::server

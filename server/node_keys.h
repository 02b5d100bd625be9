#pragma once

#include <string_view>

#include "crypto/secret.h"

namespace waystation::server {

// What a node derives from its master key; the master key itself is not kept.
struct NodeKeys {
  NodeKeys(const crypto::Secret& master, std::string_view storeId);

  crypto::Secret database;  // of node.db
  crypto::Secret files;     // of files.db
  crypto::Secret backup;
};

}  // namespace waystation::server

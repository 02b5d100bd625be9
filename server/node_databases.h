#pragma once

#include <string>

#include "crypto/secret.h"
#include "storage/database.h"

namespace waystation::server {

inline constexpr const char* kRecordsFile = "node.db";
// The content of attachments (storage/chunk_store.h).
inline constexpr const char* kAttachmentsFile = "files.db";

// Whether these records were ever beside a database of attachments, which then is to be there.
bool hasAttachments(storage::Database& records);

// One of a node's encrypted databases, open. Borrows from the node.
struct NodeDatabase {
  std::string name;  // of the file in the data directory, and of the section in a backup
  const crypto::Secret& key;
  storage::Connections& connections;
};

}  // namespace waystation::server

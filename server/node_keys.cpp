#include "server/node_keys.h"

#include "crypto/kdf.h"
#include "storage/backup_stream.h"

namespace waystation::server {

NodeKeys::NodeKeys(const crypto::Secret& master, std::string_view storeId)
    : database(crypto::hkdfSha256(master.view(), storeId, "waystation database key v1", 32)),
      files(crypto::hkdfSha256(master.view(), storeId, "waystation files database key v1", 32)),
      backup(storage::deriveBackupKey(master, storeId)) {}

}  // namespace waystation::server

// What a leaf that is itself a hub says of the nodes below it.

#include "crypto/hash.h"
#include "sync/leaf.h"
#include "sync/scopes.h"

namespace waystation::sync {

// Told once, and again when it changes: whose signatures the hub is to believe.
void LeafExchange::addSubtree(storage::Store& store, const std::string& announced,
                              std::string& body) {
  std::vector<storage::DeviceRow> below = store.devices();
  for (const storage::LeafRow& leaf : store.leaves()) {
    if (!isGuest(leaf, replica_.node())) {
      below.push_back({leaf.name, leaf.publicKey, leaf.home, leaf.leaf});
    }
  }
  if (below.empty()) return;
  const std::string encoded = encodeSubtree(below);
  announcing_ = crypto::view(crypto::sha256(encoded));
  if (announcing_ != announced) body += encodeFrame(FrameType::kSubtree, encoded);
}

}  // namespace waystation::sync

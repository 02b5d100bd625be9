#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/node.h"

namespace waystation::access {

// Who is refused for good: offices and phones that were lost or stolen. Headquarters keeps the
// list, numbered and signed, and every node takes over the newest (docs/spec/sync.md,
// "Revocations"); it is asked at each request of a leaf, not only when a connection begins.

struct RevokedNode {
  std::string name;
  std::string publicKey;  // Ed25519: a new box of the same name is another one
  std::string at;
};

struct RevocationList {
  std::uint64_t number = 0;  // 0: there never was one
  std::vector<RevokedNode> nodes;
};

// The list as this node has it, and as it is passed on; the text is empty where there is none.
RevocationList revocations(storage::Store& store);
std::string revocationText(storage::Store& store);

// What a node says of its list when it calls: its number and which it is; empty where there is
// none.
std::string revocationsSaid(storage::Store& store);

// Whether the leaf is on the list, or was revoked before there was one.
bool isRevoked(storage::Store& store, const storage::LeafRow& leaf);

// What revoking means for a node that headquarters knows.
struct RevocationForesight {
  std::string name;
  bool isPhone = false;
  bool isRevoked = false;           // it already is
  std::int64_t lastContactMs = 0;   // 0: never, or not by this node itself
  std::int64_t backlogDown = 0;     // entries that would no longer go down
  std::vector<std::string> phones;  // that call at it
};
// Throws Failure("node.not-headquarters"), ("revocation.unknown-node").
RevocationForesight foreseeRevocation(server::Node& hq, const std::string& name);

// At headquarters: from its return on, each request of the node is refused, here and, once they
// have exchanged, at every office; tokens given out for it and not used yet are void. `by`: who
// orders it, for the audit log. Throws as foreseeRevocation, and
// Failure("revocation.already-revoked").
void revoke(server::Node& hq, const std::string& name, const std::string& by);

// At headquarters: takes it back, for a phone that was found. Throws as foreseeRevocation, and
// Failure("revocation.not-revoked").
void takeBack(server::Node& hq, const std::string& name, const std::string& by);

// At headquarters, in the transaction in which the node joins anew.
void liftRevocation(server::Node& hq, sync::Work& work, const std::string& name);

// At headquarters that was set back: whether what a leaf says of its list names one that was signed
// here and is not known here any more.
bool hasLostRevocations(storage::Store& hq, std::string_view said);
// Takes in such a list as a leaf hands it in: who is on it, or on the one of today, is on the next.
// Answers whether it was news. Throws "revocation.malformed", "revocation.signature".
bool takeLostRevocations(server::Node& hq, std::string_view text);

// At a leaf: takes over the list that its hub passed on; false where it is the one held already.
// Throws Failure, with the list held left as it is: "revocation.malformed",
// "revocation.signature", "revocation.older".
bool takeRevocations(server::Node& leaf, std::string_view text);

}  // namespace waystation::access

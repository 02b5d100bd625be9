#pragma once

#include <map>
#include <string>

#include "server/http/client.h"
#include "server/http/message.h"
#include "server/node.h"

namespace waystation::http {

// How the list of revoked nodes travels with the exchange (docs/spec/sync.md, "Revocations").

// At a leaf: the headers that say which list it has.
std::map<std::string, std::string> revocationsKnown(server::Node& leaf);

// At a leaf, when the hub has answered with these: fetches the list where the hub has a newer one,
// and hands in its own where headquarters says to have an older one: it has lost that.
// Throws what Client::send and access::takeRevocations throw.
void fetchRevocations(server::Node& leaf, Client& client,
                      const std::map<std::string, std::string>& answered);

// At a hub: whether it has a newer one than the leaf that asks.
bool hasNewerRevocations(server::Node& hub, const Request& request);

// At a hub: says in the answer that it has a newer one than the leaf, or that it has lost the
// leaf's.
void tellRevocations(server::Node& hub, const Request& request, Response& answer);

}  // namespace waystation::http

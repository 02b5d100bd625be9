#pragma once

#include "server/http/client.h"
#include "server/locked_file.h"
#include "server/node.h"

namespace waystation::http {

// How an office reaches its HQ, and as whom. The environment variable WAYSTATION_HQ_VIA=host:port
// makes it connect through a relay; whom it talks to is checked all the same.
// Throws Failure("sync.not-enrolled"), ("sync.relay-malformed").
ClientSettings hubSettings(server::Node& office);
// The same for one that is locked, with what it shows then.
ClientSettings hubSettings(const server::NodeConfig& config, const server::LockedFile& office);

}  // namespace waystation::http

#pragma once

#include <cstdint>

#include "server/http/json.h"
#include "server/http/sync_client.h"
#include "server/node.h"

namespace waystation::server {

// What can be said of a node of which no server runs: as Application::status(), without a link.
http::Json statusOf(Node& node);

// What the link of an office adds to it.
void addLink(http::Json& status, const http::LinkView& view);

// As the interface writes a time; 0 is none.
http::Json timeOrNull(std::int64_t milliseconds);

}  // namespace waystation::server

#pragma once

#include <cstdint>
#include <string>

#include "server/http/json.h"
#include "server/http/server.h"

namespace waystation::server {

// What GET /metrics says, in Prometheus' text format 0.0.4: figures about the node, nothing
// personal. `status`: as Application::status().
std::string metricsText(const http::Json& status, const http::ServerCounters& people,
                        std::uint64_t auditEntries);

}  // namespace waystation::server

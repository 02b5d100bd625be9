#pragma once

#include <cstdint>
#include <functional>

#include "server/access/entrance.h"
#include "server/http/json.h"
#include "server/http/router.h"
#include "server/node.h"

namespace waystation::http {

// What the people's API asks of the rest of the server.
struct ApiSources {
  std::function<Json()> syncState;            // GET /api/v1/sync
  std::function<std::uint16_t()> syncPort;    // told to offices that join
  std::function<std::string()> metrics = {};  // GET /metrics, in Prometheus' text format
  std::function<void()> lock = {};            // closes the store, once what is answered is out
  std::function<Json()> warnings = {};        // GET /health: codes
  std::function<void()> phoneAwaited = {};    // a phone has a token: its port is to answer
};

// Where nodes join, before they know more than an address.
inline constexpr const char* kEnrolmentPath = "/api/v1/enrolment";

// Every address of docs/spec/http-api.yaml but those of the sync. Borrows node and entrance.
void addApiRoutes(Router& router, server::Node& node, access::Entrance& entrance,
                  ApiSources sources);

}  // namespace waystation::http

#pragma once

#include "server/access/entrance.h"
#include "server/http/router.h"
#include "server/node.h"

namespace waystation::http {

// Files of cases: uploads in parts, lists, reading (docs/spec/http-api.yaml). Ends first what an
// upload that was cut off had begun. Borrows both.
void addFileRoutes(Router& router, server::Node& node, access::Entrance& entrance);

}  // namespace waystation::http

#pragma once

#include "server/access/entrance.h"
#include "server/http/router.h"
#include "server/node.h"

namespace waystation::http {

// What people do with their own account (/api/v1/me/...), and technicians and supervisors with
// those of others (/api/v1/accounts). Borrows node and entrance.
void addAccountRoutes(Router& router, server::Node& node, access::Entrance& entrance);

}  // namespace waystation::http

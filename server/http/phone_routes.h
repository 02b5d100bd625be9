#pragma once

#include <functional>

#include "server/access/entrance.h"
#include "server/http/router.h"
#include "server/node.h"

namespace waystation::http {

// Where a technician lets a phone join the office. `awaited` is called once a token is there, and
// has the phones' port answer. Borrows node and entrance.
void addPhoneRoutes(Router& router, server::Node& node, access::Entrance& entrance,
                    std::function<void()> awaited);

}  // namespace waystation::http

#pragma once

#include <functional>

#include "server/http/server.h"
#include "server/http/sync_client.h"
#include "server/log.h"

namespace waystation::server {

// What is said in the log (server/log.h) of requests that were served and of exchanges.

// For ServerSettings::served, of the server of this name; nothing where there is no log. Borrows
// it. Into it goes the pattern of the address, never what stood in it.
std::function<void(const http::ServedRequest&)> requestLog(const Log* log, const char* server);

// What was tried, and what it moved; an exchange of nothing is no news.
void logExchange(const Log& log, const http::ExchangeSummary& exchange);

}  // namespace waystation::server

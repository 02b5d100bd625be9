#include "server/served_log.h"

#include <utility>

#include "crypto/certificate.h"
#include "server/http/router.h"

namespace waystation::server {
namespace {

using http::Json;

// What asks by itself every few seconds.
bool isRoutine(const std::string& route) {
  return route == "/health" || route == "/metrics" || route == http::Router::kFiles ||
         route == "/api/v1/sync" || route == "/sync/v1/news";
}

LogLevel levelOf(const http::ServedRequest& request) {
  constexpr int kUnauthenticated = 401;
  constexpr int kBusy = 503;
  if (request.status >= 500 && request.status != kBusy) return LogLevel::kError;
  if (request.status >= 400 && request.status != kUnauthenticated) return LogLevel::kWarning;
  return request.status < 400 && isRoutine(request.route) ? LogLevel::kDebug : LogLevel::kInfo;
}

}  // namespace

std::function<void(const http::ServedRequest&)> requestLog(const Log* log, const char* server) {
  if (log == nullptr) return {};
  return [log, server](const http::ServedRequest& request) {
    const LogLevel level = levelOf(request);
    if (!log->takes(level)) return;
    Json fields = {{"server", server},
                   {"id", request.id},
                   {"status", request.status},
                   {"ms", request.milliseconds}};
    if (!request.method.empty()) fields["method"] = request.method;
    if (!request.route.empty()) fields["route"] = request.route;
    if (!request.code.empty()) fields["code"] = request.code;
    if (!request.peerCertificatePem.empty()) {
      fields["node"] = crypto::readCertificate(request.peerCertificatePem).commonName;
    }
    log->write(level, "request", std::move(fields));
  };
}

void logExchange(const Log& log, const http::ExchangeSummary& exchange) {
  const bool moved = exchange.changesUp + exchange.changesDown > 0;
  Json fields = {{"up", exchange.up},
                 {"down", exchange.down},
                 {"changesUp", exchange.changesUp},
                 {"changesDown", exchange.changesDown},
                 {"roundTrips", exchange.roundTrips}};
  if (!exchange.code.empty()) fields["code"] = exchange.code;
  const LogLevel level = !exchange.ok ? LogLevel::kWarning
                         : moved      ? LogLevel::kInfo
                                      : LogLevel::kDebug;
  log.write(level, "exchange", std::move(fields));
}

}  // namespace waystation::server

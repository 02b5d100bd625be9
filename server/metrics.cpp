#include "server/metrics.h"

#include <array>

#include "server/version.h"
#include "sync/clock.h"

namespace waystation::server {
namespace {

using http::Json;

class MetricsText {
 public:
  void add(const std::string& name, const char* type, const char* help, const std::string& value,
           const std::string& labels = {}) {
    const std::string full = "waystation_" + name;
    text_ += "# HELP " + full + " " + help + "\n# TYPE " + full + " " + type + "\n";
    text_ += full + labels + " " + value + "\n";
  }

  void gauge(const char* name, const char* help, const Json& value) {
    if (value.is_number_integer())
      add(name, "gauge", help, std::to_string(value.get<std::int64_t>()));
  }

  void counter(const char* name, const char* help, std::uint64_t value) {
    add(name, "counter", help, std::to_string(value));
  }

  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

Json member(const Json& status, const char* name) {
  return status.contains(name) ? status.at(name) : Json(nullptr);
}

}  // namespace

std::string metricsText(const Json& status, const http::ServerCounters& people,
                        std::uint64_t auditEntries) {
  MetricsText text;
  text.add("info", "gauge", "What this node is.", "1",
           "{role=\"" + status.at("role").get<std::string>() + "\",version=\"" +
               std::string(kVersion) + "\"}");
  text.gauge("records", "Records held.", member(status, "records"));
  text.gauge("conflicts", "Records in conflict.", member(status, "conflicts"));
  text.gauge("quarantined_changes", "Changes kept aside.", member(status, "quarantined"));
  text.gauge("backlog_up_changes", "Changes that wait to go up.", member(status, "backlogUp"));
  text.gauge("backlog_down_entries", "Entries that wait for offices.",
             member(status, "backlogDown"));
  text.gauge("disk_free_bytes", "Free space where the store is.", member(status, "diskFreeBytes"));
  text.gauge("certificate_days", "Days until the certificate ends.",
             member(status, "certificateDays"));
  text.gauge("clock_offset_milliseconds", "Headquarters' clock minus this one's.",
             member(status, "clockOffsetMs"));
  text.gauge("resident_memory_bytes", "Memory that the server uses.", member(status, "rssBytes"));
  const Json backup = member(status, "backup");
  text.gauge("backup_last_timestamp_seconds", "When the last backup was made.",
             member(backup, "lastSeconds"));
  text.add("backup_planned", "gauge", "Whether one is made every day.",
           member(backup, "dailyTo").is_string() ? "1" : "0");
  text.add("backup_failing", "gauge", "Whether one is due and could not be made.",
           backup.contains("failure") ? "1" : "0");
  const Json state = member(status, "state");
  text.add("link_connected", "gauge", "Whether headquarters is reached; at headquarters 1.",
           state == "connected" || state == "hub" ? "1" : "0");
  text.counter("http_connections_total", "Connections accepted.", people.accepted);
  text.counter("http_connections_refused_total", "Connections closed over a cap.",
               people.refusedConnections);
  text.counter("http_handshakes_failed_total", "Connections that were no TLS 1.3.",
               people.failedHandshakes);
  text.counter("http_requests_total", "Requests answered.", people.requests);
  text.counter("http_requests_refused_total", "Requests malformed, too slow or too many.",
               people.refusedRequests);
  text.counter("audit_entries_total", "Entries of the audit log.", auditEntries);
  return text.take();
}

}  // namespace waystation::server

#include "server/node_status.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "crypto/certificate.h"
#include "server/cases/files.h"
#include "server/daily_backup.h"
#include "server/page_key_rotation.h"
#include "storage/high_water_mark.h"
#include "sync/leaf.h"
#include "sync/reports.h"

namespace waystation::server {
namespace {

using http::Json;

constexpr std::int64_t kDaySeconds = 86400;

std::int64_t residentBytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t total = 0;
  std::int64_t resident = 0;
  file >> total >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

Json certificateDays(Node& node) {
  const std::string pem = node.identity().tls.certificatePem;
  if (pem.empty()) return nullptr;
  return (crypto::readCertificate(pem).notAfter - node.clock().nowMs() / 1000) / kDaySeconds;
}

Json exchangeJson(const http::ExchangeSummary& exchange) {
  Json row = {{"at", sync::formatTime(exchange.atMs)},
              {"up", exchange.up},
              {"down", exchange.down},
              {"roundTrips", exchange.roundTrips},
              {"changesUp", exchange.changesUp},
              {"changesDown", exchange.changesDown},
              {"ok", exchange.ok}};
  if (!exchange.ok) {
    row["code"] = exchange.code;
    row["error"] = exchange.error;
  }
  return row;
}

Json backupJson(const BackupStanding& standing) {
  Json json = {{"last", timeOrNull(standing.lastMs)}, {"dailyTo", nullptr}};
  if (standing.lastMs != 0) {
    json["lastFile"] = standing.lastFile.string();
    json["lastSeconds"] = standing.lastMs / 1000;
  }
  if (!standing.note.empty()) json["note"] = standing.note;
  if (standing.plan) json["dailyTo"] = standing.plan->place;
  return json;
}

// Differences that were found: each means a defect, a broken disk or tampering.
void addHealings(Json& status, storage::Store& store) {
  constexpr int kNewest = 20;
  status["healings"] = {{"count", store.countHealings(false)},
                        {"open", store.countHealings(true)},
                        {"newest", Json::array()}};
  for (const storage::HealingRow& row : store.healings(kNewest)) {
    status["healings"]["newest"].push_back({{"with", row.peer},
                                            {"found", sync::formatTime(row.foundMs)},
                                            {"damaged", row.damaged},
                                            {"received", row.received},
                                            {"sent", row.sent},
                                            {"refused", row.refused},
                                            {"agreed", timeOrNull(row.agreedMs)}});
  }
}

// At headquarters what waits to go down is told office by office.
void addBacklogs(Json& status, storage::Store& store, bool isHeadquarters) {
  const sync::LeafState state = sync::readLeafState(store);
  status["backlogUp"] = isHeadquarters ? 0 : store.countUpwardAfter(state.acknowledgedSeq);
  if (isHeadquarters) return;
  const std::optional<std::uint64_t> toCome = state.toCome();
  status["backlogDown"] = toCome ? Json(*toCome) : Json(nullptr);
}

}  // namespace

Json timeOrNull(std::int64_t milliseconds) {
  return milliseconds == 0 ? Json(nullptr) : Json(sync::formatTime(milliseconds));
}

Json statusOf(Node& node) {
  const NodeConfig& config = node.config();
  Json status = {{"role", node.isHeadquarters() ? "hq" : "office"},
                 {"name", config.name},
                 {"office", config.name},
                 {"state", node.isHeadquarters() ? "hub" : "offline"},
                 {"lastContact", nullptr},
                 {"agree", nullptr},
                 {"clockOffsetMs", 0},
                 {"exchanges", Json::array()}};
  status["hq"] = nullptr;
  if (!config.hqHost.empty()) {
    status["hq"] = {{"url", "https://" + config.hqHost + ":" + std::to_string(config.hqSyncPort)}};
  } else if (!node.isHeadquarters()) {
    status["state"] = "not-enrolled";
  }
  node.read([&](storage::Store& store) {
    addBacklogs(status, store, node.isHeadquarters());
    status["conflicts"] = store.countConflicts();
    status["quarantined"] = store.countQuarantine();
    status["records"] = store.countRecords("");
    const auto mark = storage::HighWaterMark::standing(store.database());
    if (mark != storage::HighWaterMark::Finding::kCurrent)
      status["olderCopy"] = storage::sentenceOf(mark);
    addHealings(status, store);
    if (node.isHeadquarters()) {
      status["awaitsReports"] = sync::unreported(store);
      status["decisionsHeldBack"] = sync::isHeldBack(store);
    }
  });
  status["backup"] = backupJson(backupStanding(node));
  if (isPageKeyRotationUnfinished(node)) status["pageKeys"] = {{"unfinished", true}};
  status["filesUp"] = cases::countFilesForHub(node);
  std::error_code ignored;
  status["diskFreeBytes"] = std::filesystem::space(node.directory(), ignored).available;
  status["certificateDays"] = certificateDays(node);
  status["rssBytes"] = residentBytes();
  return status;
}

void addLink(Json& status, const http::LinkView& view) {
  status["state"] = http::nameOf(view.state);
  status["lastContact"] = timeOrNull(view.lastContactMs);
  status["clockOffsetMs"] = view.clockOffsetMs;
  status["lineBudget"] = http::jsonOf(view.budget);
  const bool comparable = view.agree && status.at("backlogUp") == 0;
  status["agree"] = comparable ? Json(*view.agree) : Json(nullptr);
  if (!view.certificateFailure.empty()) status["certificateFailure"] = view.certificateFailure;
  for (const http::ExchangeSummary& exchange : view.exchanges) {
    status["exchanges"].push_back(exchangeJson(exchange));
  }
}

}  // namespace waystation::server

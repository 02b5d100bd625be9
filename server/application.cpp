#include "server/application.h"

#include <Poco/Environment.h>

#include <utility>

#include "crypto/certificate.h"
#include "server/access/account_records.h"
#include "server/access/enrolment.h"
#include "server/access/hub_share.h"
#include "server/access/leaf_certificates.h"
#include "server/access/phones.h"
#include "server/audit.h"
#include "server/http/api_routes.h"
#include "server/http/static_files.h"
#include "server/intake.h"
#include "server/locked_file.h"
#include "server/metrics.h"
#include "server/node_status.h"
#include "server/served_log.h"
#include "server/version.h"
#include "sync/clock.h"

namespace waystation::server {
namespace {

using http::Json;

// An office exchanges once a minute at least: this long without a word means that it is away.
constexpr std::int64_t kAwayAfterMs = 150'000;

http::ServerSettings serverSettings(Node& node) {
  const NodeIdentity identity = node.identity();
  http::ServerSettings settings;
  settings.address = node.config().address;
  settings.certificatePem = identity.tls.certificatePem;
  settings.privateKeyPem = identity.tls.privateKeyPem;
  return settings;
}

// By which people come to it: its code, the machine's name in the office's network, and what the
// technician gave.
std::vector<std::string> hostsOf(Node& node, const std::string& address) {
  std::vector<std::string> hosts = node.read(access::hostsInUse);
  const std::string machine = Poco::Environment::nodeName();
  const std::string label = machine.substr(0, machine.find('.'));
  for (const std::string& name :
       {node.config().name, address, machine, label, label.empty() ? label : label + ".local"}) {
    hosts.push_back(name);
  }
  return hosts;
}

// Headquarters signs its own: of each start, where a third of their time is left.
void keepOwnCertificates(Node& hq) {
  access::renewOwn(hq);
  const auto file = readLockedFile(hq.directory());
  const std::int64_t now = hq.clock().nowMs() / 1000;
  if (file && !access::isDue(file->door.certificatePem, now)) return;
  const std::string name = hq.config().name;
  const crypto::KeyAndRequest keys = crypto::createRequest(name);
  const crypto::CertificateTerms terms = access::termsFor(name, hq.read(access::ownHosts), now);
  changeLockedFile(hq.directory(), [&](LockedFile& changed) {
    changed.door = {keys.privateKeyPem,
                    crypto::signRequest(hq.authority(), keys.requestPem, terms)};
  });
}

}  // namespace

Application::Application(Node& node, ApplicationSettings settings)
    : node_(node),
      settings_(std::move(settings)),
      entrance_(node),
      pageKeys_(node),
      mark_(node),
      backups_(node, [this](const DailyBackup::Attempt& attempt) { logBackup(attempt); }) {
  http::addApiRoutes(
      peopleRouter_, node_, entrance_,
      {[this] { return status(); }, [this] { return syncPort(); }, [this] { return metrics(); },
       settings_.lock, [this] { return warnings(); }, [this] { listenForPhones(); }});
  if (!settings_.web.empty()) {
    const auto files = std::make_shared<http::StaticFiles>(settings_.web);
    peopleRouter_.setFallback([files](http::Request& request, const http::PathParameters&) {
      return files->answer(request);
    });
  }
  if (node_.isHeadquarters()) keepOwnCertificates(node_);
  http::ServerSettings people = serverSettings(node_);
  if (settings_.address) people.address = *settings_.address;
  people.port = settings_.port.value_or(node_.config().port);
  people.served = requestLog(settings_.log, "people");
  people.hosts = hostsOf(node_, people.address);
  // Who joins knows it by any name, and proves it by the fingerprint in the token.
  people.openPaths = {http::kEnrolmentPath};
  people_ = std::make_unique<http::Server>(people, peopleRouter_);
  endpoint_ = std::make_unique<http::SyncEndpoint>(node_);
  endpoint_->addRoutes(syncRouter_);
  if (node_.isHeadquarters()) {
    leaves_ =
        std::make_unique<http::Server>(leavesSettings(node_.identity().authorityPem), syncRouter_);
  } else {
    syncClient_ = std::make_unique<http::SyncClient>(node_, settings_.times);
    syncClient_->onRenewed([this] { certificateChanged(); });
    if (settings_.log != nullptr) {
      syncClient_->onExchange([log = settings_.log](const http::ExchangeSummary& exchange) {
        logExchange(*log, exchange);
      });
    }
  }
  node_.onCommitted([this](bool forHub, bool forLeaves) { committed(forHub, forLeaves); });
}

Application::~Application() {
  stop();
  node_.onCommitted({});
}

// Who calls shows a certificate of this authority.
http::ServerSettings Application::leavesSettings(const std::string& authorityPem) {
  http::ServerSettings leaves = serverSettings(node_);
  if (settings_.address) leaves.address = *settings_.address;
  leaves.port = settings_.syncPort.value_or(node_.config().syncPort);
  leaves.clientAuthorityPem = authorityPem;
  // So that it can be renewed.
  leaves.takesExpired = true;
  // Longer than the time between two exchanges: a connection is dearer than what it carries.
  leaves.limits.idleTime = std::chrono::minutes(5);
  // What has come of an exchange counts though the line is cut, so it is read as it comes.
  leaves.limits.smallBody = 4096;
  leaves.served = requestLog(settings_.log, node_.isHeadquarters() ? "offices" : "phones");
  return leaves;
}

void Application::listenForPhones() {
  const std::string authority = access::phoneAuthority(node_).certificatePem;
  const std::lock_guard lock(leavesMutex_);
  if (leaves_) return;
  auto phones = std::make_unique<http::Server>(leavesSettings(authority), syncRouter_);
  phones->start();
  leaves_ = std::move(phones);
}

void Application::start() {
  isRunning_ = true;
  access::announceAccounts(node_);
  if (node_.isHeadquarters()) {
    leaves_->start();
  } else if (node_.read(access::hasPhones)) {
    applyIntake(node_);
    listenForPhones();
  }
  people_->start();
  say(LogLevel::kInfo, "started",
      {{"role", node_.isHeadquarters() ? "hq" : "office"},
       {"version", kVersion},
       {"port", port()},
       {"syncPort", syncPort()}});
  if (syncClient_) syncClient_->start();
  pageKeys_.start();
  mark_.start();
  backups_.start();
}

void Application::say(LogLevel level, std::string_view event, Json fields) const {
  if (settings_.log != nullptr) settings_.log->write(level, event, std::move(fields));
}

void Application::stop() {
  backups_.stop();
  mark_.stop();
  pageKeys_.stop();
  if (syncClient_) syncClient_->stop();
  people_->stop();
  {
    const std::lock_guard lock(leavesMutex_);
    if (leaves_) leaves_->stop();
  }
  if (std::exchange(isRunning_, false)) {
    say(LogLevel::kInfo, "stopped", {{"requests", people_->counters().requests}});
  }
}

void Application::logBackup(const DailyBackup::Attempt& attempt) const {
  if (!attempt.made) return say(LogLevel::kWarning, "backup", {{"code", attempt.code}});
  const bool isDamaged = !attempt.made->note.empty();  // an earlier one
  say(isDamaged ? LogLevel::kWarning : LogLevel::kInfo, "backup",
      {{"whole", attempt.made->isWhole},
       {"bytes", attempt.made->bytes},
       {"earlierDamaged", isDamaged}});
}

Json Application::warnings() const {
  Json codes = Json::array();
  if (const auto failed = backups_.failed(); !failed.code.empty()) codes.push_back(failed.code);
  return codes;
}

void Application::committed(bool forHub, bool forLeaves) {
  mark_.saved();
  if (forLeaves) endpoint_->wake();
  if (forHub && syncClient_) syncClient_->saved();
}

void Application::lock() {
  if (settings_.lock) settings_.lock();
}

void Application::certificateChanged() {
  const crypto::KeyAndCertificate tls = node_.identity().tls;
  people_->useHosts(hostsOf(node_, settings_.address.value_or(node_.config().address)));
  people_->useCertificate(tls.certificatePem, tls.privateKeyPem);
  const std::lock_guard lock(leavesMutex_);
  if (leaves_) leaves_->useCertificate(tls.certificatePem, tls.privateKeyPem);
}

std::uint16_t Application::syncPort() const {
  const std::lock_guard lock(leavesMutex_);
  return leaves_ ? leaves_->port() : std::uint16_t{0};
}

std::string Application::url() const {
  const std::string& address = node_.config().address;
  const std::string host = address == "0.0.0.0" || address.empty() ? "localhost" : address;
  return "https://" + host + ":" + std::to_string(port());
}

Json Application::leavesState() {
  const auto contacts = endpoint_->contacts();
  const std::int64_t now = node_.clock().nowMs();
  return node_.read([&](storage::Store& store) {
    Json leaves = Json::array();
    for (const storage::LeafRow& leaf : store.leaves()) {
      const auto known = contacts.find(leaf.name);
      const http::SyncEndpoint::Contact contact =
          known == contacts.end() ? http::SyncEndpoint::Contact{} : known->second;
      const std::int64_t last = std::max(leaf.lastContactMs, contact.lastMs);
      const bool here = contact.waiting > 0 || (contact.lastMs > 0 && now - last < kAwayAfterMs);
      leaves.push_back({{"office", leaf.name},
                        {"state", leaf.revoked ? "revoked"
                                  : here       ? "connected"
                                               : "offline"},
                        {"lastContact", timeOrNull(last)},
                        {"backlogDown", store.countFeed(leaf.leaf, leaf.feedAcked)}});
      if (Json share = access::shareState(store, leaf.name); !share.is_null()) {
        leaves.back()["share"] = std::move(share);
      }
      if (const std::int64_t since = auditBrokenSince(store, leaf.name); since != 0) {
        leaves.back()["auditBrokenSince"] = sync::formatTime(since);
      }
    }
    return leaves;
  });
}

// What statusOf() says of an unfinished change, with how far it has come.
void Application::addPageKeys(Json& status) {
  if (!status.contains("pageKeys")) return;
  const PageKeyContinuation::State state = pageKeys_.state();
  if (state.isRunning) {
    status["pageKeys"]["pagesDone"] = state.progress.pagesDone;
    status["pageKeys"]["pages"] = state.progress.pages;
  }
  if (!state.failure.empty()) status["pageKeys"]["error"] = state.failure;
}

std::string Application::metrics() {
  const std::int64_t entries =
      node_.read([](storage::Store& store) { return auditHead(store).seq; });
  return metricsText(status(), people_->counters(), static_cast<std::uint64_t>(entries));
}

Json Application::status() {
  Json status = statusOf(node_);
  status["url"] = url();
  if (syncClient_) addLink(status, syncClient_->view());
  addPageKeys(status);
  if (const std::string failure = mark_.failure(); !failure.empty())
    status["markFailure"] = failure;
  if (const auto failed = backups_.failed(); !failed.code.empty()) {
    status["backup"]["failure"] = failed.failure;
  }
  if (!node_.isHeadquarters()) return status;
  status["syncUrl"] = "https://localhost:" + std::to_string(syncPort());
  status["leaves"] = leavesState();
  std::int64_t down = 0;
  for (const Json& leaf : status["leaves"]) down += leaf.at("backlogDown").get<std::int64_t>();
  status["backlogDown"] = down;
  return status;
}

}  // namespace waystation::server

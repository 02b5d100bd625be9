#include "server/http/hub_settings.h"

#include <cstdlib>

#include "crypto/failure.h"
#include "server/access/enrolment.h"

namespace waystation::http {
namespace {

ClientSettings settingsFor(const server::NodeConfig& config, const std::string& hubName,
                           const std::string& authorityPem,
                           const crypto::KeyAndCertificate& identity) {
  ClientSettings settings;
  settings.expectedName = hubName;
  if (config.hqHost.empty() || settings.expectedName.empty()) {
    throw Failure("sync.not-enrolled",
                  "This office has not joined a headquarters yet. Join with `waystation enrol`.");
  }
  settings.host = config.hqHost;
  settings.port = config.hqSyncPort;
  settings.authorityPem = authorityPem;
  settings.certificatePem = identity.certificatePem;
  settings.privateKeyPem = identity.privateKeyPem;
  if (const char* via = std::getenv("WAYSTATION_HQ_VIA"); via != nullptr && *via != '\0') {
    const std::string text(via);
    const std::size_t colon = text.rfind(':');
    if (colon == std::string::npos) {
      throw Failure("sync.relay-malformed", "WAYSTATION_HQ_VIA must be host:port.");
    }
    settings.connectHost = text.substr(0, colon);
    settings.connectPort = static_cast<std::uint16_t>(std::stoul(text.substr(colon + 1)));
  }
  return settings;
}

}  // namespace

ClientSettings hubSettings(server::Node& node) {
  const server::NodeIdentity identity = node.identity();
  return settingsFor(node.config(), access::hubName(node), identity.authorityPem, identity.tls);
}

ClientSettings hubSettings(const server::NodeConfig& config, const server::LockedFile& office) {
  return settingsFor(config, office.hubName, office.authorityPem, office.door);
}

}  // namespace waystation::http

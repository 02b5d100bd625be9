#include "server/http/hub_settings.h"

#include <cstdlib>

#include "crypto/failure.h"
#include "server/access/enrolment.h"

namespace waystation::http {

ClientSettings hubSettings(server::Node& node) {
  const server::NodeConfig config = node.config();
  ClientSettings settings;
  settings.expectedName = access::hubName(node);
  if (config.hqHost.empty() || settings.expectedName.empty()) {
    throw Failure("sync.not-enrolled",
                  "This office has not joined a headquarters yet. Join with `waystation enrol`.");
  }
  const server::NodeIdentity identity = node.identity();
  settings.host = config.hqHost;
  settings.port = config.hqSyncPort;
  settings.authorityPem = identity.authorityPem;
  settings.certificatePem = identity.tls.certificatePem;
  settings.privateKeyPem = identity.tls.privateKeyPem;
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

}  // namespace waystation::http

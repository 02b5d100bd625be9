#include "server/http/certificate_exchange.h"

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "server/access/enrolment.h"
#include "server/access/entrance.h"
#include "server/access/hub_share.h"
#include "server/access/leaf_certificates.h"
#include "server/access/locked_door.h"
#include "server/access/phones.h"
#include "server/http/hub_call.h"
#include "server/http/json.h"
#include "server/locked_file.h"

namespace waystation::http {
namespace {

constexpr std::chrono::hours kBetweenRenewals{1};
constexpr std::string_view kOwn = "node";
constexpr std::string_view kLocked = "locked";

std::string textOf(const Json& body, const char* name) {
  if (body.is_object() && body.contains(name) && body.at(name).is_string()) {
    return body.at(name).get<std::string>();
  }
  throw Failure("certificate.request-malformed",
                std::string("The request lacks '") + name + "'. Nothing was changed.");
}

std::string bytesOf(const Json& body, const char* name) {
  try {
    return crypto::fromBase64Url(textOf(body, name));
  } catch (const Failure&) {
    throw Failure("share.malformed", std::string("'") + name + "' is no base64url.");
  }
}

Response certificate(server::Node& hub, Request& request) {
  const storage::LeafRow leaf = access::judgeLeaf(hub, request.peerCertificatePem, true);
  const Json body = access::Entrance::jsonBody(request);
  const std::string use = textOf(body, "use");
  const std::string asked = textOf(body, "request");
  const std::vector<std::string> hosts = access::hostsOf(body);
  if (use != kOwn && (use != kLocked || !hub.isHeadquarters())) {
    throw Failure("certificate.request-malformed",
                  "'use' is \"node\", or for an office \"locked\".");
  }
  const auto sign = use == kOwn ? access::renewCertificate : access::renewDoor;
  return json(200, {{"certificate", sign(hub, leaf, asked, hosts)}});
}

Response share(server::Node& hq, Request& request) {
  const storage::LeafRow leaf = access::judgeLeaf(hq, request.peerCertificatePem);
  access::keepHalf(hq, leaf.name, bytesOf(access::Entrance::jsonBody(request), "half"));
  return json(200, Json::object());
}

Response release(server::Node& hq, const Request& request) {
  const std::string half =
      access::releaseHalf(hq, request.peerCertificatePem, request.clientAddress);
  return json(200, {{"half", crypto::toBase64Url(half)}});
}

Json answered(Client& client, const std::string& method, const std::string& path,
              const Json& body) {
  const ClientResponse answer =
      client.send(method, path, {{"Content-Type", "application/json"}}, canonicalJson(body));
  if (answer.status != 200) throw refusalOf(answer);
  return parseJson(answer.body);
}

// Signed by headquarters for a key that is made here.
crypto::KeyAndCertificate asked(server::Node& office, Client& client, std::string_view use,
                                const std::vector<std::string>& hosts) {
  const crypto::KeyAndRequest keys = crypto::createRequest(office.config().name);
  const Json answer =
      answered(client, "POST", "/sync/v1/certificate",
               {{"use", use}, {"request", keys.requestPem}, {"hosts", access::jsonOf(hosts)}});
  const std::string signedOne = textOf(answer, "certificate");
  if (!crypto::isSignedBy(signedOne, office.identity().authorityPem)) {
    throw Failure("sync.malformed",
                  "Headquarters answered with a certificate that is not its own. The one before "
                  "stays in use.");
  }
  return {keys.privateKeyPem, signedOne};
}

}  // namespace

void addCertificateRoutes(Router& router, server::Node& hub) {
  router.add("POST", "/sync/v1/certificate",
             [&hub](Request& request, const PathParameters&) { return certificate(hub, request); });
  if (!hub.isHeadquarters()) return;
  router.add("PUT", "/sync/v1/share",
             [&hub](Request& request, const PathParameters&) { return share(hub, request); });
  router.add("POST", "/sync/v1/share/release",
             [&hub](Request& request, const PathParameters&) { return release(hub, request); });
}

bool CertificateKeeper::keep(Client& client) {
  const bool isRenewed = renewOwn(client);
  // With a certificate whose time was over nothing else is answered.
  if (isRenewed) return true;
  keepDoor(client);
  handOverHalf(client);
  return false;
}

bool CertificateKeeper::renewOwn(Client& client) {
  const auto now = std::chrono::steady_clock::now();
  const std::string before = office_.identity().tls.certificatePem;
  const bool isDue = now >= nextOwn_ && access::isDue(before, office_.clock().nowMs() / 1000);
  if (!isDue && !office_.read(access::hasOtherHosts)) return false;
  const std::vector<std::string> hosts = office_.read(access::ownHosts);
  access::takeOwn(office_, asked(office_, client, kOwn, hosts), hosts);
  nextOwn_ = now + kBetweenRenewals;
  return true;
}

void CertificateKeeper::keepDoor(Client& client) {
  const auto now = std::chrono::steady_clock::now();
  if (!access::lacksDoor(office_) && (now < nextDoor_ || !access::isDoorDue(office_))) {
    return access::keepLockedFile(office_);
  }
  const std::vector<std::string> hosts = office_.read(access::ownHosts);
  access::takeDoor(office_, asked(office_, client, kLocked, hosts), hosts);
  nextDoor_ = now + kBetweenRenewals;
}

void CertificateKeeper::handOverHalf(Client& client) {
  const std::filesystem::path& directory = office_.directory();
  const auto file = server::readLockedFile(directory);
  if (!file || file->forHub.empty()) return;
  answered(client, "PUT", "/sync/v1/share", {{"half", crypto::toBase64Url(file->forHub)}});
  server::changeLockedFile(directory, [&](server::LockedFile& now) {
    if (now.forHub == file->forHub) now.forHub.clear();
  });
}

std::string askForHalf(Client& client) {
  return bytesOf(answered(client, "POST", "/sync/v1/share/release", Json::object()), "half");
}

}  // namespace waystation::http

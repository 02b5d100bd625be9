#include "server/access/enrolment.h"

#include <algorithm>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "crypto/hpke.h"
#include "server/access/hub_share.h"
#include "server/access/leaf_certificates.h"
#include "server/access/locked_door.h"
#include "server/access/phones.h"
#include "server/access/revocation.h"
#include "server/audit.h"
#include "server/http/client.h"
#include "server/recovery_slot.h"
#include "sync/clock.h"

namespace waystation::access {
namespace {

using http::Json;

constexpr std::string_view kTokenMark = "wst1.";
constexpr std::size_t kSecretSize = 32;
constexpr std::size_t kChecksumSize = 8;
constexpr int kMostHours = 720;
constexpr int kMostMinutes = 1440;
constexpr std::string_view kPending = "enrolment.pending";
constexpr std::string_view kHubName = "hub.name";
constexpr std::string_view kHubKey = "hub.signing-key";
constexpr std::string_view kHubSealingKey = "hub.sealing-key";

std::int64_t nowSeconds(server::Node& node) {
  return node.clock().nowMs() / 1000;
}

std::string spentName(std::string_view secret) {
  return "enrolment." + crypto::toHex(crypto::view(crypto::sha256(secret)));
}

std::string checksumOf(std::string_view payload) {
  return std::string(crypto::view(crypto::sha256(payload)).substr(0, kChecksumSize));
}

// What the office signs to show that the Ed25519 key is its own, and which X25519 key is.
std::string toProve(const std::string& office, const std::string& requestPem,
                    const std::string& sealingKey) {
  return "waystation enrolment v1\n" + office + "\n" + requestPem + sealingKey;
}

bool isNodeName(std::string_view name) {
  return !name.empty() && name.size() <= 16 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

Failure malformedToken() {
  return Failure("enrolment.token-malformed",
                 "This is not a whole enrolment token. Copy the file again as headquarters gave "
                 "it out.");
}

Json readToken(const std::string& text) {
  const std::size_t begin = text.rfind(kTokenMark);
  if (begin == std::string::npos) throw malformedToken();
  std::string token = text.substr(begin + kTokenMark.size());
  token.erase(token.find_last_not_of(" \t\r\n") + 1);
  const std::size_t dot = token.find('.');
  if (dot == std::string::npos) throw malformedToken();
  try {
    const std::string payload = crypto::fromBase64Url(std::string_view(token).substr(0, dot));
    const std::string sum = crypto::fromBase64Url(std::string_view(token).substr(dot + 1));
    if (sum != checksumOf(payload)) throw malformedToken();
    return http::parseJson(payload);
  } catch (const Failure&) {
    throw malformedToken();
  }
}

std::string textOfToken(const Json& token) {
  const std::string payload = http::canonicalJson(token);
  return std::string(kTokenMark) + crypto::toBase64Url(payload) + "." +
         crypto::toBase64Url(checksumOf(payload));
}

std::string textOf(const Json& object, const char* name) {
  const auto at = object.find(name);
  if (at == object.end() || !at->is_string()) {
    throw Failure("enrolment.request-malformed",
                  std::string("The request to join lacks '") + name + "'. Nothing was changed.");
  }
  return at->get<std::string>();
}

std::string bytesOf(const Json& object, const char* name, std::size_t size) {
  std::string bytes;
  try {
    bytes = crypto::fromBase64Url(textOf(object, name));
  } catch (const Failure&) {
    bytes.clear();
  }
  if (bytes.size() != size) {
    throw Failure(
        "enrolment.request-malformed",
        std::string("The request to join has no proper '") + name + "'. Nothing was changed.");
  }
  return bytes;
}

// A request to join, read and its proof checked.
struct Joining {
  std::string secret;
  std::string office;
  std::string requestPem;
  std::string publicKey;
  std::string sealingKey;
  std::vector<std::string> hosts;
  std::string fingerprint;  // of all of it but the hosts
};

Joining readJoining(const Json& request) {
  Joining joining{bytesOf(request, "secret", kSecretSize),
                  textOf(request, "office"),
                  textOf(request, "request"),
                  bytesOf(request, "publicKey", crypto::kSigningKeySize),
                  bytesOf(request, "sealingKey", crypto::kHpkeKeySize),
                  hostsOf(request),
                  {}};
  const std::string proof = bytesOf(request, "proof", crypto::kSignatureSize);
  const std::string proven = toProve(joining.office, joining.requestPem, joining.sealingKey);
  if (!crypto::verifySignature(joining.publicKey, proven, proof)) {
    throw Failure("enrolment.request-malformed",
                  "The request to join is not signed by the key that it names. Nothing was "
                  "changed.");
  }
  crypto::Sha256 hash;
  hash.update(proven).update(joining.publicKey);
  joining.fingerprint = crypto::toHex(crypto::view(hash.finish()));
  return joining;
}

// What headquarters knew of the box that had this name before.
void forgetBoxBefore(storage::Store& store, const Joining& joining) {
  forgetCertificates(store, joining.office);
  const std::optional<storage::LeafRow> known = store.leafByName(joining.office);
  if (known && known->publicKey != joining.publicKey) forgetShare(store, joining.office);
}

// The token's row, if it may still be used by this request: not expired, not another's.
Json usableRow(storage::Store& store, const Joining& joining, std::int64_t now) {
  const std::optional<std::string> text = store.meta(spentName(joining.secret));
  if (!text) {
    throw Failure("enrolment.token-unknown",
                  "Headquarters did not give out this token. Ask there for a new one.");
  }
  Json row = http::parseJson(*text);
  if (row.at("office").get<std::string>() != joining.office) {
    throw Failure("enrolment.token-unknown",
                  "This token is for another office. Ask headquarters for one of this office.");
  }
  if (row.contains("certificate") && row.at("joined").get<std::string>() != joining.fingerprint) {
    throw Failure("enrolment.token-spent",
                  "This token has been used already. If it wasn't this office that used it, tell "
                  "headquarters at once; else ask for a new one.");
  }
  if (!row.contains("certificate") && row.at("expires").get<std::int64_t>() <= now) {
    throw Failure("enrolment.token-expired",
                  "This token's time is over. Ask headquarters for a new one.");
  }
  return row;
}

// The key and request that this office joins with: the same after a failure, so that an answer
// that was lost can be had again.
crypto::KeyAndRequest pendingRequest(server::Node& office) {
  const std::optional<std::string> kept =
      office.read([](storage::Store& store) { return store.meta(kPending); });
  if (kept && !kept->empty()) {
    const Json row = http::parseJson(*kept);
    return {row.at("key").get<std::string>(), row.at("request").get<std::string>()};
  }
  crypto::KeyAndRequest made = crypto::createRequest(office.config().name);
  const Json row = {{"key", made.privateKeyPem}, {"request", made.requestPem}};
  office.write([&](sync::Work& work) { work.store().setMeta(kPending, http::canonicalJson(row)); });
  return made;
}

Json askToJoin(const Json& token, const Json& request, const std::string& hqHost,
               std::uint16_t hqPort) {
  http::ClientSettings settings;
  settings.host = hqHost;
  settings.port = hqPort;
  settings.expectedName = token.at("hq").get<std::string>();
  settings.authorityPem = token.at("authority").get<std::string>();
  http::Client client(settings);
  const http::ClientResponse answer =
      client.send("POST", "/api/v1/enrolment", {{"Content-Type", "application/json"}},
                  http::canonicalJson(request));
  const Json body = http::parseJson(answer.body);
  if (answer.status != 200) throw Failure(body.value("code", ""), body.value("detail", ""));
  return body;
}

}  // namespace

std::string issuePhoneToken(server::Node& office, const std::string& phone, int validMinutes) {
  const std::string& name = office.config().name;
  if (office.isHeadquarters() || hubName(office).empty()) {
    throw Failure("enrolment.not-an-office",
                  "Phones join at their office, once it has joined headquarters itself.");
  }
  if (!isNodeName(phone) || !phone.starts_with(name + "-") || phone.size() <= name.size() + 1) {
    throw Failure("enrolment.phone-malformed",
                  "A phone is named after its office, " + name +
                      "-P1: capital letters, digits or '-', at most 16. No token was made.");
  }
  if (validMinutes < 1 || validMinutes > kMostMinutes) {
    throw Failure("enrolment.minutes-malformed", "A phone's token is good for 1 to 1440 minutes.");
  }
  phoneAuthority(office);
  keepLockedFile(office);
  const std::string secret = office.random().bytes(kSecretSize);
  const std::int64_t expires = nowSeconds(office) + validMinutes * 60;
  const Json row = {{"office", phone}, {"expires", expires}};
  office.write(
      [&](sync::Work& work) { work.store().setMeta(spentName(secret), http::canonicalJson(row)); });
  return textOfToken({{"expires", expires},
                      {"hosts", jsonOf(office.read(ownHosts))},
                      {"hq", name},
                      {"office", phone},
                      {"pin", crypto::toBase64Url(authorityPin(office.identity().authorityPem))},
                      {"port", office.config().port},
                      {"secret", crypto::toBase64Url(secret)}});
}

std::string issueToken(server::Node& hq, const std::string& office, int validHours) {
  if (!hq.isHeadquarters()) {
    throw Failure("node.not-headquarters", "Only headquarters gives out enrolment tokens.");
  }
  if (!isNodeName(office) || office == hq.config().name) {
    throw Failure("enrolment.office-malformed",
                  "An office's name is 1 to 16 capital letters, digits or '-', and not that of "
                  "headquarters.");
  }
  if (validHours < 1 || validHours > kMostHours) {
    throw Failure("enrolment.hours-malformed", "A token is good for 1 to 720 hours.");
  }
  const std::string secret = hq.random().bytes(kSecretSize);
  const std::int64_t expires = nowSeconds(hq) + validHours * 3600;
  const Json row = {{"office", office}, {"expires", expires}};
  hq.write(
      [&](sync::Work& work) { work.store().setMeta(spentName(secret), http::canonicalJson(row)); });
  Json token = {{"authority", hq.identity().authorityPem},
                {"expires", expires},
                {"hq", hq.config().name},
                {"office", office},
                {"publicKey", crypto::toBase64Url(hq.signingKey().publicKey())},
                {"sealingKey", crypto::toBase64Url(hq.sealingKey().publicKey())},
                {"secret", crypto::toBase64Url(secret)}};
  if (const auto recovery = hq.read(server::recoveryKeyOf)) {
    token["recovery"] = crypto::toBase64Url(*recovery);
  }
  return "Token for the office " + office + " to join " + hq.config().name + ", good once, until " +
         sync::formatTime(expires * 1000) + ". Keep it secret.\n" + textOfToken(token) + "\n";
}

Json admit(server::Node& hub, const Json& request, std::uint16_t syncPort) {
  const Joining joining = readJoining(request);
  const std::int64_t now = nowSeconds(hub);
  // A stranger without a token gets no signature, not even one that is thrown away.
  Json row = hub.read([&](storage::Store& store) { return usableRow(store, joining, now); });
  if (!row.contains("certificate")) {
    const std::string certificate =
        signedFor(hub, joining.office, joining.requestPem, joining.hosts);
    const std::string fingerprint = crypto::readCertificate(certificate).fingerprintHex;
    row = hub.write([&](sync::Work& work) {
      Json current = usableRow(work.store(), joining, now);
      if (current.contains("certificate")) return current;
      current["certificate"] = certificate;
      current["joined"] = joining.fingerprint;
      work.store().setMeta(spentName(joining.secret), http::canonicalJson(current));
      forgetBoxBefore(work.store(), joining);
      if (hub.isHeadquarters()) {
        claimHosts(work.store(), joining.office, joining.hosts);
        liftRevocation(hub, work, joining.office);
      }
      const std::string home = hub.isHeadquarters() ? std::string() : hub.config().name;
      sync::enrolLeaf(work, joining.office, joining.publicKey, fingerprint, home,
                      joining.sealingKey);
      server::noteDeed(work.store(), hub.clock(), {"", "joined", {}, {{"node", joining.office}}});
      return current;
    });
  }
  return {{"certificate", row.at("certificate")},
          {"authority", hub.identity().authorityPem},
          {"hq", hub.config().name},
          {"syncPort", syncPort},
          {"publicKey", crypto::toBase64Url(hub.signingKey().publicKey())},
          {"sealingKey", crypto::toBase64Url(hub.sealingKey().publicKey())}};
}

Json tokenFor(server::Node& office, const std::string& tokenText) {
  if (office.isHeadquarters()) {
    throw Failure("node.is-headquarters", "Headquarters gives out tokens; it does not join.");
  }
  Json token = readToken(tokenText);
  if (token.at("office").get<std::string>() != office.config().name) {
    throw Failure("enrolment.other-office", "This token is for the office " +
                                                token.at("office").get<std::string>() +
                                                ", and this is " + office.config().name + ".");
  }
  return token;
}

Json requestToJoin(server::Node& office, const Json& token) {
  const std::string& name = office.config().name;
  const std::string request = pendingRequest(office).requestPem;
  const std::string& sealingKey = office.sealingKey().publicKey();
  const std::string proof = office.signingKey().sign(toProve(name, request, sealingKey));
  return {{"secret", token.at("secret")},
          {"office", name},
          {"request", request},
          {"publicKey", crypto::toBase64Url(office.signingKey().publicKey())},
          {"sealingKey", crypto::toBase64Url(sealingKey)},
          {"hosts", jsonOf(office.read(ownHosts))},
          {"proof", crypto::toBase64Url(proof)}};
}

void join(server::Node& office, const Json& token, const Json& answer, const std::string& hqHost) {
  const std::string certificate = textOf(answer, "certificate");
  const std::string authority = token.at("authority").get<std::string>();
  const crypto::KeyAndCertificate own{pendingRequest(office).privateKeyPem, certificate};
  if (!crypto::isSignedBy(certificate, authority) || !crypto::belongTogether(own)) {
    throw Failure("enrolment.answer-malformed",
                  "Headquarters answered with a certificate that is not its own, or not this "
                  "office's. This office has not joined.");
  }
  const std::string key = bytesOf(answer, "publicKey", crypto::kSigningKeySize);
  const std::string sealingKey = bytesOf(answer, "sealingKey", crypto::kHpkeKeySize);
  server::NodeConfig config = office.config();
  config.hqHost = hqHost;
  config.hqSyncPort = answer.at("syncPort").get<std::uint16_t>();
  office.setIdentity({authority, own});
  takeOwn(office, own, office.read(ownHosts));
  office.changeConfig(config);
  office.write([&](sync::Work& work) {
    work.store().setMeta(kHubName, token.at("hq").get<std::string>());
    work.store().setMeta(kHubKey, key);
    work.store().setMeta(kHubSealingKey, sealingKey);
    work.store().setMeta(kPending, "");
    // The master key is sealed to it when the node is opened the next time.
    if (token.contains("recovery")) {
      server::setRecoveryKey(work.store(), bytesOf(token, "recovery", crypto::kHpkeKeySize));
    }
  });
}

void enrol(server::Node& office, const std::string& tokenText, const std::string& hqHost,
           std::uint16_t hqPort) {
  const Json token = tokenFor(office, tokenText);
  join(office, token, askToJoin(token, requestToJoin(office, token), hqHost, hqPort), hqHost);
}

HubKeys hubKeys(server::Node& office) {
  return office.read([](storage::Store& store) {
    return HubKeys{store.meta(kHubKey).value_or(""), store.meta(kHubSealingKey).value_or("")};
  });
}

std::string hubName(server::Node& office) {
  return office.read(
      [](storage::Store& store) { return store.meta(kHubName).value_or(std::string()); });
}

}  // namespace waystation::access

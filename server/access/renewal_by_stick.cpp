#include "server/access/renewal_by_stick.h"

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "server/access/enrolment.h"
#include "server/access/leaf_certificates.h"
#include "server/access/locked_door.h"

namespace waystation::access {
namespace {

using http::Json;

// At headquarters, by office: {"certificate", "request": its SHA-256}; the second for when it is
// locked, and with "asked": when, in seconds.
constexpr std::string_view kSigned = "certificates-by-stick.";
constexpr std::string_view kSignedDoor = "doors-by-stick.";
constexpr std::string_view kLocked = "locked";
constexpr std::int64_t kCarriedSeconds = 30 * std::int64_t{86'400};

Json rowAt(storage::Store& store, const std::string& name) {
  const std::string text = store.meta(name).value_or("");
  return text.empty() ? Json() : http::parseJson(text);
}

void putRow(server::Node& node, const std::string& name, const Json& row) {
  node.write([&](sync::Work& work) { work.store().setMeta(name, http::canonicalJson(row)); });
}

std::string hashOf(std::string_view text) {
  return crypto::toHex(crypto::view(crypto::sha256(text)));
}

std::int64_t nowSeconds(server::Node& node) {
  return node.clock().nowMs() / 1000;
}

// {"hosts", "request"}, the same until it is answered or other hosts are to be named; with its key
// in the row of that name.
Json requestIn(server::Node& office, const std::string& name) {
  const Json hosts = jsonOf(office.read(ownHosts));
  Json row = office.read([&](storage::Store& store) { return rowAt(store, name); });
  if (row.is_null() || row.at("hosts") != hosts) {
    const crypto::KeyAndRequest keys = crypto::createRequest(office.config().name);
    row = {{"hosts", hosts}, {"key", keys.privateKeyPem}, {"request", keys.requestPem}};
    putRow(office, name, row);
  }
  row.erase("key");
  return row;
}

std::string textIn(const Json& wanted, const char* name, const std::string& office) {
  if (wanted.is_object() && wanted.contains(name) && wanted.at(name).is_string()) {
    return wanted.at(name).get<std::string>();
  }
  throw Failure("certificate.request-malformed",
                "What " + office + " asks for is no request for a certificate.");
}

// Whether it was signed before, for this request, and is good for a while.
bool isSigned(server::Node& hq, const Json& row, const std::string& request) {
  return !row.is_null() && row.at("request") == hashOf(request) &&
         !isDue(row.at("certificate"), nowSeconds(hq));
}

void signDoor(server::Node& hq, const storage::LeafRow& leaf, const Json& wanted) {
  const std::string request = textIn(wanted, "request", leaf.name);
  const std::string name = std::string(kSignedDoor) + leaf.name;
  Json row = hq.read([&](storage::Store& store) { return rowAt(store, name); });
  if (!isSigned(hq, row, request)) {
    row = {{"certificate", renewDoorByStick(hq, leaf, request, hostsOf(wanted))},
           {"request", hashOf(request)}};
  }
  row["asked"] = nowSeconds(hq);
  putRow(hq, name, row);
}

// Whether the certificate is of the key of this row, and the identity that both make.
std::optional<crypto::KeyAndCertificate> answerTo(const Json& row, const std::string& certificate) {
  if (row.is_null()) return std::nullopt;
  crypto::KeyAndCertificate renewed{row.at("key").get<std::string>(), certificate};
  if (!crypto::belongTogether(renewed)) return std::nullopt;  // an older request's answer
  return renewed;
}

}  // namespace

std::vector<std::string> renewalsAsked(server::Node& office) {
  std::vector<std::string> all;
  if (hubName(office).empty()) return all;
  const std::string& shown = office.identity().tls.certificatePem;
  if (isDue(shown, nowSeconds(office)) || office.read(hasOtherHosts)) {
    Json row = requestIn(office, std::string(kRenewalAsked));
    row["shows"] = crypto::readCertificate(shown).fingerprintHex;
    all.push_back(http::canonicalJson(row));
  }
  if (lacksDoor(office) || isDoorDue(office)) {
    Json row = requestIn(office, std::string(kDoorAsked));
    row["use"] = kLocked;
    all.push_back(http::canonicalJson(row));
  }
  return all;
}

void signRenewal(server::Node& hq, const std::string& office, std::string_view asked) {
  const Json wanted = http::parseJson(std::string(asked));
  const std::string request = textIn(wanted, "request", office);
  const std::string name = std::string(kSigned) + office;
  storage::LeafRow leaf;
  const Json before = hq.read([&](storage::Store& store) {
    leaf = store.leafByName(office).value_or(storage::LeafRow{});
    return rowAt(store, name);
  });
  if (wanted.contains("use") && wanted.at("use") == kLocked) return signDoor(hq, leaf, wanted);
  // Else the next one would take its place, as if the office had never had it.
  noteShown(hq, office, textIn(wanted, "shows", office));
  if (isSigned(hq, before, request)) return;
  const std::string certificate = renewCertificate(hq, leaf, request, hostsOf(wanted));
  putRow(hq, name, {{"certificate", certificate}, {"request", hashOf(request)}});
}

std::vector<std::string> renewedFor(server::Node& hq, const std::string& office) {
  Json own;
  Json door;
  hq.read([&](storage::Store& store) {
    own = rowAt(store, std::string(kSigned) + office);
    door = rowAt(store, std::string(kSignedDoor) + office);
  });
  std::vector<std::string> all;
  if (!own.is_null() && !isShown(hq, office, own.at("certificate"))) {
    all.push_back(own.at("certificate").get<std::string>());
  }
  if (!door.is_null() && nowSeconds(hq) < door.at("asked").get<std::int64_t>() + kCarriedSeconds) {
    all.push_back(door.at("certificate").get<std::string>());
  }
  return all;
}

Renewed takeRenewal(server::Node& office, std::string_view certificatePem) {
  Json own;
  Json door;
  office.read([&](storage::Store& store) {
    own = rowAt(store, std::string(kRenewalAsked));
    door = rowAt(store, std::string(kDoorAsked));
  });
  if (own.is_null() && door.is_null()) return Renewed::kNothing;
  const std::string certificate(certificatePem);
  if (!crypto::isSignedBy(certificate, office.identity().authorityPem)) {
    throw Failure("certificate.request-malformed",
                  "The bundle brings a certificate that is not headquarters' own. The one before "
                  "stays in use.");
  }
  if (const auto renewed = answerTo(own, certificate)) {
    takeOwn(office, *renewed, hostsOf(own));
    return Renewed::kOwn;
  }
  if (const auto renewed = answerTo(door, certificate)) {
    takeDoor(office, *renewed, hostsOf(door));
    return Renewed::kDoor;
  }
  return Renewed::kNothing;
}

}  // namespace waystation::access

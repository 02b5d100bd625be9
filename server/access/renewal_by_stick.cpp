#include "server/access/renewal_by_stick.h"

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "server/access/enrolment.h"
#include "server/access/leaf_certificates.h"

namespace waystation::access {
namespace {

using http::Json;

// At headquarters, by office: {"certificate", "request": its SHA-256}.
constexpr std::string_view kSigned = "certificates-by-stick.";

std::string rowName(const std::string& office) {
  return std::string(kSigned) + office;
}

Json rowAt(storage::Store& store, const std::string& name) {
  const std::string text = store.meta(name).value_or("");
  return text.empty() ? Json() : http::parseJson(text);
}

std::string hashOf(std::string_view text) {
  return crypto::toHex(crypto::view(crypto::sha256(text)));
}

}  // namespace

std::string renewalAsked(server::Node& office) {
  const std::int64_t now = office.clock().nowMs() / 1000;
  const bool isWanted = !hubName(office).empty() &&
                        (isDue(office.identity().tls.certificatePem, now) ||
                         office.read([](storage::Store& store) { return hasOtherHosts(store); }));
  if (!isWanted) return {};
  const Json hosts = jsonOf(office.read([](storage::Store& store) { return ownHosts(store); }));
  const std::string name(kRenewalAsked);  // {"hosts", "key", "request"}
  Json row = office.read([&](storage::Store& store) { return rowAt(store, name); });
  if (row.is_null() || row.at("hosts") != hosts) {
    const crypto::KeyAndRequest keys = crypto::createRequest(office.config().name);
    row = {{"hosts", hosts}, {"key", keys.privateKeyPem}, {"request", keys.requestPem}};
    office.write([&](sync::Work& work) { work.store().setMeta(name, http::canonicalJson(row)); });
  }
  row.erase("key");
  row["shows"] = crypto::readCertificate(office.identity().tls.certificatePem).fingerprintHex;
  return http::canonicalJson(row);
}

void signRenewal(server::Node& hq, const std::string& office, std::string_view asked) {
  const Json wanted = http::parseJson(std::string(asked));
  const auto textOf = [&](const char* name) {
    if (wanted.is_object() && wanted.contains(name) && wanted.at(name).is_string()) {
      return wanted.at(name).get<std::string>();
    }
    throw Failure("certificate.request-malformed",
                  "What " + office + " asks for is no request for a certificate.");
  };
  const std::string request = textOf("request");
  const std::string shown = textOf("shows");
  const std::string name = rowName(office);
  storage::LeafRow leaf;
  const Json before = hq.read([&](storage::Store& store) {
    leaf = store.leafByName(office).value_or(storage::LeafRow{});
    return rowAt(store, name);
  });
  // Else the next one would take its place, as if the office had never had it.
  noteShown(hq, office, shown);
  const bool isAgain = !before.is_null() && before.at("request") == hashOf(request) &&
                       !isDue(before.at("certificate"), hq.clock().nowMs() / 1000);
  if (isAgain) return;
  const std::string certificate = renewCertificate(hq, leaf, request, hostsOf(wanted));
  const Json row = {{"certificate", certificate}, {"request", hashOf(request)}};
  hq.write([&](sync::Work& work) { work.store().setMeta(name, http::canonicalJson(row)); });
}

std::string renewedFor(server::Node& hq, const std::string& office) {
  const Json row = hq.read([&](storage::Store& store) { return rowAt(store, rowName(office)); });
  if (row.is_null()) return {};
  const std::string certificate = row.at("certificate").get<std::string>();
  return isShown(hq, office, certificate) ? std::string() : certificate;
}

bool takeRenewal(server::Node& office, std::string_view certificatePem) {
  const std::string name(kRenewalAsked);  // {"hosts", "key", "request"}
  const Json row = office.read([&](storage::Store& store) { return rowAt(store, name); });
  if (row.is_null()) return false;
  const std::string certificate(certificatePem);
  if (!crypto::isSignedBy(certificate, office.identity().authorityPem)) {
    throw Failure("certificate.request-malformed",
                  "The bundle brings a certificate that is not headquarters' own. The one before "
                  "stays in use.");
  }
  const crypto::KeyAndCertificate renewed{row.at("key").get<std::string>(), certificate};
  if (!crypto::belongTogether(renewed)) return false;  // an older request's answer
  takeOwn(office, renewed, hostsOf(row));
  return true;
}

}  // namespace waystation::access

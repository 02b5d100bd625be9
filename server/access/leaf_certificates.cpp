#include "server/access/leaf_certificates.h"

#include <Poco/Net/IPAddress.h>
#include <arpa/inet.h>

#include <algorithm>
#include <array>

#include "crypto/failure.h"
#include "server/access/phones.h"
#include "server/access/revocation.h"
#include "server/audit.h"
#include "storage/named_values.h"

namespace waystation::access {
namespace {

using http::Json;

constexpr std::int64_t kDaySeconds = 86'400;
constexpr std::int64_t kHeadquartersDays = 825;
constexpr std::size_t kMostHosts = 16;
constexpr std::string_view kRow = "certificates.";
constexpr std::string_view kHostsRow = "hosts.";
constexpr std::string_view kOwnHosts = "identity.hosts";
// Those that the certificate names.
constexpr std::string_view kNamedHosts = "identity.hosts-named";

std::vector<std::string> hostsAt(storage::Store& store, std::string_view row) {
  const std::string text = store.meta(row).value_or("[]");
  return http::parseJson(text).get<std::vector<std::string>>();
}

std::int64_t nowSeconds(server::Node& node) {
  return node.clock().nowMs() / 1000;
}

// {"now"?, "next"?, "door"?, "doorByStick"?}: fingerprints. Beside the leaf's own row, which an
// exchange that is under way puts back as it had read it.
Json rowOf(storage::Store& store, const std::string& leaf) {
  const auto text = store.meta(std::string(kRow) + leaf);
  return text && !text->empty() ? http::parseJson(*text) : Json::object();
}

void putRow(storage::Store& store, const std::string& leaf, const Json& row) {
  store.setMeta(std::string(kRow) + leaf, http::canonicalJson(row));
}

bool isNamed(const Json& row, const char* name, const std::string& fingerprint) {
  return row.contains(name) && row.at(name) == fingerprint;
}

// Written out in full: other readers take "10.1" for an address too, and certificates do not.
bool isAddress(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes.data()) == 1;
}

bool isPrivate(const std::string& host) {
  Poco::Net::IPAddress address;
  if (!Poco::Net::IPAddress::tryParse(host, address)) return false;
  return address.isSiteLocal() || address.isLinkLocal() || address.isLoopback();
}

// The leaf of that name, unless it was revoked.
storage::LeafRow admitted(storage::Store& store, const crypto::CertificateFacts& facts) {
  std::optional<storage::LeafRow> leaf = store.leafByName(facts.commonName);
  if (!leaf) {
    throw Failure("sync.unknown-leaf", "No office of the name " + facts.commonName +
                                           " is enrolled here. Enrol it with a token first.");
  }
  if (isRevoked(store, *leaf)) {
    throw Failure("sync.revoked",
                  leaf->name + " has been revoked. Headquarters can enrol it again.");
  }
  return std::move(*leaf);
}

Failure replaced(const std::string& leaf) {
  return Failure("sync.certificate-replaced",
                 "The office " + leaf +
                     " was enrolled anew since; this box's certificate is no longer taken.");
}

Failure expired(const std::string& leaf) {
  return Failure("sync.certificate-expired",
                 "The time of " + leaf +
                     "'s certificate is over. Check the clocks of both machines; a running office "
                     "renews it by itself at its next exchange.");
}

std::string signFor(server::Node& hub, const storage::LeafRow& leaf, const std::string& requestPem,
                    const std::vector<std::string>& hosts, const char* use) {
  const std::string certificate = signedFor(hub, leaf.name, requestPem, hosts);
  hub.write([&](sync::Work& work) {
    storage::Store& store = work.store();
    if (hub.isHeadquarters()) claimHosts(store, leaf.name, hosts);
    Json row = rowOf(store, leaf.name);
    row[use] = crypto::readCertificate(certificate).fingerprintHex;
    if (std::string_view(use) == "door") row.erase("doorByStick");
    putRow(store, leaf.name, row);
    if (std::string_view(use).starts_with("door")) return;
    server::noteDeed(
        store, hub.clock(),
        {"", "certificate-renewed", {}, {{"node", leaf.name}, {"hosts", jsonOf(hosts)}}});
  });
  return certificate;
}

}  // namespace

storage::LeafRow judgeLeaf(server::Node& hub, const std::string& certificatePem, bool evenExpired) {
  const crypto::CertificateFacts facts = crypto::readCertificate(certificatePem);
  const std::string& fingerprint = facts.fingerprintHex;
  Json row;
  const storage::LeafRow leaf = hub.read([&](storage::Store& store) {
    row = rowOf(store, facts.commonName);
    return admitted(store, facts);
  });
  const bool isNext = isNamed(row, "next", fingerprint);
  const std::string now = row.value("now", leaf.certificateHash);
  if (!isNext && now != fingerprint) throw replaced(leaf.name);
  if (!evenExpired && facts.notAfter < nowSeconds(hub)) throw expired(leaf.name);
  if (isNext) noteShown(hub, leaf.name, fingerprint);
  return leaf;
}

void noteShown(server::Node& hub, const std::string& leaf, const std::string& fingerprint) {
  hub.write([&](sync::Work& work) {
    Json row = rowOf(work.store(), leaf);
    if (!isNamed(row, "next", fingerprint)) return;
    row["now"] = fingerprint;
    row.erase("next");
    putRow(work.store(), leaf, row);
  });
}

bool isShown(server::Node& hub, const std::string& leaf, const std::string& certificatePem) {
  const Json row = hub.read([&](storage::Store& store) { return rowOf(store, leaf); });
  return isNamed(row, "now", crypto::readCertificate(certificatePem).fingerprintHex);
}

std::string signedFor(server::Node& hub, const std::string& leaf, const std::string& requestPem,
                      const std::vector<std::string>& hosts) {
  if (hub.isHeadquarters()) {
    return crypto::signRequest(hub.authority(), requestPem, termsFor(leaf, hosts, nowSeconds(hub)));
  }
  crypto::CertificateTerms terms = termsFor(leaf, {}, nowSeconds(hub), kPhoneCertificateDays);
  terms.server = false;
  terms.ipAddresses.clear();
  terms.dnsNames.clear();
  return crypto::signRequest(phoneAuthority(hub), requestPem, terms);
}

std::string renewCertificate(server::Node& hub, const storage::LeafRow& leaf,
                             const std::string& requestPem, const std::vector<std::string>& hosts) {
  return signFor(hub, leaf, requestPem, hosts, "next");
}

std::string renewDoor(server::Node& hq, const storage::LeafRow& leaf, const std::string& requestPem,
                      const std::vector<std::string>& hosts) {
  return signFor(hq, leaf, requestPem, hosts, "door");
}

std::string renewDoorByStick(server::Node& hq, const storage::LeafRow& leaf,
                             const std::string& requestPem, const std::vector<std::string>& hosts) {
  return signFor(hq, leaf, requestPem, hosts, "doorByStick");
}

void judgeDoor(server::Node& hq, storage::Store& store, const crypto::CertificateFacts& facts) {
  const storage::LeafRow leaf = admitted(store, facts);
  const Json row = rowOf(store, leaf.name);
  if (!isNamed(row, "door", facts.fingerprintHex) &&
      !isNamed(row, "doorByStick", facts.fingerprintHex)) {
    throw replaced(leaf.name);
  }
  if (facts.notAfter < nowSeconds(hq)) throw expired(leaf.name);
}

void forgetCertificates(storage::Store& store, const std::string& leaf) {
  if (store.meta(std::string(kRow) + leaf)) store.setMeta(std::string(kRow) + leaf, "");
}

std::vector<std::string> hostsIn(const std::vector<std::string>& given) {
  std::vector<std::string> hosts;
  for (std::string host : given) {
    std::transform(host.begin(), host.end(), host.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    const bool isDotted =
        host.find('.') != std::string::npos && host.front() != '.' && host.back() != '.' &&
        host.size() <= 253 &&
        host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-.") == std::string::npos;
    // What looks like an address and is none would never be met.
    const bool looksLikeAddress = host.find_first_not_of("0123456789.") == std::string::npos;
    if (host.empty() || !(isAddress(host) || (isDotted && !looksLikeAddress))) {
      throw Failure("certificate.host-malformed",
                    "\"" + host +
                        "\" is no host that browsers could go to: give names with a dot "
                        "(nbo.example.org) or addresses (192.168.1.10). Nothing was changed.");
    }
    if (std::find(hosts.begin(), hosts.end(), host) == hosts.end()) hosts.push_back(host);
  }
  if (hosts.size() > kMostHosts) {
    throw Failure("certificate.host-malformed",
                  "A certificate names at most 16 hosts. Nothing was changed.");
  }
  return hosts;
}

Json jsonOf(const std::vector<std::string>& hosts) {
  Json list = Json::array();
  for (const std::string& host : hosts) list.push_back(host);
  return list;
}

std::vector<std::string> hostsOf(const Json& object) {
  const auto found = object.find("hosts");
  if (found == object.end()) return {};
  std::vector<std::string> given;
  if (found->is_array()) {
    for (const Json& host : *found) {
      if (host.is_string()) given.push_back(host.get<std::string>());
    }
  }
  if (!found->is_array() || given.size() != found->size()) {
    throw Failure("certificate.host-malformed", "'hosts' must be a list of names and addresses.");
  }
  return hostsIn(given);
}

void claimHosts(storage::Store& store, const std::string& node,
                const std::vector<std::string>& hosts) {
  for (const auto& [row, text] : storage::metaUnder(store.database(), kHostsRow)) {
    if (row == std::string(kHostsRow) + node) continue;
    for (const Json& taken : http::parseJson(text)) {
      const auto host = taken.get<std::string>();
      if (isPrivate(host) || std::find(hosts.begin(), hosts.end(), host) == hosts.end()) continue;
      throw Failure("certificate.host-taken",
                    host + " is the host of another node. Nothing was changed; ask headquarters.");
    }
  }
  const std::string now = http::canonicalJson(jsonOf(hosts));
  const std::string name = std::string(kHostsRow) + node;
  if (store.meta(name).value_or("[]") != now) store.setMeta(name, now);
}

crypto::CertificateTerms termsFor(const std::string& node, const std::vector<std::string>& hosts,
                                  std::int64_t now, std::int64_t days) {
  crypto::CertificateTerms terms;
  terms.commonName = node;
  terms.dnsNames = {node, "localhost"};
  terms.ipAddresses = {"127.0.0.1"};
  for (const std::string& host : hosts) {
    (isAddress(host) ? terms.ipAddresses : terms.dnsNames).push_back(host);
  }
  terms.notBefore = now - kDaySeconds;  // clocks at offices are not exact
  terms.notAfter = now + days * kDaySeconds;
  return terms;
}

std::vector<std::string> ownHosts(storage::Store& store) {
  return hostsAt(store, kOwnHosts);
}

std::vector<std::string> hostsInUse(storage::Store& store) {
  std::vector<std::string> hosts = ownHosts(store);
  for (std::string& named : hostsAt(store, kNamedHosts)) hosts.push_back(std::move(named));
  return hosts;
}

void setOwnHosts(server::Node& node, const std::vector<std::string>& hosts) {
  const std::vector<std::string> checked = hostsIn(hosts);
  node.write([&](sync::Work& work) {
    if (node.isHeadquarters()) claimHosts(work.store(), node.config().name, checked);
    work.store().setMeta(kOwnHosts, http::canonicalJson(jsonOf(checked)));
  });
}

bool isDue(const std::string& certificatePem, std::int64_t now) {
  const crypto::CertificateFacts facts = crypto::readCertificate(certificatePem);
  return facts.notAfter - now <= (facts.notAfter - facts.notBefore) / 3;
}

bool hasOtherHosts(storage::Store& store) {
  return store.meta(kOwnHosts).value_or("[]") != store.meta(kNamedHosts).value_or("[]");
}

void takeOwn(server::Node& node, const crypto::KeyAndCertificate& renewed,
             const std::vector<std::string>& hosts) {
  // First: its answer would put a certificate back that headquarters no longer takes.
  const auto asked = node.read([](storage::Store& store) { return store.meta(kRenewalAsked); });
  if (asked && !asked->empty()) {
    node.write([](sync::Work& work) { work.store().setMeta(kRenewalAsked, ""); });
  }
  server::NodeIdentity identity = node.identity();
  identity.tls = renewed;
  node.setIdentity(identity);
  node.write([&](sync::Work& work) {
    work.store().setMeta(kNamedHosts, http::canonicalJson(jsonOf(hosts)));
  });
}

bool renewOwn(server::Node& hq) {
  if (!hq.read(hasOtherHosts) && !isDue(hq.identity().tls.certificatePem, nowSeconds(hq))) {
    return false;
  }
  const std::vector<std::string> hosts = hq.read(ownHosts);
  const crypto::KeyAndRequest keys = crypto::createRequest(hq.config().name);
  takeOwn(hq,
          {keys.privateKeyPem, crypto::signRequest(hq.authority(), keys.requestPem,
                                                   termsFor(hq.config().name, hosts, nowSeconds(hq),
                                                            kHeadquartersDays))},
          hosts);
  return true;
}

}  // namespace waystation::access

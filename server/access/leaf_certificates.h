#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/certificate.h"
#include "server/http/json.h"
#include "server/node.h"

namespace waystation::access {

// The certificates of nodes: which one a leaf may speak with, how headquarters renews it, and which
// hosts it names (docs/spec/sync.md, "Certificates").

inline constexpr std::int64_t kCertificateDays = 90;
// At an office: what it has asked for by stick (renewal_by_stick.h).
inline constexpr std::string_view kRenewalAsked = "identity.asked";

// Who speaks, by the certificate shown in the handshake; asked at every request. Throws
// Failure("sync.unknown-leaf"), ("sync.revoked"), ("sync.certificate-replaced"), and, unless
// `evenExpired`, ("sync.certificate-expired").
storage::LeafRow judgeLeaf(server::Node& hub, const std::string& certificatePem,
                           bool evenExpired = false);

// At a hub: a certificate for this leaf, of headquarters' authority for an office, of the office's
// own for its phone, which has no hosts. Throws Failure("certificate.request-malformed").
std::string signedFor(server::Node& hub, const std::string& leaf, const std::string& requestPem,
                      const std::vector<std::string>& hosts);
// At a hub: such a one in the place of the one before, which counts from its first use on, and then
// the one before no more; an answer that was lost can so be had again. `hosts`: checked as hostsIn
// says. Throws besides Failure("certificate.host-taken").
std::string renewCertificate(server::Node& hub, const storage::LeafRow& leaf,
                             const std::string& requestPem, const std::vector<std::string>& hosts);
// At headquarters, likewise for what it shows while it is locked, with which it can ask for its
// share alone.
std::string renewDoor(server::Node& hq, const storage::LeafRow& leaf, const std::string& requestPem,
                      const std::vector<std::string>& hosts);
// By stick, where the answer may never come home: the one before counts beside it.
std::string renewDoorByStick(server::Node& hq, const storage::LeafRow& leaf,
                             const std::string& requestPem, const std::vector<std::string>& hosts);
// Who asks with such a one. Throws as judgeLeaf.
void judgeDoor(server::Node& hq, storage::Store& store, const crypto::CertificateFacts& facts);
// At headquarters: the leaf holds this one, and shows it from now on; nothing if it is not the
// next.
void noteShown(server::Node& hub, const std::string& leaf, const std::string& fingerprint);
// Whether it is the one that the leaf is known to show.
bool isShown(server::Node& hub, const std::string& leaf, const std::string& certificatePem);
// In the transaction in which the leaf joins anew.
void forgetCertificates(storage::Store& store, const std::string& leaf);

// The hosts by which browsers reach a node, as somebody gives them: names with a dot, or addresses,
// at most 16. Throws Failure("certificate.host-malformed").
std::vector<std::string> hostsIn(const std::vector<std::string>& given);
http::Json jsonOf(const std::vector<std::string>& hosts);
std::vector<std::string> hostsOf(const http::Json& object);  // its "hosts"; none: empty

// At headquarters, in the transaction in which it signs: nobody else has these hosts. Addresses of
// private networks may be many offices'. Throws Failure("certificate.host-taken").
void claimHosts(storage::Store& store, const std::string& node,
                const std::vector<std::string>& hosts);

// What a certificate for a node says.
crypto::CertificateTerms termsFor(const std::string& node, const std::vector<std::string>& hosts,
                                  std::int64_t nowSeconds, std::int64_t days = kCertificateDays);

// This node's own hosts. Changed ones want another certificate.
std::vector<std::string> ownHosts(storage::Store& store);
// These, and those that its certificate names from before: all that people may come by.
std::vector<std::string> hostsInUse(storage::Store& store);
void setOwnHosts(server::Node& node, const std::vector<std::string>& hosts);
// Whether a third of its time is left, or less.
bool isDue(const std::string& certificatePem, std::int64_t nowSeconds);
// Whether its certificate names other ones.
bool hasOtherHosts(storage::Store& store);
// In the place of the one before, and of one that was asked for besides; `hosts`: those that it
// names.
void takeOwn(server::Node& node, const crypto::KeyAndCertificate& renewed,
             const std::vector<std::string>& hosts);

// At headquarters, which signs its own: true where it did.
bool renewOwn(server::Node& hq);

}  // namespace waystation::access

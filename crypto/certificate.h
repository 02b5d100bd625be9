#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace waystation::crypto {

// X.509 for nodes: HQ's own certificate authority (ECDSA P-256) and the leaf certificates it gives.
// All PEM. Times are seconds since 1970 (UTC), given by the caller: no clock in here.

struct KeyAndCertificate {
  std::string privateKeyPem;  // PKCS#8, unencrypted: seal it before it is kept
  std::string certificatePem;

  bool operator==(const KeyAndCertificate&) const = default;
};

// A self-signed authority: CA:TRUE, pathlen 0, keyCertSign and cRLSign.
KeyAndCertificate createAuthority(const std::string& name, std::int64_t notBefore,
                                  std::int64_t notAfter);

// A fresh P-256 key and a signing request with `commonName` as its subject.
struct KeyAndRequest {
  std::string privateKeyPem;
  std::string requestPem;
};
KeyAndRequest createRequest(const std::string& commonName);

struct CertificateTerms {
  std::string commonName;                // what the certificate will say, whatever the request said
  std::vector<std::string> dnsNames;     // subject alternative names
  std::vector<std::string> ipAddresses;  // likewise, "127.0.0.1"
  std::int64_t notBefore = 0;
  std::int64_t notAfter = 0;
  bool server = true;  // serverAuth beside clientAuth
};
// Signs a request after checking its own signature. Serial numbers are 128 random bits.
// Throws Failure: "certificate.request-malformed", "certificate.terms-malformed" (a name, address
// or time that no certificate can hold), "certificate.malformed" (the authority is none, or its key
// is another's).
std::string signRequest(const KeyAndCertificate& authority, const std::string& requestPem,
                        const CertificateTerms& terms);

struct CertificateFacts {
  std::string commonName;
  std::string serialHex;
  std::string fingerprintHex;    // SHA-256 of the DER form
  std::string publicKeyHashHex;  // SHA-256 of the SubjectPublicKeyInfo
  std::int64_t notBefore = 0;
  std::int64_t notAfter = 0;
};
// Throws Failure("certificate.malformed").
CertificateFacts readCertificate(const std::string& certificatePem);

// Whether `authorityPem` signed `certificatePem`, leaving dates aside.
bool isSignedBy(const std::string& certificatePem, const std::string& authorityPem);
// Whether the certificate is of this key. Throws Failure("certificate.malformed").
bool belongTogether(const KeyAndCertificate& both);

}  // namespace waystation::crypto

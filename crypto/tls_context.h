#pragma once

#include <string>

struct ssl_ctx_st;

namespace waystation::crypto {

// What a TLS context is to hold. PEM throughout, in memory only: a private key never needs a file.
struct TlsTerms {
  std::string certificatePem;  // leaf first, then what lies between it and the authority
  std::string privateKeyPem;   // unencrypted; empty with certificatePem where there is none
  std::string authorityPem;    // the only authorities trusted for the peer; empty: peer not asked
  std::string expectedName;    // for clients: the DNS name, common name or IP address to be met
  // For servers: a client's certificate whose time is over, and with which nothing else is wrong,
  // passes; whoever answers judges its dates.
  bool takesExpired = false;
};

// Prepares an OpenSSL context (made elsewhere, by whoever wraps the sockets) for our one way of
// speaking TLS: version 1.3 only, X25519 or P-256, no session tickets and no resumption, so that
// every connection is judged anew. With `authorityPem` a client must show a certificate that it
// signed. Throws Failure("tls.certificate-malformed"), ("tls.key-malformed"), ("tls.key-mismatch")
// or ("tls.authority-malformed").
void setUpTlsServer(ssl_ctx_st* context, const TlsTerms& terms);

// Likewise for a client: the server's certificate must be signed by `authorityPem` (which must be
// there), be in date and say `expectedName`; the system's authorities are not consulted.
void setUpTlsClient(ssl_ctx_st* context, const TlsTerms& terms);

// Forgets this thread's old OpenSSL errors. To be called before an operation on a connection: an
// error left behind by one connection is otherwise taken for the next one's.
void clearTlsErrors();

}  // namespace waystation::crypto

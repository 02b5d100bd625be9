#include "crypto/tls_context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string_view>
#include <vector>

#include "crypto/failure.h"
#include "crypto/openssl_handles.h"

namespace waystation::crypto {
namespace {

constexpr long kLargestRecordBytes = 4096;

using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;
using Store = std::unique_ptr<X509_STORE, FreeWith<X509_STORE_free>>;

BioHandle bytesOf(const std::string& pem) {
  return BioHandle(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

// OpenSSL would ask for a passphrase on the terminal; a service has none.
int noPassphrase(char*, int, int, void*) {
  return -1;
}

std::vector<Certificate> readCertificates(const std::string& pem) {
  std::vector<Certificate> certificates;
  const BioHandle bio = bytesOf(pem);
  while (X509* next = PEM_read_bio_X509(bio.get(), nullptr, noPassphrase, nullptr)) {
    certificates.emplace_back(next);
  }
  ERR_clear_error();
  return certificates;
}

void require(bool done, const char* code, const char* sentence) {
  if (done) return;
  ERR_clear_error();
  throw Failure(code, sentence);
}

void useIdentity(SSL_CTX* context, const TlsTerms& terms) {
  std::vector<Certificate> chain = readCertificates(terms.certificatePem);
  require(!chain.empty() && SSL_CTX_use_certificate(context, chain.front().get()) == 1,
          "tls.certificate-malformed", "This node's own certificate cannot be read.");
  SSL_CTX_clear_chain_certs(context);
  for (std::size_t i = 1; i < chain.size(); ++i) {
    require(SSL_CTX_add1_chain_cert(context, chain[i].get()) == 1, "tls.certificate-malformed",
            "This node's certificate chain cannot be read.");
  }
  const BioHandle bio = bytesOf(terms.privateKeyPem);
  const KeyHandle key(PEM_read_bio_PrivateKey(bio.get(), nullptr, noPassphrase, nullptr));
  require(key != nullptr, "tls.key-malformed",
          "The private key of this node's certificate cannot be read.");
  require(
      SSL_CTX_use_PrivateKey(context, key.get()) == 1 && SSL_CTX_check_private_key(context) == 1,
      "tls.key-mismatch", "This node's private key does not belong to its certificate.");
}

void trustOnly(SSL_CTX* context, const std::string& authorityPem) {
  Store store(X509_STORE_new());
  const std::vector<Certificate> authorities = readCertificates(authorityPem);
  require(store != nullptr && !authorities.empty(), "tls.authority-malformed",
          "The certificate of headquarters' authority cannot be read.");
  for (const Certificate& authority : authorities) {
    require(X509_STORE_add_cert(store.get(), authority.get()) == 1, "tls.authority-malformed",
            "The certificate of headquarters' authority cannot be used.");
  }
  SSL_CTX_set_cert_store(context, store.release());
}

void applyHouseRules(SSL_CTX* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  SSL_CTX_set_num_tickets(context, 0);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  // A record can be read only when it is whole: with the usual 16 KiB, a line that is cut every few
  // seconds would bring nothing home. 4 KiB cost half a percent.
  SSL_CTX_set_max_send_fragment(context, kLargestRecordBytes);
  // A write that had to wait is taken up again from another buffer.
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  require(SSL_CTX_set1_groups_list(context, "X25519:P-256") == 1, "tls.unsupported",
          "This machine's OpenSSL lacks X25519 or P-256.");
}

void expectName(SSL_CTX* context, const std::string& name) {
  X509_VERIFY_PARAM* parameters = SSL_CTX_get0_param(context);
  if (X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str()) == 1) return;
  ERR_clear_error();
  X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  require(!name.empty() && X509_VERIFY_PARAM_set1_host(parameters, name.data(), name.size()) == 1,
          "tls.name-malformed", "The name expected of the other node cannot be used.");
}

int passExpired(int isGood, X509_STORE_CTX* context) {
  if (isGood == 1 || X509_STORE_CTX_get_error(context) != X509_V_ERR_CERT_HAS_EXPIRED ||
      X509_STORE_CTX_get_error_depth(context) != 0) {
    return isGood;
  }
  X509_STORE_CTX_set_error(context, X509_V_OK);
  return 1;
}

}  // namespace

void setUpTlsServer(ssl_ctx_st* context, const TlsTerms& terms) {
  applyHouseRules(context);
  useIdentity(context, terms);
  if (terms.authorityPem.empty()) {
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
    return;
  }
  trustOnly(context, terms.authorityPem);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                     terms.takesExpired ? passExpired : nullptr);
}

void setUpTlsClient(ssl_ctx_st* context, const TlsTerms& terms) {
  applyHouseRules(context);
  if (!terms.certificatePem.empty()) useIdentity(context, terms);
  trustOnly(context, terms.authorityPem);
  expectName(context, terms.expectedName);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
}

void clearTlsErrors() {
  ERR_clear_error();
}

}  // namespace waystation::crypto

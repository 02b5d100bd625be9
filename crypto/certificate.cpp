#include "crypto/certificate.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <ctime>

#include "crypto/hash.h"
#include "crypto/openssl_handles.h"
#include "crypto/random.h"

namespace waystation::crypto {
namespace {

using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;
using Request = std::unique_ptr<X509_REQ, FreeWith<X509_REQ_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, FreeWith<X509_EXTENSION_free>>;
using AlternativeNames = std::unique_ptr<GENERAL_NAMES, FreeWith<GENERAL_NAMES_free>>;
using AlternativeName = std::unique_ptr<GENERAL_NAME, FreeWith<GENERAL_NAME_free>>;
using Number = std::unique_ptr<BIGNUM, FreeWith<BN_free>>;

constexpr std::size_t kSerialSize = 16;
constexpr std::size_t kMostCommonName = 64;  // RFC 5280, ub-common-name
constexpr std::size_t kMostDnsName = 253;
constexpr std::int64_t kLastMoment = 253402300799;  // 9999-12-31T23:59:59Z, the end of X.509's time
constexpr std::size_t kMostPemSize = 64 * 1024;

[[noreturn]] void throwMalformed() {
  ERR_clear_error();
  throw Failure("certificate.malformed",
                "This is not a certificate or key that can be read. Nothing was changed.");
}

[[noreturn]] void throwMalformedRequest() {
  ERR_clear_error();
  throw Failure("certificate.request-malformed",
                "The certificate request cannot be read, is not signed by its own key, or its key "
                "is not of the kind P-256. Nothing was signed; make a new request on the node.");
}

[[noreturn]] void throwMalformedTerms(const char* sentence) {
  throw Failure("certificate.terms-malformed", sentence);
}

// Without it OpenSSL would ask at the terminal for the password of an encrypted PEM.
int refusePassword(char*, int, int, void*) {
  return -1;
}

BioHandle readerOf(const std::string& pem) {
  if (pem.size() > kMostPemSize) {
    throwMalformed();
  }
  BioHandle bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  requireOpenSsl(bio != nullptr, "read a certificate");
  return bio;
}

template <typename Write>
std::string pemOf(Write write) {
  const BioHandle bio(BIO_new(BIO_s_mem()));
  requireOpenSsl(bio != nullptr && write(bio.get()) == 1, "write a certificate");
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

std::string pemOfKey(EVP_PKEY* key) {
  return pemOf([key](BIO* bio) {
    return PEM_write_bio_PKCS8PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  });
}

std::string pemOfCertificate(X509* certificate) {
  return pemOf([certificate](BIO* bio) { return PEM_write_bio_X509(bio, certificate); });
}

Certificate parseCertificate(const std::string& pem) {
  Certificate certificate(PEM_read_bio_X509(readerOf(pem).get(), nullptr, refusePassword, nullptr));
  if (certificate == nullptr) {
    throwMalformed();
  }
  return certificate;
}

KeyHandle parsePrivateKey(const std::string& pem) {
  KeyHandle key(PEM_read_bio_PrivateKey(readerOf(pem).get(), nullptr, refusePassword, nullptr));
  if (key == nullptr) {
    throwMalformed();
  }
  return key;
}

KeyHandle createKey() {
  KeyHandle key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256"));
  requireOpenSsl(key != nullptr, "make a key");
  return key;
}

bool isP256(const EVP_PKEY* key) {
  char group[64] = {};
  std::size_t size = 0;
  return key != nullptr && EVP_PKEY_is_a(key, "EC") == 1 &&
         EVP_PKEY_get_group_name(key, group, sizeof group, &size) == 1 &&
         std::string_view(group) == "prime256v1";
}

void setCommonName(X509_NAME* name, const std::string& commonName) {
  for (const char c : commonName) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      throwMalformedTerms("A certificate's name must not contain control characters.");
    }
  }
  if (commonName.empty() || commonName.size() > kMostCommonName ||
      X509_NAME_add_entry_by_NID(name, NID_commonName, MBSTRING_UTF8, octets(commonName.data()),
                                 static_cast<int>(commonName.size()), -1, 0) != 1) {
    ERR_clear_error();
    throwMalformedTerms("A certificate's name needs 1 to 64 bytes of UTF-8.");
  }
}

void setTimes(X509* certificate, std::int64_t notBefore, std::int64_t notAfter) {
  static_assert(sizeof(std::time_t) == 8, "certificates outlive the year 2038");
  if (notBefore < 0 || notAfter <= notBefore || notAfter > kLastMoment) {
    throwMalformedTerms("A certificate must end after it begins, between the years 1970 and 9999.");
  }
  requireOpenSsl(ASN1_TIME_set(X509_getm_notBefore(certificate), notBefore) != nullptr &&
                     ASN1_TIME_set(X509_getm_notAfter(certificate), notAfter) != nullptr,
                 "set a certificate's dates");
}

void setSerial(X509* certificate) {
  SystemRandom random;
  const std::string bytes = random.bytes(kSerialSize);
  const Number number(BN_bin2bn(octets(bytes.data()), static_cast<int>(bytes.size()), nullptr));
  requireOpenSsl(
      number != nullptr && !BN_is_zero(number.get()) &&
          BN_to_ASN1_INTEGER(number.get(), X509_get_serialNumber(certificate)) != nullptr,
      "set a serial number");
}

// `value` is one of this file's own literals: X509V3's little language never sees outside text.
void addExtension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value));
  requireOpenSsl(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1,
                 "extend a certificate");
}

AlternativeName dnsName(const std::string& name) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._";
  if (name.empty() || name.size() > kMostDnsName ||
      name.find_first_not_of(kAllowed) != std::string::npos) {
    throwMalformedTerms(
        "A host name in a certificate needs 1 to 253 letters, digits, dots and hyphens.");
  }
  AlternativeName result(GENERAL_NAME_new());
  ASN1_IA5STRING* const text = ASN1_IA5STRING_new();
  requireOpenSsl(result != nullptr && text != nullptr, "name a host");
  GENERAL_NAME_set0_value(result.get(), GEN_DNS, text);  // owns `text` from here on
  requireOpenSsl(ASN1_STRING_set(text, name.data(), static_cast<int>(name.size())) == 1,
                 "name a host");
  return result;
}

AlternativeName ipAddress(const std::string& address) {
  ASN1_OCTET_STRING* const bytes =
      address.find('\0') == std::string::npos ? a2i_IPADDRESS(address.c_str()) : nullptr;
  if (bytes == nullptr) {
    ERR_clear_error();
    throwMalformedTerms("An address in a certificate must be IPv4 or IPv6, like 192.0.2.7.");
  }
  AlternativeName result(GENERAL_NAME_new());
  if (result == nullptr) {
    ASN1_OCTET_STRING_free(bytes);
    requireOpenSsl(false, "name an address");
  }
  GENERAL_NAME_set0_value(result.get(), GEN_IPADD, bytes);
  return result;
}

void addAlternativeNames(X509* certificate, const CertificateTerms& terms) {
  const AlternativeNames names(sk_GENERAL_NAME_new_null());
  requireOpenSsl(names != nullptr, "name a host");
  const auto append = [&names](AlternativeName name) {
    requireOpenSsl(sk_GENERAL_NAME_push(names.get(), name.get()) > 0, "name a host");
    (void)name.release();
  };
  for (const std::string& name : terms.dnsNames) {
    append(dnsName(name));
  }
  for (const std::string& address : terms.ipAddresses) {
    append(ipAddress(address));
  }
  if (sk_GENERAL_NAME_num(names.get()) > 0) {
    requireOpenSsl(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, 0) == 1,
                   "extend a certificate");
  }
}

Certificate beginCertificate(const std::string& commonName, std::int64_t notBefore,
                             std::int64_t notAfter, EVP_PKEY* publicKey) {
  Certificate certificate(X509_new());
  requireOpenSsl(certificate != nullptr &&
                     X509_set_version(certificate.get(), X509_VERSION_3) == 1 &&
                     X509_set_pubkey(certificate.get(), publicKey) == 1,
                 "begin a certificate");
  setSerial(certificate.get());
  setTimes(certificate.get(), notBefore, notAfter);
  setCommonName(X509_get_subject_name(certificate.get()), commonName);
  return certificate;
}

void sign(X509* certificate, EVP_PKEY* key) {
  requireOpenSsl(X509_sign(certificate, key, EVP_sha256()) > 0, "sign a certificate");
}

// A request's own key, once its signature has shown that the sender holds the private part.
KeyHandle checkedKeyOf(const std::string& requestPem) {
  if (requestPem.size() > kMostPemSize) {
    throwMalformedRequest();
  }
  const Request request(
      PEM_read_bio_X509_REQ(readerOf(requestPem).get(), nullptr, refusePassword, nullptr));
  if (request == nullptr) {
    throwMalformedRequest();
  }
  KeyHandle key(X509_REQ_get_pubkey(request.get()));
  if (!isP256(key.get()) || X509_REQ_verify(request.get(), key.get()) != 1) {
    throwMalformedRequest();
  }
  return key;
}

std::int64_t secondsOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) {
    throwMalformed();
  }
  return timegm(&parts);
}

template <typename Object>
std::string derOf(int (*encode)(const Object*, unsigned char**), const Object* object) {
  const int size = encode(object, nullptr);
  if (size <= 0) {
    throwMalformed();
  }
  std::string der(static_cast<std::size_t>(size), '\0');
  unsigned char* out = octets(der.data());
  requireOpenSsl(encode(object, &out) == size, "encode a certificate");
  return der;
}

std::string commonNameOf(const X509* certificate) {
  const X509_NAME* const subject = X509_get_subject_name(certificate);
  const int index = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (index < 0) {
    return {};
  }
  // Two names would let two readers of one certificate see two different nodes.
  if (X509_NAME_get_index_by_NID(subject, NID_commonName, index) >= 0) {
    throwMalformed();
  }
  unsigned char* text = nullptr;
  const int size =
      ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, index)));
  if (size < 0) {
    throwMalformed();
  }
  std::string result(reinterpret_cast<char*>(text), static_cast<std::size_t>(size));
  OPENSSL_free(text);
  return result;
}

std::string serialOf(const X509* certificate) {
  const Number number(ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), nullptr));
  requireOpenSsl(number != nullptr, "read a serial number");
  std::string bytes(static_cast<std::size_t>(BN_num_bytes(number.get())), '\0');
  BN_bn2bin(number.get(), octets(bytes.data()));
  return toHex(bytes);
}

}  // namespace

KeyAndCertificate createAuthority(const std::string& name, std::int64_t notBefore,
                                  std::int64_t notAfter) {
  const KeyHandle key = createKey();
  const Certificate certificate = beginCertificate(name, notBefore, notAfter, key.get());
  X509* const self = certificate.get();
  requireOpenSsl(X509_set_issuer_name(self, X509_get_subject_name(self)) == 1,
                 "begin a certificate");
  addExtension(self, self, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  addExtension(self, self, NID_key_usage, "critical,keyCertSign,cRLSign");
  addExtension(self, self, NID_subject_key_identifier, "hash");
  addExtension(self, self, NID_authority_key_identifier, "keyid:always");
  sign(self, key.get());
  return {pemOfKey(key.get()), pemOfCertificate(self)};
}

KeyAndRequest createRequest(const std::string& commonName) {
  const KeyHandle key = createKey();
  const Request request(X509_REQ_new());
  requireOpenSsl(request != nullptr && X509_REQ_set_version(request.get(), 0) == 1 &&
                     X509_REQ_set_pubkey(request.get(), key.get()) == 1,
                 "begin a certificate request");
  setCommonName(X509_REQ_get_subject_name(request.get()), commonName);
  requireOpenSsl(X509_REQ_sign(request.get(), key.get(), EVP_sha256()) > 0,
                 "sign a certificate request");
  return {pemOfKey(key.get()),
          pemOf([&request](BIO* bio) { return PEM_write_bio_X509_REQ(bio, request.get()); })};
}

std::string signRequest(const KeyAndCertificate& authority, const std::string& requestPem,
                        const CertificateTerms& terms) {
  const KeyHandle subjectKey = checkedKeyOf(requestPem);
  const Certificate issuer = parseCertificate(authority.certificatePem);
  const KeyHandle issuerKey = parsePrivateKey(authority.privateKeyPem);
  if (X509_check_private_key(issuer.get(), issuerKey.get()) != 1 ||
      X509_check_ca(issuer.get()) != 1) {
    throwMalformed();
  }
  const Certificate certificate =
      beginCertificate(terms.commonName, terms.notBefore, terms.notAfter, subjectKey.get());
  X509* const leaf = certificate.get();
  requireOpenSsl(X509_set_issuer_name(leaf, X509_get_subject_name(issuer.get())) == 1,
                 "begin a certificate");
  addExtension(leaf, issuer.get(), NID_basic_constraints, "critical,CA:FALSE");
  addExtension(leaf, issuer.get(), NID_key_usage, "critical,digitalSignature");
  addExtension(leaf, issuer.get(), NID_ext_key_usage,
               terms.server ? "serverAuth,clientAuth" : "clientAuth");
  addExtension(leaf, issuer.get(), NID_subject_key_identifier, "hash");
  addExtension(leaf, issuer.get(), NID_authority_key_identifier, "keyid:always");
  addAlternativeNames(leaf, terms);
  sign(leaf, issuerKey.get());
  return pemOfCertificate(leaf);
}

CertificateFacts readCertificate(const std::string& certificatePem) {
  const Certificate certificate = parseCertificate(certificatePem);
  CertificateFacts facts;
  facts.commonName = commonNameOf(certificate.get());
  facts.serialHex = serialOf(certificate.get());
  facts.fingerprintHex = toHex(view(sha256(derOf<X509>(i2d_X509, certificate.get()))));
  facts.publicKeyHashHex = toHex(
      view(sha256(derOf<X509_PUBKEY>(i2d_X509_PUBKEY, X509_get_X509_PUBKEY(certificate.get())))));
  facts.notBefore = secondsOf(X509_get0_notBefore(certificate.get()));
  facts.notAfter = secondsOf(X509_get0_notAfter(certificate.get()));
  return facts;
}

bool isSignedBy(const std::string& certificatePem, const std::string& authorityPem) {
  const Certificate certificate = parseCertificate(certificatePem);
  const Certificate authority = parseCertificate(authorityPem);
  EVP_PKEY* const key = X509_get0_pubkey(authority.get());
  const bool signedBy = key != nullptr && X509_check_ca(authority.get()) == 1 &&
                        X509_check_issued(authority.get(), certificate.get()) == X509_V_OK &&
                        X509_verify(certificate.get(), key) == 1;
  ERR_clear_error();
  return signedBy;
}

bool belongTogether(const KeyAndCertificate& both) {
  const Certificate certificate = parseCertificate(both.certificatePem);
  const KeyHandle key = parsePrivateKey(both.privateKeyPem);
  const bool areOne = X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  return areOne;
}

}  // namespace waystation::crypto

#include "crypto/certificate.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <functional>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "crypto/openssl_handles.h"

namespace waystation::crypto {
namespace {

using Certificate = std::unique_ptr<X509, FreeWith<X509_free>>;
using Request = std::unique_ptr<X509_REQ, FreeWith<X509_REQ_free>>;

constexpr std::int64_t kNow = 1'800'000'000;  // January 2027
constexpr std::int64_t kYear = 365 * 86'400;
constexpr std::int64_t kIn2060 = 2'840'140'800;  // past both 2038 and UTCTime's end in 2049

std::string codeOf(const std::function<void()>& attempt) {
  try {
    attempt();
  } catch (const Failure& failure) {
    return failure.code();
  }
  return "none";
}

Certificate parsed(const std::string& pem) {
  const BioHandle bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Certificate(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
}

std::string written(X509_REQ* request) {
  const BioHandle bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509_REQ(bio.get(), request);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

std::string written(X509* certificate) {
  const BioHandle bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(bio.get(), certificate);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

// OpenSSL's own judgement of the chain, strict about RFC 5280: X509_V_OK or why not.
int verdict(const std::string& leafPem, const std::string& authorityPem, int purpose,
            std::int64_t at) {
  const std::unique_ptr<X509_STORE, FreeWith<X509_STORE_free>> store(X509_STORE_new());
  const std::unique_ptr<X509_STORE_CTX, FreeWith<X509_STORE_CTX_free>> context(
      X509_STORE_CTX_new());
  const Certificate leaf = parsed(leafPem);
  const Certificate authority = parsed(authorityPem);
  X509_STORE_add_cert(store.get(), authority.get());
  X509_STORE_CTX_init(context.get(), store.get(), leaf.get(), nullptr);
  X509_VERIFY_PARAM* const parameters = X509_STORE_CTX_get0_param(context.get());
  X509_VERIFY_PARAM_set_flags(parameters, X509_V_FLAG_X509_STRICT | X509_V_FLAG_CHECK_SS_SIGNATURE);
  X509_VERIFY_PARAM_set_purpose(parameters, purpose);
  X509_VERIFY_PARAM_set_time(parameters, at);
  X509_verify_cert(context.get());
  return X509_STORE_CTX_get_error(context.get());
}

class CertificateTest : public testing::Test {
 protected:
  static const KeyAndCertificate& authority() {
    static const KeyAndCertificate made = createAuthority("HQ", kNow, kNow + 10 * kYear);
    return made;
  }

  static CertificateTerms terms() {
    CertificateTerms result;
    result.commonName = "office-7";
    result.dnsNames = {"office-7.example.org", "localhost"};
    result.ipAddresses = {"127.0.0.1", "2001:db8::7"};
    result.notBefore = kNow;
    result.notAfter = kNow + 90 * 86'400;
    return result;
  }
};

TEST_F(CertificateTest, OfAnOfficeIsAcceptedForServerAndClientByOpenSslsStrictCheck) {
  const KeyAndRequest request = createRequest("anything");
  const std::string leaf = signRequest(authority(), request.requestPem, terms());
  const std::string& root = authority().certificatePem;
  EXPECT_EQ(verdict(leaf, root, X509_PURPOSE_SSL_SERVER, kNow + 1), X509_V_OK);
  EXPECT_EQ(verdict(leaf, root, X509_PURPOSE_SSL_CLIENT, kNow + 1), X509_V_OK);
  EXPECT_EQ(verdict(leaf, root, X509_PURPOSE_SSL_SERVER, kNow - 1), X509_V_ERR_CERT_NOT_YET_VALID);
  EXPECT_EQ(verdict(leaf, root, X509_PURPOSE_SSL_SERVER, kNow + kYear),
            X509_V_ERR_CERT_HAS_EXPIRED);
  EXPECT_TRUE(isSignedBy(leaf, root));
}

TEST_F(CertificateTest, NamesTheHostsOfItsTermsAndNoOthers) {
  const Certificate leaf = parsed(signRequest(authority(), createRequest("x").requestPem, terms()));
  EXPECT_EQ(X509_check_host(leaf.get(), "office-7.example.org", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_host(leaf.get(), "localhost", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_host(leaf.get(), "office-8.example.org", 0, 0, nullptr), 0);
  EXPECT_EQ(X509_check_ip_asc(leaf.get(), "127.0.0.1", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(leaf.get(), "2001:db8::7", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(leaf.get(), "127.0.0.2", 0), 0);
}

TEST_F(CertificateTest, TakesItsNameFromTheTermsAndItsKeyFromTheRequest) {
  const KeyAndRequest request = createRequest("I am HQ");
  const std::string leaf = signRequest(authority(), request.requestPem, terms());
  EXPECT_EQ(readCertificate(leaf).commonName, "office-7");
  const BioHandle bio(BIO_new_mem_buf(request.privateKeyPem.data(),
                                      static_cast<int>(request.privateKeyPem.size())));
  const KeyHandle key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  EXPECT_EQ(X509_check_private_key(parsed(leaf).get(), key.get()), 1);
  EXPECT_EQ(request.privateKeyPem.rfind("-----BEGIN PRIVATE KEY-----\n", 0), 0U);
}

TEST_F(CertificateTest, MarksConstraintsAndKeyUsageCritical) {
  const Certificate leaf = parsed(signRequest(authority(), createRequest("x").requestPem, terms()));
  const Certificate root = parsed(authority().certificatePem);
  for (const X509* each : {leaf.get(), root.get()}) {
    for (const int nid : {NID_basic_constraints, NID_key_usage}) {
      const int index = X509_get_ext_by_NID(each, nid, -1);
      ASSERT_GE(index, 0) << nid;
      EXPECT_EQ(X509_EXTENSION_get_critical(X509_get_ext(each, index)), 1) << nid;
    }
    EXPECT_GE(X509_get_ext_by_NID(each, NID_subject_key_identifier, -1), 0);
    EXPECT_GE(X509_get_ext_by_NID(each, NID_authority_key_identifier, -1), 0);
    EXPECT_EQ(X509_get_version(each), X509_VERSION_3);
  }
  EXPECT_EQ(X509_get_key_usage(leaf.get()), static_cast<unsigned>(KU_DIGITAL_SIGNATURE));
  EXPECT_EQ(X509_get_key_usage(root.get()), static_cast<unsigned>(KU_KEY_CERT_SIGN | KU_CRL_SIGN));
  EXPECT_EQ(X509_get_extended_key_usage(leaf.get()),
            static_cast<unsigned>(XKU_SSL_SERVER | XKU_SSL_CLIENT));
  EXPECT_EQ(X509_get_pathlen(root.get()), 0);
  EXPECT_EQ(X509_check_ca(leaf.get()), 0);
}

TEST_F(CertificateTest, OfAClientIsRefusedAsAServer) {
  CertificateTerms clientOnly = terms();
  clientOnly.server = false;
  const std::string leaf = signRequest(authority(), createRequest("x").requestPem, clientOnly);
  const std::string& root = authority().certificatePem;
  EXPECT_EQ(verdict(leaf, root, X509_PURPOSE_SSL_CLIENT, kNow + 1), X509_V_OK);
  EXPECT_EQ(verdict(leaf, root, X509_PURPOSE_SSL_SERVER, kNow + 1), X509_V_ERR_INVALID_PURPOSE);
}

TEST_F(CertificateTest, OfAForeignAuthorityOfTheSameNameIsNotAccepted) {
  const KeyAndCertificate foreign = createAuthority("HQ", kNow, kNow + 10 * kYear);
  const std::string leaf = signRequest(foreign, createRequest("x").requestPem, terms());
  EXPECT_TRUE(isSignedBy(leaf, foreign.certificatePem));
  EXPECT_FALSE(isSignedBy(leaf, authority().certificatePem));
  EXPECT_NE(verdict(leaf, authority().certificatePem, X509_PURPOSE_SSL_SERVER, kNow + 1),
            X509_V_OK);
}

TEST_F(CertificateTest, OfAnOfficeCannotSignOthers) {
  const KeyAndRequest office = createRequest("x");
  const std::string leaf = signRequest(authority(), office.requestPem, terms());
  EXPECT_EQ(codeOf([&] {
              signRequest({office.privateKeyPem, leaf}, createRequest("y").requestPem, terms());
            }),
            "certificate.malformed");
  EXPECT_FALSE(isSignedBy(leaf, leaf));
}

TEST_F(CertificateTest, NeedsTheAuthoritysOwnKey) {
  const KeyAndCertificate foreign = createAuthority("HQ", kNow, kNow + kYear);
  EXPECT_EQ(codeOf([&] {
              signRequest({foreign.privateKeyPem, authority().certificatePem},
                          createRequest("y").requestPem, terms());
            }),
            "certificate.malformed");
}

TEST_F(CertificateTest, IsNotAcceptedAfterAnyBitOfItWasFlipped) {
  const Certificate leaf = parsed(signRequest(authority(), createRequest("x").requestPem, terms()));
  unsigned char* der = nullptr;
  const int size = i2d_X509(leaf.get(), &der);
  ASSERT_GT(size, 0);
  int stillReadable = 0;
  for (int i = 0; i < size; ++i) {
    der[i] ^= 1;
    const unsigned char* at = der;
    const Certificate other(d2i_X509(nullptr, &at, size));
    if (other != nullptr) {
      ++stillReadable;
      EXPECT_FALSE(isSignedBy(written(other.get()), authority().certificatePem)) << i;
    }
    der[i] ^= 1;
  }
  OPENSSL_free(der);
  EXPECT_GT(stillReadable, 100);
}

TEST_F(CertificateTest, RequestIsRefusedAfterAnyBitOfItWasFlipped) {
  const std::string pem = createRequest("office").requestPem;
  const BioHandle bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const Request request(PEM_read_bio_X509_REQ(bio.get(), nullptr, nullptr, nullptr));
  unsigned char* der = nullptr;
  const int size = i2d_X509_REQ(request.get(), &der);
  ASSERT_GT(size, 0);
  int stillReadable = 0;
  for (int i = 0; i < size; ++i) {
    der[i] ^= 1;
    const unsigned char* at = der;
    const Request other(d2i_X509_REQ(nullptr, &at, size));
    if (other != nullptr) {
      ++stillReadable;
      EXPECT_EQ(codeOf([&] { signRequest(authority(), written(other.get()), terms()); }),
                "certificate.request-malformed")
          << i;
    }
    der[i] ^= 1;
  }
  OPENSSL_free(der);
  EXPECT_GT(stillReadable, 100);
}

TEST_F(CertificateTest, RequestIsRefusedWhenItIsNoneOrItsKeyIsOfAnotherKind) {
  const auto code = [](const std::string& pem) {
    return codeOf([&] { signRequest(authority(), pem, terms()); });
  };
  EXPECT_EQ(code(""), "certificate.request-malformed");
  EXPECT_EQ(code("-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n"), "certificate.request-malformed");
  EXPECT_EQ(code(authority().certificatePem), "certificate.request-malformed");
  EXPECT_EQ(code(std::string(100'000, '\n')), "certificate.request-malformed");
  const KeyHandle otherCurve(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-384"));
  const Request request(X509_REQ_new());
  X509_REQ_set_pubkey(request.get(), otherCurve.get());
  ASSERT_GT(X509_REQ_sign(request.get(), otherCurve.get(), EVP_sha256()), 0);
  EXPECT_EQ(code(written(request.get())), "certificate.request-malformed");
}

TEST_F(CertificateTest, ReadsBackTimesBeyond2038And2049) {
  const KeyAndCertificate lasting = createAuthority("HQ", kNow, kIn2060);
  const CertificateFacts facts = readCertificate(lasting.certificatePem);
  EXPECT_EQ(facts.notBefore, kNow);
  EXPECT_EQ(facts.notAfter, kIn2060);
  CertificateTerms late = terms();
  late.notBefore = kIn2060 - kYear;
  late.notAfter = kIn2060;
  const std::string leaf = signRequest(lasting, createRequest("x").requestPem, late);
  EXPECT_EQ(readCertificate(leaf).notBefore, kIn2060 - kYear);
  EXPECT_EQ(verdict(leaf, lasting.certificatePem, X509_PURPOSE_SSL_SERVER, kIn2060 - 10),
            X509_V_OK);
}

TEST_F(CertificateTest, ReadsFactsThatAgreeWithOpenSsl) {
  const std::string pem = signRequest(authority(), createRequest("x").requestPem, terms());
  const CertificateFacts facts = readCertificate(pem);
  const Certificate leaf = parsed(pem);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  ASSERT_EQ(X509_digest(leaf.get(), EVP_sha256(), digest, &size), 1);
  EXPECT_EQ(facts.fingerprintHex,
            toHex(std::string_view(reinterpret_cast<const char*>(digest), size)));
  EXPECT_EQ(facts.publicKeyHashHex.size(), 64U);
  EXPECT_NE(facts.publicKeyHashHex, readCertificate(authority().certificatePem).publicKeyHashHex);
  EXPECT_LE(facts.serialHex.size(), 32U);
  EXPECT_NE(
      facts.serialHex,
      readCertificate(signRequest(authority(), createRequest("x").requestPem, terms())).serialHex);
}

TEST_F(CertificateTest, KeepsItsPublicKeyHashWhenRenewedWithTheSameKey) {
  const KeyAndRequest request = createRequest("x");
  const CertificateFacts first =
      readCertificate(signRequest(authority(), request.requestPem, terms()));
  const CertificateFacts second =
      readCertificate(signRequest(authority(), request.requestPem, terms()));
  EXPECT_EQ(first.publicKeyHashHex, second.publicKeyHashHex);
  EXPECT_NE(first.fingerprintHex, second.fingerprintHex);
}

TEST_F(CertificateTest, RefusesTermsThatCannotBeWritten) {
  const std::string request = createRequest("x").requestPem;
  const auto codeAfter = [&](const std::function<void(CertificateTerms&)>& change) {
    CertificateTerms changed = terms();
    change(changed);
    return codeOf([&] { signRequest(authority(), request, changed); });
  };
  const std::string malformed = "certificate.terms-malformed";
  EXPECT_EQ(codeAfter([](CertificateTerms&) {}), "none");
  EXPECT_EQ(codeAfter([](CertificateTerms& each) { each.commonName = ""; }), malformed);
  EXPECT_EQ(codeAfter([](CertificateTerms& each) { each.commonName = std::string(65, 'a'); }),
            malformed);
  EXPECT_EQ(codeAfter([](CertificateTerms& each) { each.commonName = std::string("a\0b", 3); }),
            malformed);
  EXPECT_EQ(codeAfter([](CertificateTerms& each) { each.commonName = "\xff\xfe"; }), malformed);
  EXPECT_EQ(codeAfter([](CertificateTerms& each) { each.dnsNames = {"a.org,IP:10.0.0.1"}; }),
            malformed);
  EXPECT_EQ(codeAfter([](CertificateTerms& each) { each.dnsNames = {"*.example.org"}; }),
            malformed);
  EXPECT_EQ(codeAfter([](CertificateTerms& each) { each.ipAddresses = {"300.0.0.1"}; }), malformed);
  EXPECT_EQ(codeAfter([](CertificateTerms& each) { each.notAfter = each.notBefore; }), malformed);
  EXPECT_EQ(codeAfter([](CertificateTerms& each) { each.notBefore = -1; }), malformed);
  EXPECT_EQ(codeAfter([](CertificateTerms& each) { each.notAfter = 253402300800; }), malformed);
}

TEST_F(CertificateTest, ThatCannotBeReadIsMalformed) {
  for (const std::string pem : {"", "text", "-----BEGIN CERTIFICATE-----\nAAAA\n"}) {
    EXPECT_EQ(codeOf([&] { readCertificate(pem); }), "certificate.malformed");
    EXPECT_EQ(codeOf([&] { isSignedBy(pem, authority().certificatePem); }),
              "certificate.malformed");
    EXPECT_EQ(codeOf([&] { isSignedBy(authority().certificatePem, pem); }),
              "certificate.malformed");
  }
}

}  // namespace
}  // namespace waystation::crypto

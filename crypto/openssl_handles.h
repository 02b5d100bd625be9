#pragma once

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "crypto/failure.h"

namespace waystation::crypto {

// Owners of OpenSSL's objects, and the one way its refusals become a Failure. Only for the source
// files of this folder: no other header includes this one.

template <auto Free>
struct FreeWith {
  template <typename Object>
  void operator()(Object* object) const noexcept {
    Free(object);
  }
};

using BioHandle = std::unique_ptr<BIO, FreeWith<BIO_free_all>>;
using CipherHandle = std::unique_ptr<EVP_CIPHER, FreeWith<EVP_CIPHER_free>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeWith<EVP_CIPHER_CTX_free>>;
using DigestHandle = std::unique_ptr<EVP_MD, FreeWith<EVP_MD_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, FreeWith<EVP_MD_CTX_free>>;
using KdfHandle = std::unique_ptr<EVP_KDF, FreeWith<EVP_KDF_free>>;
using KdfContext = std::unique_ptr<EVP_KDF_CTX, FreeWith<EVP_KDF_CTX_free>>;
using MacHandle = std::unique_ptr<EVP_MAC, FreeWith<EVP_MAC_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, FreeWith<EVP_MAC_CTX_free>>;
using KeyHandle = std::unique_ptr<EVP_PKEY, FreeWith<EVP_PKEY_free>>;

// For calls that fail only when memory is out or OpenSSL is not what it was built against: throws
// Failure("crypto.unavailable") and empties OpenSSL's error queue, so that nobody finds it later.
inline void requireOpenSsl(bool done, const char* attempted) {
  if (done) {
    return;
  }
  ERR_clear_error();
  throw Failure("crypto.unavailable",
                std::string("The cryptographic library refused to ") + attempted +
                    ". Nothing was changed. Check free memory and the OpenSSL 3 package.");
}

inline const unsigned char* octets(const char* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}

inline unsigned char* octets(char* bytes) {
  return reinterpret_cast<unsigned char*>(bytes);
}

}  // namespace waystation::crypto

#include "crypto/kdf.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include "crypto/hash.h"
#include "crypto/openssl_handles.h"

namespace waystation::crypto {
namespace {

EVP_KDF* hkdfAlgorithm() {
  static const KdfHandle algorithm(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
  requireOpenSsl(algorithm != nullptr, "find HKDF");
  return algorithm.get();
}

OSSL_PARAM octetParameter(const char* name, std::string_view bytes) {
  // OpenSSL only reads it; its constructor merely lacks the const.
  return OSSL_PARAM_construct_octet_string(name, const_cast<char*>(bytes.data()), bytes.size());
}

Secret derive(int mode, std::string_view inputKey, std::string_view salt, std::string_view info,
              std::size_t size) {
  constexpr std::size_t kMost = 255 * kSha256Size;
  if (inputKey.empty() || size == 0 || size > kMost) {
    throw Failure("kdf.malformed",
                  "A key can only be derived from at least one byte, and only up to 8160 bytes.");
  }
  const KdfContext context(EVP_KDF_CTX_new(hkdfAlgorithm()));
  requireOpenSsl(context != nullptr, "start a key derivation");
  char digestName[] = "SHA256";
  OSSL_PARAM parameters[6];
  OSSL_PARAM* next = parameters;
  *next++ = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digestName, 0);
  *next++ = OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode);
  *next++ = octetParameter(OSSL_KDF_PARAM_KEY, inputKey);
  // Left out when empty, which by RFC 5869 is the same as 32 zeros and as no info.
  if (!salt.empty()) {
    *next++ = octetParameter(OSSL_KDF_PARAM_SALT, salt);
  }
  if (!info.empty()) {
    *next++ = octetParameter(OSSL_KDF_PARAM_INFO, info);
  }
  *next = OSSL_PARAM_construct_end();
  Secret result(size);
  requireOpenSsl(EVP_KDF_derive(context.get(), octets(result.data()), size, parameters) == 1,
                 "derive a key");
  return result;
}

}  // namespace

Secret hkdfSha256(std::string_view inputKey, std::string_view salt, std::string_view info,
                  std::size_t size) {
  return derive(EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND, inputKey, salt, info, size);
}

Secret hkdfExtractSha256(std::string_view salt, std::string_view inputKey) {
  return derive(EVP_KDF_HKDF_MODE_EXTRACT_ONLY, inputKey, salt, {}, kSha256Size);
}

Secret hkdfExpandSha256(std::string_view pseudoRandomKey, std::string_view info, std::size_t size) {
  return derive(EVP_KDF_HKDF_MODE_EXPAND_ONLY, pseudoRandomKey, {}, info, size);
}

}  // namespace waystation::crypto

#include "server/access/phones.h"

#include "crypto/hash.h"

namespace waystation::access {
namespace {

constexpr std::string_view kAuthority = "phones.authority";
constexpr std::string_view kAuthorityKey = "phones.authority-key";
constexpr std::int64_t kDaySeconds = 86'400;
constexpr std::int64_t kAuthorityDays = 3'650;

}  // namespace

bool hasPhones(storage::Store& store) {
  return store.meta(kAuthority).has_value();
}

std::string phoneAuthorityPem(storage::Store& store) {
  return store.meta(kAuthority).value_or("");
}

crypto::KeyAndCertificate phoneAuthority(server::Node& office) {
  const std::int64_t now = office.clock().nowMs() / 1000;
  return office.write([&](sync::Work& work) {
    storage::Store& store = work.store();
    if (const auto known = store.meta(kAuthority)) {
      return crypto::KeyAndCertificate{store.meta(kAuthorityKey).value_or(""), *known};
    }
    crypto::KeyAndCertificate made =
        crypto::createAuthority("Waystation phones of " + office.config().name, now - kDaySeconds,
                                now + kAuthorityDays * kDaySeconds);
    store.setMeta(kAuthorityKey, made.privateKeyPem);
    store.setMeta(kAuthority, made.certificatePem);
    return made;
  });
}

std::string authorityPin(const std::string& authorityPem) {
  return crypto::fromHex(crypto::readCertificate(authorityPem).fingerprintHex);
}

}  // namespace waystation::access

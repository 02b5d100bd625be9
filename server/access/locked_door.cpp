#include "server/access/locked_door.h"

#include "server/access/enrolment.h"
#include "server/access/leaf_certificates.h"
#include "server/access/phones.h"
#include "server/locked_file.h"

namespace waystation::access {
namespace {

using server::LockedFile;

constexpr std::string_view kDoorHosts = "identity.door-hosts";

// All but the door and the halves of the share, which may be made anew meanwhile.
void fill(LockedFile& file, server::Node& office) {
  file.authorityPem = office.identity().authorityPem;
  file.hubName = hubName(office);
  file.hubSealingKey = hubKeys(office).sealingKey;
  file.sealingKey = office.sealingKey().publicKey();
  file.phoneAuthorityPem = office.read(phoneAuthorityPem);
}

LockedFile fileOf(server::Node& office) {
  return server::readLockedFile(office.directory()).value_or(LockedFile{});
}

}  // namespace

bool lacksDoor(server::Node& office) {
  const LockedFile file = fileOf(office);
  if (file.door.certificatePem.empty() || file.authorityPem != office.identity().authorityPem) {
    return true;
  }
  return office.read([](storage::Store& store) {
    const std::string named = store.meta(kDoorHosts).value_or("[]");
    return named != http::canonicalJson(jsonOf(ownHosts(store)));
  });
}

bool isDoorDue(server::Node& office) {
  return isDue(fileOf(office).door.certificatePem, office.clock().nowMs() / 1000);
}

void takeDoor(server::Node& office, const crypto::KeyAndCertificate& door,
              const std::vector<std::string>& hosts) {
  // First: its answer would put another one back.
  office.write([](sync::Work& work) { work.store().setMeta(kDoorAsked, ""); });
  server::changeLockedFile(office.directory(), [&](LockedFile& file) {
    fill(file, office);
    file.door = door;
  });
  office.write([&](sync::Work& work) {
    work.store().setMeta(kDoorHosts, http::canonicalJson(jsonOf(hosts)));
  });
}

void keepLockedFile(server::Node& office) {
  if (fileOf(office).door.certificatePem.empty()) return;
  server::changeLockedFile(office.directory(), [&](LockedFile& file) { fill(file, office); });
}

}  // namespace waystation::access

#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "crypto/certificate.h"

namespace waystation::server {

// What a node needs while its store is locked, in the clear beside it: the file locked.json
// (docs/spec/key-slots.md, "Headquarters' share"). Nothing in it opens the store by itself; whoever
// has it can pose as the locked node until headquarters flags it.
struct LockedFile {
  crypto::KeyAndCertificate door;  // what the locked node shows to browsers and headquarters
  std::string authorityPem;        // of headquarters
  std::string hubName;
  std::string hubSealingKey;      // X25519, 32 bytes
  std::string sealingKey;         // the node's own, that what comes meanwhile is sealed to
  std::string phoneAuthorityPem;  // that signs the phones' certificates; empty: no phones
  std::string boxHalf;  // 32 bytes: this box's half of headquarters' share; empty: no share
  std::string forHub;   // headquarters' half, sealed to it, until it has it

  bool operator==(const LockedFile&) const = default;
};

// Nothing where there is none, or none that can be read: then the node opens by hand alone.
std::optional<LockedFile> readLockedFile(const std::filesystem::path& directory);

// Reads, changes and writes it, durably, while no other process does.
// Throws Failure("node.unwritable").
void changeLockedFile(const std::filesystem::path& directory,
                      const std::function<void(LockedFile&)>& change);

// Nothing on this box can ask headquarters any more: the store opens by hand alone until somebody
// makes a share anew.
void forgetBoxHalf(const std::filesystem::path& directory);

}  // namespace waystation::server

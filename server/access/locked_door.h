#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crypto/certificate.h"
#include "server/node.h"

namespace waystation::access {

// What an office shows while its store is locked, and what else it needs then
// (server/locked_file.h): signed by headquarters, asked for over the link or by stick.

// At an office: what it has asked for by stick (renewal_by_stick.h).
inline constexpr std::string_view kDoorAsked = "identity.door-asked";

// Whether there is none, one of another authority, or one that names other hosts.
bool lacksDoor(server::Node& office);
// Whether a third of its time is left, or less. There must be one.
bool isDoorDue(server::Node& office);

// In the place of the one before, and of one that was asked for besides; `hosts`: those that it
// names.
void takeDoor(server::Node& office, const crypto::KeyAndCertificate& door,
              const std::vector<std::string>& hosts);
// Brings the rest of the file up to what the office knows now. Does nothing where there is no door.
void keepLockedFile(server::Node& office);

}  // namespace waystation::access

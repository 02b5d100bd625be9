#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "server/http/json.h"
#include "server/node.h"

namespace waystation::access {

// Headquarters' half of the share that opens an office's store after a power cut
// (docs/spec/key-slots.md, section 10): kept at headquarters, released at each start of the office,
// noted in the audit log, and refused once the office is flagged or revoked.

inline constexpr std::size_t kHalfSize = 32;

// At the office: seals headquarters' half to it, for the way there.
std::string sealHalf(crypto::Random& random, const std::string& hubSealingKey,
                     const std::string& office, std::string_view half);

// At headquarters: keeps it, in the place of the one before. Throws Failure("share.malformed").
void keepHalf(server::Node& hq, const std::string& office, const std::string& sealedHalf);

// At headquarters: who asks is judged by its certificate for the time when it is locked; noted,
// whatever comes of it. Throws as judgeLeaf, and Failure("share.flagged"), ("share.unknown").
std::string releaseHalf(server::Node& hq, const std::string& certificatePem,
                        const std::string& address);

// At headquarters: from its return on the office's share is not released, until it is taken back.
// Nothing else is refused: that is what revoking is for. Throws Failure("share.unknown-office"),
// ("node.not-headquarters").
void flag(server::Node& hq, const std::string& office, const std::string& by);
void unflag(server::Node& hq, const std::string& office, const std::string& by);

// In the transaction in which a new box takes the office's name.
void forgetShare(storage::Store& store, const std::string& office);

// What headquarters' status says of an office's share; null where there is none and no flag:
// {"kept": bool, "flagged": time or null, "released": time of the last or null, "releases": n,
//  "refused": time of the last or null}.
http::Json shareState(storage::Store& store, const std::string& office);

}  // namespace waystation::access

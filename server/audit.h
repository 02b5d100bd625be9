#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/http/json.h"
#include "storage/audit_rows.h"
#include "storage/store.h"
#include "sync/clock.h"

namespace waystation::server {

// The audit log: who did what, when, to which records, never what stands in them. Entries are
// chained, each hash over the one before:
//
//   hash = SHA-256("waystation audit v1\n" || hash of the entry before, or 32 zeros
//                  || seq as 8 bytes, big-endian || body)
//   body   canonical JSON {"at", "by", "deed", "detail"?: {...}, "records"?: [ids]}

struct Deed {
  std::string by;                         // the account; empty where that is not known
  std::string deed;                       // one of deeds()
  std::vector<std::string> records = {};  // UUIDs
  http::Json detail = nullptr;            // no values of records, no passwords
};

// Every deed that is noted.
const std::vector<std::string>& deeds();

// Appends an entry, in the transaction of the deed itself.
void noteDeed(storage::Store& store, const sync::Clock& clock, const Deed& deed);

struct AuditHead {
  std::int64_t seq = 0;  // 0: the log is empty
  std::string hash;      // 32 bytes

  bool operator==(const AuditHead&) const = default;
};

AuditHead auditHead(storage::Store& store);

// {"entries": [{"seq", "at", "by", "deed", "records"?, "detail"?}], "cursor", "head": {"seq",
// "hash": hex}}, newest first.
http::Json searchAudit(storage::Store& store, const storage::AuditQuery& query);

// What is wrong with the log, in a sentence; nothing where it is whole. `entries`: how many it has.
std::optional<std::string> verifyAudit(storage::Store& store, std::uint64_t& entries);

// The witness. A leaf tells headquarters, with an exchange, where its log stands if that has moved
// since it was last told, in a header of at most 110 bytes:
//
//   Audit: SEQ.HASH, TOLD.HASH     the head now, and the entry that was last told of, as the log
//                                  has it now; HASH is base64url of the first 16 bytes
//
// Headquarters remembers the head. A log that was cut or rewritten since cannot go on without its
// noticing: it notes "audit-broken" in its own log and in the state of the leaf.
inline constexpr std::string_view kAuditHeader = "Audit";

// At a leaf: the header's value; empty where there is nothing to tell.
std::string auditToTell(storage::Store& store);
// At a leaf, when headquarters has answered to that value.
void auditTold(storage::Store& store, std::string_view value);
// At headquarters. Throws Failure("sync.malformed").
void witnessAudit(storage::Store& store, const sync::Clock& clock, const std::string& leaf,
                  std::string_view value);
// At headquarters: since when a leaf's log does not agree with what was seen of it; 0: it does.
std::int64_t auditBrokenSince(storage::Store& store, const std::string& leaf);

}  // namespace waystation::server

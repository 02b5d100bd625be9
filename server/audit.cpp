#include "server/audit.h"

#include <algorithm>
#include <array>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "sync/ids.h"

namespace waystation::server {
namespace {

using http::Json;

constexpr std::string_view kPrefix = "waystation audit v1\n";
// The head once more, so that a cut tail is noticed without anybody's help.
constexpr std::string_view kHeadRow = "audit.head";

std::string bigEndian(std::uint64_t number) {
  std::string bytes(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[7 - i] = static_cast<char>((number >> (8 * i)) & 0xff);
  }
  return bytes;
}

std::string hashOf(const std::string& before, std::int64_t seq, std::string_view body) {
  crypto::Sha256 sum;
  sum.update(kPrefix).update(before).update(bigEndian(static_cast<std::uint64_t>(seq)));
  return std::string(crypto::view(sum.update(body).finish()));
}

std::string headText(const AuditHead& head) {
  return bigEndian(static_cast<std::uint64_t>(head.seq)) + head.hash;
}

std::vector<std::string> idsOf(const std::vector<std::string>& uuids) {
  std::vector<std::string> ids;
  for (const std::string& uuid : uuids) {
    if (const auto id = sync::RecordId::fromUuid(uuid)) ids.push_back(id->bytes());
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

// Whether the entry is found by exactly what it says.
bool isFoundRightly(storage::AuditRows& rows, const storage::AuditRow& row) {
  const Json body = http::parseJson(row.body);
  std::vector<std::string> uuids;
  if (body.contains("records")) uuids = body.at("records").get<std::vector<std::string>>();
  return rows.recordsOf(row.seq) == idsOf(uuids) && body.at("at") == row.at &&
         body.at("by") == row.person && body.at("deed") == row.deed;
}

}  // namespace

const std::vector<std::string>& deeds() {
  static const std::vector<std::string> all = {"login",
                                               "login-failed",
                                               "logout",
                                               "session-ended",
                                               "account-added",
                                               "account-changed",
                                               "account-closed",
                                               "account-disabled",
                                               "account-enabled",
                                               "password-changed",
                                               "totp-on",
                                               "totp-off",
                                               "phone-token",
                                               "read",
                                               "read-history",
                                               "listed",
                                               "refused",
                                               "handover-asked",
                                               "handover-accepted",
                                               "handover-declined",
                                               "change-released",
                                               "change-discarded",
                                               "audit-read",
                                               "audit-broken",
                                               "office-revoked",
                                               "office-admitted",
                                               "phone-revoked",
                                               "phone-admitted",
                                               "reports-not-awaited",
                                               "office-flagged",
                                               "office-unflagged",
                                               "share-kept",
                                               "share-released",
                                               "share-refused",
                                               "certificate-renewed",
                                               "joined",
                                               "intake-applied",
                                               "locked",
                                               "unlocked"};
  return all;
}

AuditHead auditHead(storage::Store& store) {
  const std::optional<storage::AuditRow> last = storage::AuditRows(store.database()).last();
  if (!last) return {0, std::string(crypto::kSha256Size, '\0')};
  return {last->seq, last->hash};
}

void noteDeed(storage::Store& store, const sync::Clock& clock, const Deed& deed) {
  Json body = {{"at", sync::formatTime(clock.nowMs())}, {"by", deed.by}, {"deed", deed.deed}};
  if (!deed.records.empty()) body["records"] = deed.records;
  if (!deed.detail.is_null()) body["detail"] = deed.detail;
  const AuditHead before = auditHead(store);
  storage::AuditRow row;
  row.seq = before.seq + 1;
  row.at = body.at("at").get<std::string>();
  row.person = deed.by;
  row.deed = deed.deed;
  row.body = http::canonicalJson(body);
  row.hash = hashOf(before.hash, row.seq, row.body);
  storage::AuditRows(store.database()).append(row, idsOf(deed.records));
  store.setMeta(kHeadRow, headText({row.seq, row.hash}));
}

Json searchAudit(storage::Store& store, const storage::AuditQuery& query) {
  const std::vector<storage::AuditRow> rows = storage::AuditRows(store.database()).find(query);
  Json entries = Json::array();
  for (const storage::AuditRow& row : rows) {
    Json entry = http::parseJson(row.body);
    entry["seq"] = row.seq;
    entries.push_back(std::move(entry));
  }
  const AuditHead head = auditHead(store);
  const bool isFull = static_cast<int>(rows.size()) == query.limit;
  return {{"entries", std::move(entries)},
          {"cursor", isFull ? Json(std::to_string(rows.back().seq)) : Json()},
          {"head", {{"seq", head.seq}, {"hash", crypto::toHex(head.hash)}}}};
}

std::optional<std::string> verifyAudit(storage::Store& store, std::uint64_t& entries) {
  storage::AuditRows rows(store.database());
  AuditHead head{0, std::string(crypto::kSha256Size, '\0')};
  std::optional<std::string> wrong;
  rows.each([&](const storage::AuditRow& row) {
    ++entries;
    if (wrong) return;
    const std::string which = "Entry " + std::to_string(row.seq) + " of the audit log";
    if (row.seq != head.seq + 1) {
      wrong =
          "Entries are missing from the audit log before number " + std::to_string(row.seq) + ".";
    } else if (row.hash != hashOf(head.hash, row.seq, row.body)) {
      wrong = which + " was changed.";
    } else if (!isFoundRightly(rows, row)) {
      wrong = which + " is not found by what it says.";
    }
    head = {row.seq, row.hash};
  });
  const std::string kept = store.meta(kHeadRow).value_or("");
  if (!wrong && kept != (head.seq == 0 ? "" : headText(head))) {
    wrong = "The audit log does not end where it ended: entries were cut off or put in.";
  }
  return wrong;
}

}  // namespace waystation::server

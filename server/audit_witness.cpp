// Headquarters as the witness of its leaves' audit logs.

#include <algorithm>
#include <charconv>

#include "crypto/failure.h"
#include "crypto/hash.h"
#include "server/audit.h"

namespace waystation::server {
namespace {

constexpr std::size_t kHashPrefix = 16;
constexpr std::string_view kToldRow = "audit.told";  // at a leaf: what headquarters has
constexpr std::string_view kBetween = ", ";
constexpr std::ptrdiff_t kMostSeen = 64;

std::string textOf(const AuditHead& head) {
  return std::to_string(head.seq) + "." + crypto::toBase64Url(head.hash.substr(0, kHashPrefix));
}

Failure malformed() {
  return Failure("sync.malformed", "The state of the audit log can't be read.");
}

// "SEQ.HASH".
AuditHead headOf(std::string_view text) {
  AuditHead head;
  const char* end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, head.seq);
  if (error != std::errc() || at == end || *at != '.' || head.seq < 0) throw malformed();
  try {
    head.hash = crypto::fromBase64Url(text.substr(static_cast<std::size_t>(at + 1 - text.data())));
  } catch (const Failure&) {
    throw malformed();
  }
  if (head.hash.size() != kHashPrefix) throw malformed();
  return head;
}

std::string seenRow(const std::string& leaf) {
  return "audit.seen." + leaf;
}

std::string brokenRow(const std::string& leaf) {
  return "audit.broken." + leaf;
}

// The entry of that number as the log has it now; zeros where it has none.
AuditHead entryAt(storage::Store& store, std::int64_t seq) {
  const auto row = storage::AuditRows(store.database()).row(seq);
  return {seq, row ? row->hash : std::string(crypto::kSha256Size, '\0')};
}

}  // namespace

std::string auditToTell(storage::Store& store) {
  const AuditHead head = auditHead(store);
  const std::string told = store.meta(kToldRow).value_or("");
  const std::string now = textOf(head);
  if (now == told || (head.seq == 0 && told.empty())) return {};
  const std::int64_t toldSeq = told.empty() ? 0 : headOf(told).seq;
  return now + std::string(kBetween) + textOf(entryAt(store, toldSeq));
}

void auditTold(storage::Store& store, std::string_view value) {
  store.setMeta(kToldRow, value.substr(0, value.find(kBetween)));
}

void witnessAudit(storage::Store& store, const sync::Clock& clock, const std::string& leaf,
                  std::string_view value) {
  const std::size_t between = value.find(kBetween);
  if (between == std::string_view::npos) throw malformed();
  const std::string now(value.substr(0, between));
  const std::string told(value.substr(between + kBetween.size()));
  const AuditHead head = headOf(now);
  headOf(told);
  // The heads seen, from the one that the leaf last knew to be here: answers can be lost.
  const std::string row = store.meta(seenRow(leaf)).value_or("[]");
  std::vector<std::string> seen = http::parseJson(row).get<std::vector<std::string>>();
  const auto known = std::find(seen.begin(), seen.end(), told);
  const bool goesOn = seen.empty() || (known != seen.end() && head.seq >= headOf(seen.back()).seq);
  if (!goesOn && store.metaNumber(brokenRow(leaf)) == 0) {
    store.setMetaNumber(brokenRow(leaf), clock.nowMs());
    noteDeed(store, clock,
             {"", "audit-broken", {}, {{"office", leaf}, {"seen", seen.back()}, {"now", now}}});
  }
  if (known == seen.end()) {
    seen = {told};
  } else {
    seen.erase(seen.begin(), known);
  }
  if (seen.back() != now) seen.push_back(now);
  if (std::ssize(seen) > kMostSeen) seen.erase(seen.begin() + 1, seen.end() - kMostSeen + 1);
  store.setMeta(seenRow(leaf), http::canonicalJson(seen));
}

std::int64_t auditBrokenSince(storage::Store& store, const std::string& leaf) {
  return store.metaNumber(brokenRow(leaf));
}

}  // namespace waystation::server

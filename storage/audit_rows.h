#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/database.h"

namespace waystation::storage {

// One entry of the audit log. What the body says is the writer's affair; `at`, `person` and `deed`
// are what is in it that can be searched for.
struct AuditRow {
  std::int64_t seq = 0;  // from 1, without gaps
  std::string at;        // RFC 3339 in UTC
  std::string person;
  std::string deed;
  std::string body;
  std::string hash;  // 32 bytes: over the entry before it and this one
};

struct AuditQuery {
  std::string person;  // empty: anybody
  std::string deed;    // empty: any
  std::string record;  // 16 bytes, or empty: any
  std::string from;    // RFC 3339 in UTC, or empty
  std::string to;      // likewise; itself not included
  std::int64_t beforeSeq = INT64_MAX;
  int limit = 50;
};

// The audit log's rows: only ever appended. A view over one connection; append() wants a
// Transaction around it.
class AuditRows {
 public:
  explicit AuditRows(Database& database) : db_(database) {}

  // `records`: ids of 16 bytes that the entry can be found by.
  void append(const AuditRow& row, const std::vector<std::string>& records);
  std::optional<AuditRow> last();
  std::optional<AuditRow> row(std::int64_t seq);
  std::vector<AuditRow> find(const AuditQuery& query);           // newest first
  void each(const std::function<void(const AuditRow&)>& visit);  // oldest first
  // The ids that an entry can be found by, in order.
  std::vector<std::string> recordsOf(std::int64_t seq);

 private:
  Database& db_;
};

}  // namespace waystation::storage

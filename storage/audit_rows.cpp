#include "storage/audit_rows.h"

namespace waystation::storage {
namespace {

constexpr const char* kColumns = "SELECT a.seq, a.at, a.person, a.deed, a.body, a.hash ";

AuditRow readRow(const Statement& statement) {
  return {statement.integer(0), statement.text(1), statement.text(2),
          statement.text(3),    statement.text(4), statement.text(5)};
}

}  // namespace

void AuditRows::append(const AuditRow& row, const std::vector<std::string>& records) {
  db_.statement("INSERT INTO audit(seq, at, person, deed, body, hash) VALUES(?, ?, ?, ?, ?, ?)")
      .bind(1, row.seq)
      .bindText(2, row.at)
      .bindText(3, row.person)
      .bindText(4, row.deed)
      .bindText(5, row.body)
      .bindBlob(6, row.hash)
      .run();
  for (const std::string& record : records) {
    db_.statement("INSERT OR IGNORE INTO audit_records(record, seq) VALUES(?, ?)")
        .bindBlob(1, record)
        .bind(2, row.seq)
        .run();
  }
}

std::optional<AuditRow> AuditRows::last() {
  Statement statement =
      db_.statement(std::string(kColumns) + "FROM audit a ORDER BY seq DESC LIMIT 1");
  if (!statement.step()) return std::nullopt;
  return readRow(statement);
}

std::optional<AuditRow> AuditRows::row(std::int64_t seq) {
  Statement statement = db_.statement(std::string(kColumns) + "FROM audit a WHERE seq = ?");
  if (!statement.bind(1, seq).step()) return std::nullopt;
  return readRow(statement);
}

std::vector<AuditRow> AuditRows::find(const AuditQuery& query) {
  std::string sql = std::string(kColumns) + "FROM audit a ";
  if (!query.record.empty()) sql += "JOIN audit_records r ON r.seq = a.seq AND r.record = ?2 ";
  sql += "WHERE a.seq < ?1 ";
  if (!query.person.empty()) sql += "AND a.person = ?3 ";
  if (!query.deed.empty()) sql += "AND a.deed = ?4 ";
  if (!query.from.empty()) sql += "AND a.at >= ?5 ";
  if (!query.to.empty()) sql += "AND a.at < ?6 ";
  sql += "ORDER BY a.seq DESC LIMIT ?7";
  Statement statement = db_.statement(sql);
  statement.bind(1, query.beforeSeq).bind(7, query.limit);
  if (!query.record.empty()) statement.bindBlob(2, query.record);
  if (!query.person.empty()) statement.bindText(3, query.person);
  if (!query.deed.empty()) statement.bindText(4, query.deed);
  if (!query.from.empty()) statement.bindText(5, query.from);
  if (!query.to.empty()) statement.bindText(6, query.to);
  std::vector<AuditRow> rows;
  while (statement.step()) rows.push_back(readRow(statement));
  return rows;
}

void AuditRows::each(const std::function<void(const AuditRow&)>& visit) {
  Statement statement = db_.statement(std::string(kColumns) + "FROM audit a ORDER BY seq");
  while (statement.step()) visit(readRow(statement));
}

std::vector<std::string> AuditRows::recordsOf(std::int64_t seq) {
  Statement statement =
      db_.statement("SELECT record FROM audit_records WHERE seq = ? ORDER BY record");
  statement.bind(1, seq);
  std::vector<std::string> records;
  while (statement.step()) records.push_back(statement.text(0));
  return records;
}

}  // namespace waystation::storage

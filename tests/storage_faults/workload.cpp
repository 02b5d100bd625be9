#include "tests/storage_faults/workload.h"

#include <sqlite3.h>

#include <stdexcept>

#include "crypto/hash.h"

namespace waystation::testing {

void Promises::note(std::int64_t number) {
  if (disk_ != nullptr) disk_->note(number);
}

void Promises::make(const std::function<void()>& change,
                    const std::function<std::string()>& content) {
  const std::size_t number = contents_.size();
  note(beginning(number));
  if (tooEarly_) note(acknowledgement(number));
  change();
  if (!tooEarly_) note(acknowledgement(number));
  contents_.push_back(content());
}

namespace {

void addRows(sqlite3* handle, const std::string& sql, crypto::Sha256& sum) {
  sqlite3_stmt* query = nullptr;
  if (sqlite3_prepare_v2(handle, sql.c_str(), -1, &query, nullptr) != SQLITE_OK) {
    throw std::runtime_error(sql + ": " + sqlite3_errmsg(handle));
  }
  int result = SQLITE_ROW;
  while ((result = sqlite3_step(query)) == SQLITE_ROW) {
    for (int column = 0; column < sqlite3_column_count(query); ++column) {
      const int size = sqlite3_column_bytes(query, column);
      const std::int32_t head[] = {sqlite3_column_type(query, column), size};
      sum.update({reinterpret_cast<const char*>(head), sizeof head});
      if (size == 0) continue;
      sum.update({static_cast<const char*>(sqlite3_column_blob(query, column)),
                  static_cast<std::size_t>(size)});
    }
  }
  sqlite3_finalize(query);
  if (result != SQLITE_DONE) throw std::runtime_error(sql + ": " + sqlite3_errmsg(handle));
}

}  // namespace

std::vector<std::unique_ptr<Workload>> allWorkloads() {
  std::vector<std::unique_ptr<Workload>> all = fileWorkloads();
  for (std::unique_ptr<Workload>& workload : nodeWorkloads()) all.push_back(std::move(workload));
  for (std::unique_ptr<Workload>& workload : storeWorkloads()) all.push_back(std::move(workload));
  return all;
}

std::string fingerprintOf(storage::Database& database) {
  crypto::Sha256 sum;
  addRows(database.handle(), "SELECT type, name, sql FROM sqlite_schema ORDER BY name, type", sum);
  addRows(database.handle(), "PRAGMA user_version", sum);
  std::vector<std::string> tables;
  {
    storage::Statement names = database.statement(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0 ORDER BY name");
    while (names.step()) tables.push_back(names.text(0));
  }
  for (const std::string& table : tables) {
    sum.update(table);
    addRows(database.handle(), "SELECT * FROM \"" + table + "\"", sum);
  }
  const crypto::Sha256Digest digest = sum.finish();
  return std::string(crypto::view(digest));
}

}  // namespace waystation::testing
